// What a service makes of system topics that are not there when it starts, or of which the broker says nothing yet.

import KafkaClient
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct SystemTopicTests {
    private func reserving() -> EventRouter {
        var router = EventRouter(retry: .never)
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in Reserved(order: placed.order) }
        return router
    }

    private func told(_ fixture: ReportFixture, _ text: String) -> Int {
        fixture.log.lines.filter { $0.message.contains(text) }.count
    }

    /// `LEADER_NOT_AVAILABLE`, as when another instance makes the topic at that moment, or a broker is slow to learn of it.
    @Test func whatIsDoneIsReportedThoughTheBrokerCouldNotSayAtTheStartThatTheTopicIsThere() async throws {
        let fixture = try ReportFixture { $0.tracking.acknowledgementTimeout = .seconds(600) }
        try fixture.broker.setError(KafkaError.Code(rawValue: 5), forTopic: ReportFixture.tasks)
        let service = EventService("stock", router: reserving(), configuration: fixture.configuration)
        try await withService(service) {
            try await wait(for: "the service to run") { service.status.phase == .running }
            try await fixture.produce(0..<20)
            try await wait(for: "all to be published") { service.status.published == 20 }
            try fixture.broker.setError(nil, forTopic: ReportFixture.tasks)
            try await fixture.waitForCommit(of: 20)
            try await wait(for: "the topic to be found") { told(fixture, "tells of itself are there") == 1 }
        }
        #expect(service.status.unreported == 0)
        #expect(Set(try await fixture.reports().map(\.event)) == Set((0..<20).map { "a-\($0)" }))
        #expect(told(fixture, "has not said whether") == 1 && told(fixture, "tells less") == 0)
        #expect(try await fixture.declarations().map(\.declaration.reportsAttempts) == [nil])
    }

    /// Only the topic of tasks is missing, or both system topics are.
    @Test(arguments: [[SystemTopics().tasks], [SystemTopics().tasks, SystemTopics().services]])
    func topicsThatAreMadeLaterAreFoundWithoutARestart(_ absent: [String]) async throws {
        let fixture = try ReportFixture(absent: Set(absent)) {
            $0.provisioning = .verify
            $0.tracking.suspension = .milliseconds(100)
            $0.tracking.heartbeatInterval = .milliseconds(100)
        }
        let service = EventService("stock", router: reserving(), configuration: fixture.configuration)
        try await withService(service) {
            try await fixture.produce(0..<20)
            try await fixture.waitForCommit(of: 20)
            try await wait(for: "what is not reported to be counted") { service.status.unreported == 20 }
            for topic in absent { try fixture.broker.createTopic(topic, partitions: 1) }
            try await wait(for: "the topics to be found") { told(fixture, "tells of itself are there") == 1 }
            // The engine learns of it in its next round.
            try await fixture.produce(20..<21)
            try await fixture.waitForCommit(of: 21)
            try await fixture.produce(21..<40)
            try await fixture.waitForCommit(of: 40)
            try await fixture.waitUntilReportsAreDeclared()
        }
        #expect(told(fixture, "tells less") == 1)
        let reported = try await fixture.reports().map(\.event)
        #expect(Set(reported).subtracting(["a-20"]) == Set((21..<40).map { "a-\($0)" }))
        #expect(reported.count + service.status.unreported == 40)
        // From then on it declares that it reports, and its instance works by that declaration.
        let declarations = try await fixture.declarations()
        #expect(declarations.last?.declaration.reportsAttempts == nil)
        if absent.count == 1 { #expect(declarations.first?.declaration.reportsAttempts == false) }
        let last = try #require(try await fixture.heartbeats().last)
        #expect(last.declaration == declarations.last?.fingerprint && last.status.phase == .stopped)
    }

    /// At the start the broker has not said, and then it denies the topic.
    @Test func aTopicThatIsDeniedAfterTheStartIsToldAndFoundAgain() async throws {
        let fixture = try ReportFixture {
            $0.provisioning = .verify
            $0.tracking.suspension = .seconds(3_600)
            $0.tracking.acknowledgementTimeout = .seconds(600)
            $0.tracking.heartbeatInterval = .milliseconds(100)
        }
        try fixture.broker.setError(KafkaError.Code(rawValue: 5), forTopic: ReportFixture.tasks)
        let service = EventService("stock", router: reserving(), configuration: fixture.configuration)
        try await withService(service) {
            try await wait(for: "the service to run") { service.status.phase == .running }
            try fixture.broker.setError(.unknownTopicOrPartition, forTopic: ReportFixture.tasks)
            try await wait(for: "the topic to be missed") { told(fixture, "tells less") == 1 }
            try await fixture.produce(0..<20)
            try await fixture.waitForCommit(of: 20)
            try await wait(for: "what is not reported to be counted") { service.status.unreported == 20 }
            try fixture.broker.setError(nil, forTopic: ReportFixture.tasks)
            try await wait(for: "the topic to be found") { told(fixture, "tells of itself are there") == 1 }
            // The engine learns of it in its next round.
            try await fixture.produce(20..<21)
            try await fixture.waitForCommit(of: 21)
            try await fixture.produce(21..<40)
            try await fixture.waitForCommit(of: 40)
            try await fixture.waitUntilReportsAreDeclared()
        }
        let reported = try await fixture.reports().map(\.event)
        #expect(Set(reported).subtracting(["a-20"]) == Set((21..<40).map { "a-\($0)" }))
        #expect(reported.count + service.status.unreported == 40)
        let declared = try await fixture.declarations().map(\.declaration.reportsAttempts)
        #expect(declared.contains(false) && declared.last == .some(nil))
    }
}
