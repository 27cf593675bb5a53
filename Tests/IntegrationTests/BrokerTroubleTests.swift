// What becomes of records while the broker refuses or is away. On an embedded broker of its own, which can be told to.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct BrokerTroubleTests {
    private func configuration(_ broker: EmbeddedBroker) -> ServiceConfiguration {
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.tracking = .off
        configuration.bearHoldUps()
        configuration.logger = Logger(label: "test", level: .error, handler: SilentLogHandler())
        // So that a refused record is known to be undelivered soon.
        configuration.kafka.properties["delivery.timeout.ms"] = "1000"
        configuration.kafka.properties["linger.ms"] = "0"
        return configuration
    }

    private func placed(_ order: String, number: Int = 0) -> KafkaMessage {
        KafkaMessage(
            topic: "placed", partition: 0, key: Array(order.utf8),
            value: Array(#"{"order":"\#(order)","number":\#(number)}"#.utf8),
            headers: [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "\(order)-\(number)"),
                KafkaHeader("ce_source", "/test"),
                KafkaHeader("ce_type", Placed.type.rawValue), KafkaHeader("content-type", "application/json"),
            ])
    }

    @Test func aLetterThatCannotBePublishedHoldsTheSourceOffset() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1, "stock.placed.dlt": 1, "stock.placed.retry": 1])
        var router = EventRouter(retry: .never)
        router.on(Placed.self) { placed, _ in
            if placed.order == "bad" { throw Failure(description: "never") }
        }
        let producer = try KafkaProducer(broker.configuration)
        let service = EventService("stock", router: router, configuration: configuration(broker))
        let admin = try KafkaAdmin(broker.configuration)
        let partition = TopicPartition("placed", 0)
        func committed() async throws -> Int64 {
            try await admin.committedOffsets(ofGroup: "stock", partitions: [partition])[partition]?.offset ?? -1
        }
        try await withService(service) {
            try await wait(for: "the service to run") { service.status.phase == .running }
            try broker.setError(.topicAuthorizationFailed, forTopic: "stock.placed.dlt")
            try await producer.send(contentsOf: [placed("good"), placed("bad"), placed("after")])
            try await wait(for: "the letter to be refused and the others handled") {
                service.status.handled == 2 && service.status.trouble != nil
            }
            #expect(service.status.deadLettered == 0)
            #expect(try await committed() <= 1)
            try broker.setError(nil, forTopic: "stock.placed.dlt")
            try await wait(for: "the letter to be written") { service.status.deadLettered == 1 }
            try await wait(for: "nothing to be under way") { service.status.inFlight == 0 }
        }
        #expect(try await committed() == 3)
        await producer.shutdown()
    }

    @Test func aKeyWaitsForTheAcknowledgementOfItsLetter() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1, "stock.placed.dlt": 1, "stock.placed.retry": 1])
        let handled = Mutex<[String]>([])
        var router = EventRouter(retry: .never)
        router.on(Placed.self) { placed, context in
            if placed.order == "bad", placed.number == 0 { throw Failure(description: "never") }
            handled.withLock { $0.append(context.eventID) }
        }
        let producer = try KafkaProducer(broker.configuration)
        let service = EventService("stock", router: router, configuration: configuration(broker))
        try await withService(service) {
            try await wait(for: "the service to run") { service.status.phase == .running }
            try broker.setError(.topicAuthorizationFailed, forTopic: "stock.placed.dlt")
            try await producer.send(contentsOf: [placed("bad"), placed("bad", number: 1), placed("good")])
            try await wait(for: "the letter to be refused and the other key handled") {
                service.status.trouble != nil && service.status.handled > 0
            }
            #expect(handled.withLock { $0 } == ["good-0"])
            try broker.setError(nil, forTopic: "stock.placed.dlt")
            try await wait(for: "the key to go on") { service.status.handled == 2 }
        }
        #expect(handled.withLock { $0 } == ["good-0", "bad-1"])
        #expect(service.status.deadLettered == 1)
        await producer.shutdown()
    }

    /// Notes which events went after an earlier one of their key.
    private final class Followers: ProcessingObserver {
        private let ids = Mutex<[String]>([])

        func observe(_ step: ProcessingStep, of service: String) {
            if case .followed(let handling, _) = step { ids.withLock { $0.append(handling.eventID) } }
        }

        var all: [String] { ids.withLock { $0 } }
    }

    @Test func aKeyWaitsForTheAcknowledgementOfItsRedirect() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1, "stock.placed.dlt": 1, "stock.placed.retry": 1])
        let handled = Mutex<[String]>([])
        let followers = Followers()
        var router = EventRouter(retry: .fixed(.milliseconds(100), maxRetries: 5))
        router.on(Placed.self) { placed, context in
            if placed.order == "bad", placed.number == 0, context.attempt == 1 { throw Failure(description: "not yet") }
            handled.withLock { $0.append(context.eventID) }
        }
        var configuration = configuration(broker)
        configuration.inPlaceRetryLimit = .zero
        configuration.observer = followers
        let producer = try KafkaProducer(broker.configuration)
        let service = EventService("stock", router: router, configuration: configuration)
        let retry = TopicPartition("stock.placed.retry", 0)
        try await withService(service) {
            // Once it handles events it has read what waits in the retry topic.
            try await producer.send(placed("first"))
            try await wait(for: "the service to handle") { service.status.handled == 1 }
            try broker.setLeader(of: retry, to: nil)
            try await producer.send(contentsOf: [placed("bad"), placed("bad", number: 1), placed("good")])
            try await wait(for: "the redirect to fail and the other key to be handled") {
                service.status.trouble != nil && service.status.handled == 2
            }
            // Sent now, the next one could be there before the first.
            #expect(followers.all.isEmpty)
            #expect(handled.withLock { $0 } == ["first-0", "good-0"])
            try broker.setLeader(of: retry, to: 1)
            try await wait(for: "the key to go on") { service.status.handled == 4 }
        }
        #expect(handled.withLock { $0 } == ["first-0", "good-0", "bad-0", "bad-1"])
        #expect(service.status.deadLettered == 0)
        await producer.shutdown()
    }

    @Test func partitionsThatAreLostToNobodyAreNotSaidToBeOthers() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1])
        let log = CapturingLog()
        var configuration = configuration(broker)
        configuration.kafka.sessionTimeout = .milliseconds(3_100)
        configuration.logger = Logger(label: "test", level: .warning, handler: log)
        var router = EventRouter()
        router.on(Placed.self) { _, _ in }
        let producer = try KafkaProducer(broker.configuration)
        let service = EventService("stock", router: router, configuration: configuration)
        func loss() -> String? { log.lines.map(\.message).first { $0.hasPrefix("Partitions lost: ") } }
        try await withService(service) {
            try await producer.send(placed("first"))
            try await wait(for: "the first to be handled") { service.status.handled >= 1 }
            try broker.takeDown()
            try await wait(for: "the session to end") { loss() != nil }
            try broker.bringUp()
            try await producer.send(placed("second"))
            try await wait(for: "the second to be handled") { service.status.handled >= 2 }
        }
        let message = try #require(loss())
        #expect(message.contains("no broker was reached") && message.contains("may own them"))
        #expect(!message.contains("own them already"))
        await producer.shutdown()
    }

    @Test func aBrokerThatGoesAwayAndComesBackCostsNothing() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1, "reserved": 1])
        let seen = Mutex<Set<String>>([])
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            seen.withLock { _ = $0.insert(placed.order) }
            return Reserved(order: placed.order)
        }
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(contentsOf: (0..<100).map { placed("first-\($0)") })
        let service = EventService("stock", router: router, configuration: configuration(broker))
        try await withService(service) {
            try await wait(for: "the first to be handled") { service.status.published >= 100 }
            try broker.takeDown()
            let receipts = try (0..<100).map { try producer.tryEnqueue(placed("second-\($0)")) }
            try await wait(for: "the service to notice") { service.status.trouble != nil }
            try broker.bringUp()
            for receipt in receipts { _ = try await receipt.delivery() }
            try await wait(for: "the second to be handled") { seen.withLock { $0.count } == 200 }
            try await wait(for: "nothing to be under way") { service.status.inFlight == 0 }
        }
        #expect(service.status.published >= 200)
        await producer.shutdown()
    }
}
