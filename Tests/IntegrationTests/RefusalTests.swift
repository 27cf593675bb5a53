// What becomes of records that the broker refuses for good. On embedded brokers that are told to refuse, and on Kafka.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct RefusalTests {
    private static let invalidRecord = KafkaError.Code(rawValue: 87)

    private func configuration(_ broker: EmbeddedBroker, _ log: CapturingLog) -> ServiceConfiguration {
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.tracking = .off
        configuration.bearHoldUps()
        configuration.logger = Logger(label: "test", level: .warning, handler: log)
        return configuration
    }

    private func placed(_ order: String) -> KafkaMessage {
        KafkaMessage(
            topic: "placed", partition: 0, key: Array(order.utf8),
            value: Array(#"{"order":"\#(order)","number":0}"#.utf8),
            headers: [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", order), KafkaHeader("ce_source", "/test"),
                KafkaHeader("ce_type", Placed.type.rawValue), KafkaHeader("content-type", "application/json"),
            ])
    }

    /// Runs a service that handles one event while the broker refuses the next records with `errors`.
    ///
    /// Returns the service's status when it is done, its log and its letters.
    private func handleOne(
        refusing errors: [KafkaError.Code], _ router: EventRouter
    ) async throws -> (status: ServiceStatus, log: CapturingLog, letters: [KafkaRecord]) {
        let broker = try EmbeddedBroker(
            topics: ["placed": 1, "reserved": 1, "stock.placed.dlt": 1, "stock.placed.retry": 1])
        let log = CapturingLog()
        let service = EventService("stock", router: router, configuration: configuration(broker, log))
        let producer = try KafkaProducer(broker.configuration)
        let letters = try KafkaConsumer(
            broker.configuration, .partitions([TopicPartition("stock.placed.dlt", 0): .earliest]))
        try await producer.send(placed("one"))
        broker.failNext(.produce, with: errors)
        try await withService(service) {
            try await wait(for: "the event to be done") {
                service.status.inFlight == 0 && service.status.published + service.status.deadLettered > 0
            }
        }
        var found: [KafkaRecord] = []
        if service.status.deadLettered > 0 {
            for try await record in letters.records {
                found.append(record)
                break
            }
        }
        await letters.close()
        await producer.shutdown()
        return (service.status, log, found)
    }

    private var reserving: EventRouter {
        var router = EventRouter(retry: .never)
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in Reserved(order: placed.order) }
        return router
    }

    private var failing: EventRouter {
        var router = EventRouter(retry: .never)
        router.on(Placed.self) { _, _ in throw Failure(description: "never") }
        return router
    }

    @Test(arguments: [invalidRecord, .messageTooLarge, .invalidTopic, KafkaError.Code(rawValue: 18)])
    func anEventRefusedForGoodDeadLettersItsCause(_ error: KafkaError.Code) async throws {
        let (status, _, letters) = try await handleOne(refusing: [error, error], reserving)
        #expect(status.published == 0 && status.deadLettered == 1)
        let letter = try #require(letters.first)
        #expect(letter.header("troupe-reason") == "unpublishable")
        #expect(letter.header("troupe-error-message")?.contains("reserved") == true)
        #expect(letter.key?.text == "one" && letter.header("ce_id") == "one")
    }

    @Test(arguments: [invalidRecord, .messageTooLarge])
    func aRecordIsNotCondemnedForAnotherOneOfItsBatch(_ error: KafkaError.Code) async throws {
        // Refused once, within a batch; sent again alone, it is taken.
        let (status, _, letters) = try await handleOne(refusing: [error], reserving)
        #expect(status.published == 1 && status.deadLettered == 0 && letters.isEmpty)
    }

    @Test(arguments: [
        KafkaError.Code.topicAuthorizationFailed, KafkaError.Code(rawValue: 32), KafkaError.Code(rawValue: 44),
    ])
    func aRefusalThatMayPassIsWaitedFor(_ error: KafkaError.Code) async throws {
        let (status, _, letters) = try await handleOne(refusing: [error, error], reserving)
        #expect(status.published == 1 && status.deadLettered == 0 && letters.isEmpty)
    }

    @Test func aRefusedLetterLosesItsValueFirst() async throws {
        let (status, _, letters) = try await handleOne(
            refusing: [.messageTooLarge, .messageTooLarge], failing)
        #expect(status.deadLettered == 1)
        let letter = try #require(letters.first)
        #expect(letter.isTombstone && letter.header("troupe-value-omitted") == "26")
        #expect(letter.header("ce_id") == "one" && letter.header("troupe-headers-omitted") == nil)
        #expect(letter.key?.text == "one" && letter.header("troupe-error-message")?.contains("never") == true)
    }

    @Test func aLetterRefusedAgainLosesItsOriginalHeaders() async throws {
        let (status, _, letters) = try await handleOne(
            refusing: Array(repeating: .messageTooLarge, count: 3), failing)
        #expect(status.deadLettered == 1)
        let letter = try #require(letters.first)
        #expect(letter.isTombstone && letter.header("troupe-value-omitted") == "26")
        #expect(letter.header("ce_id") == nil && letter.header("troupe-headers-omitted") == "5")
        #expect(letter.key?.text == "one" && letter.header("troupe-origin-offset") == "0")
        #expect(letter.header("troupe-error-message")?.contains("never") == true)
    }

    @Test func aLetterRefusedAltogetherIsToldAndSentAgain() async throws {
        // In a batch, alone, without its value, without its headers; then in a batch and alone once more.
        let (status, log, letters) = try await handleOne(
            refusing: Array(repeating: Self.invalidRecord, count: 6), failing)
        #expect(status.deadLettered == 1 && letters.count == 1)
        let told = log.lines.filter { $0.level == .critical }
        #expect(told.count == 2)
        #expect(told.first?.metadata[LogKey.offset] == "0" && told.first?.metadata[LogKey.topic] == "placed")
        #expect(told.first?.message.contains("stock.placed.dlt") == true)
    }

    @Test func aPublisherSendsARefusedEventOnceMoreAlone() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1])
        let publisher = try await EventPublisher("shop", configuration: configuration(broker, CapturingLog()))
        broker.failNext(.produce, with: [.messageTooLarge])
        #expect(try await publisher.publish(Placed(order: "a")).offset == 0)
        broker.failNext(.produce, with: [.messageTooLarge, .messageTooLarge])
        let error = await #expect(throws: KafkaError.self) { try await publisher.publish(Placed(order: "b")) }
        #expect(error?.code == .messageTooLarge)
        #expect(try await publisher.publish(Placed(order: "c")).offset == 1)
        await publisher.shutdown()
    }

    /// `Reserved`, without a key where the order's name says so.
    struct Loose: Event {
        static let type: EventType = "test.loose"
        static let topic: Topic = "loose"
        var key: EventKey { order.hasPrefix("keyless") ? .none : EventKey(order) }
        var order: String
    }

    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func aRecordWithoutAKeyDoesNotStallACompactedTopic() async throws {
        let space = try await TestSpace(partitions: 1)
        let topic = space.name(Loose.topic)
        try await KafkaAdmin(TestCluster.configuration).createTopic(
            NewTopic(topic, partitions: 1, configuration: ["cleanup.policy": "compact"]))
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Loose.self)) { placed, _ in Loose(order: placed.order) }
        let service = space.service("stock", router: router)
        let orders = (0..<200).map { $0 % 20 == 7 ? "keyless\($0)" : "order\($0)" }
        try await TestCluster.produce(orders.map { space.placed($0) })
        try await withService(service) {
            let published = try await TestCluster.read(topic, count: 190)
            #expect(Set(published.compactMap { $0.key?.text }) == Set(orders.filter { $0.hasPrefix("order") }))
            let letters = try await TestCluster.read("\(space.namespace)stock.placed.dlt", count: 10)
            #expect(Set(letters.compactMap { $0.key?.text }) == Set(orders.filter { $0.hasPrefix("keyless") }))
            #expect(letters.allSatisfy { $0.header("troupe-reason") == "unpublishable" })
            try await wait(for: "everything to be done") { service.status.inFlight == 0 }
        }
        #expect(service.status.deadLettered == 10)
    }
}
