// What a service declares of itself.

import EventJSON
import KafkaClient
import Testing

@testable import Troupe

private struct Asked: Event {
    static let type: EventType = "test.asked"
    static let topic: Topic = "questions"
    static let acceptedTypes: [EventType] = ["test.asked-before"]
    var key: EventKey { .none }
}

private struct AskedLongAgo: Event {
    static let type: EventType = "test.asked-long-ago"
    static let topic: Topic = "questions"
    var key: EventKey { .none }
}

private struct Answered: Event {
    static let type: EventType = "test.answered"
    static let topic: Topic = "answers"
    static let flowEnding: FlowEnding? = .completed
    var key: EventKey { .none }
}

private struct Refused: Event {
    static let type: EventType = "test.refused"
    static let topic: Topic = "answers"
    static let flowEnding: FlowEnding? = .failed
    var key: EventKey { .none }
}

@Suite struct ServiceDeclarationTests {
    private func declaration(version: String = "1.2") throws -> ServiceDeclaration {
        var router = EventRouter(retry: .never)
        router.on(
            Asked.self, publishes: .oneOf(Answered.self, Refused.self), compensates: Answered.self,
            retry: .exponential(maxRetries: 4), within: .milliseconds(1_500)
        ) { _, _ in .event(Answered()) }
        router.on(tombstonesOf: Answered.self) { _, _ in }
        router.upcast(from: AskedLongAgo.self, to: Asked.self) { _ in Asked() }
        return try RecordProcessor(
            service: "oracle", router: router,
            settings: .fixed {
                $0.namespace = "test."
                $0.consumerGroup = "oracles"
            }
        ).declaration(version: version, delivery: .exactlyOnce)
    }

    @Test func aDeclarationSaysWhatTheRoutesSay() throws {
        let declaration = try declaration()
        #expect(declaration.service == "oracle" && declaration.version == "1.2" && declaration.group == "test.oracles")
        #expect(declaration.delivery == "exactly-once" && declaration.starts.isEmpty)
        #expect(
            declaration.routes == [
                RouteDeclaration(
                    name: "test.asked", input: .event, type: "test.asked",
                    acceptedTypes: ["test.asked-before", "test.asked-long-ago"], topic: "test.questions",
                    retryTopic: "test.oracles.questions.retry", deadLetterTopic: "test.oracles.questions.dlt",
                    cardinality: .oneOf, publishes: ["test.answered", "test.refused"], compensates: "test.answered",
                    withinMilliseconds: 1_500, maxRetries: 4),
                RouteDeclaration(
                    name: "tombstones of test.answered", input: .tombstone, type: "test.answered", acceptedTypes: [],
                    topic: "test.answers", retryTopic: "test.oracles.answers.retry",
                    deadLetterTopic: "test.oracles.answers.dlt", cardinality: .none, publishes: [], compensates: nil,
                    withinMilliseconds: 30_000, maxRetries: 0),
            ])
        #expect(declaration.events.map(\.type) == ["test.asked", "test.answered", "test.refused"])
        #expect(declaration.events.map(\.topic) == ["test.questions", "test.answers", "test.answers"])
        #expect(declaration.events.map(\.flowEnding) == [nil, .completed, .failed])
    }

    @Test func itIsReadBackAndItsFingerprintTellsItFromOthers() throws {
        let (json, fingerprint) = try declaration().encoded()
        #expect(try EventJSONDecoder().decode(ServiceDeclaration.self, from: json) == declaration())
        #expect(fingerprint.count == 16)
        #expect(try declaration().encoded().fingerprint == fingerprint)
        #expect(try declaration(version: "1.3").encoded().fingerprint != fingerprint)
    }

    @Test func anInstanceIsToldToBeDeadByItsAge() {
        var heartbeat = InstanceHeartbeat(
            service: "a", instance: "1", version: "", declaration: "", host: "", processID: 1, endpoint: nil,
            startedAt: 0, time: 10_000, intervalMilliseconds: 3_000, assignment: [:], status: ServiceStatus())
        #expect(!heartbeat.isStale(at: 19_000))
        #expect(heartbeat.isStale(at: 19_001))
        #expect(!heartbeat.isStale(at: 0))
        heartbeat.status.phase = .stopped
        #expect(!heartbeat.isStale(at: 100_000))
    }
}
