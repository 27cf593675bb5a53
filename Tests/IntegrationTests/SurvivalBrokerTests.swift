// What a service does while the broker is slow, has a full disk, or refuses what a commit carries.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct SurvivalBrokerTests {
    private func configuration(
        _ kafka: KafkaConfiguration, _ log: any LogHandler = SilentLogHandler()
    ) -> ServiceConfiguration {
        var configuration = ServiceConfiguration(kafka: kafka, environment: [:])
        configuration.tracking = .off
        configuration.bearHoldUps()
        configuration.logger = Logger(label: "test", level: .warning, handler: log)
        return configuration
    }

    private func placed(_ order: String, number: Int = 0) -> KafkaMessage {
        KafkaMessage(
            topic: "placed", partition: 0, key: Array(order.utf8),
            value: Array(#"{"order":"\#(order)","number":\#(number)}"#.utf8),
            headers: [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "\(order)-\(number)"),
                KafkaHeader("ce_source", "/test"), KafkaHeader("ce_type", Placed.type.rawValue),
                KafkaHeader("content-type", "application/json"),
            ])
    }

    private func produce(_ messages: [KafkaMessage], to kafka: KafkaConfiguration) async throws {
        let producer = try KafkaProducer(kafka)
        try await producer.send(contentsOf: messages)
        await producer.shutdown()
    }

    private func committed(_ kafka: KafkaConfiguration) async throws -> CommittedOffset? {
        let partition = TopicPartition("placed", 0)
        return try await KafkaAdmin(kafka).committedOffsets(ofGroup: "stock", partitions: [partition])[partition]
    }

    @Test func aSlowBrokerSlowsTheServiceAndNothingPilesUpInIt() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1, "reserved": 1])
        let most = Mutex(0)
        var router = EventRouter()
        let service = Mutex<EventService?>(nil)
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            let inFlight = service.withLock { $0?.status.inFlight ?? 0 }
            most.withLock { $0 = max($0, inFlight) }
            return Reserved(order: placed.order, number: placed.number)
        }
        var configuration = configuration(broker.configuration)
        configuration.engine.maxRecordsInFlight = 50
        let stock = EventService("stock", router: router, configuration: configuration)
        service.withLock { $0 = stock }
        try await produce((0..<1_000).map { placed("order-\($0 % 20)", number: $0) }, to: broker.configuration)
        try await withService(stock) {
            try await wait(for: "the service to run") { stock.status.phase == .running }
            try broker.setRoundTripTime(.milliseconds(100))
            try await wait(for: "all to be published") { stock.status.published == 1_000 }
            try broker.setRoundTripTime(.zero)
            try await wait(for: "nothing to be under way") { stock.status.inFlight == 0 }
        }
        service.withLock { $0 = nil }
        #expect(stock.status.handled == 1_000)
        #expect(most.withLock { $0 } <= 50)
        #expect(try await committed(broker.configuration)?.offset == 1_000)
    }

    @Test func aFullDiskHoldsTheSourceOffsetUntilThereIsRoom() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1, "reserved": 1])
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            Reserved(order: placed.order, number: placed.number)
        }
        var configuration = configuration(broker.configuration)
        // So that what is refused is known to be undelivered soon.
        configuration.kafka.properties["delivery.timeout.ms"] = "1000"
        let service = EventService("stock", router: router, configuration: configuration)
        try await produce((0..<20).map { placed("order-\($0)", number: $0) }, to: broker.configuration)
        // What Kafka answers when its log directory has no room: it takes the directory offline.
        broker.failNext(.produce, with: Array(repeating: .storageError, count: 10_000))
        try await withService(service) {
            try await wait(for: "all to be handled, and the trouble to be told") {
                service.status.handled == 20 && service.status.trouble != nil
            }
            #expect(service.status.published == 0)
            #expect(service.status.phase == .running)
            #expect(try await committed(broker.configuration)?.offset ?? 0 <= 0)
            broker.clearFailures(of: .produce)
            try await wait(for: "all to be published") { service.status.published == 20 }
            try await wait(for: "nothing to be under way") { service.status.inFlight == 0 }
            #expect(service.status.trouble == nil)
        }
        #expect(service.status.handled == 20)
        #expect(service.status.deadLettered == 0)
        #expect(try await committed(broker.configuration)?.offset == 20)
    }

    /// The first record waits for an hour; those behind it are done, which only the metadata of a commit can say.
    private func doneBehindOneThatWaits(
        _ kafka: KafkaConfiguration, _ log: CapturingLog, until settled: (EventService) async throws -> Void
    ) async throws {
        var router = EventRouter(retry: .fixed(.seconds(3_600), maxRetries: 1))
        router.on(Placed.self) { placed, _ in
            if placed.order == "stuck" { throw Failure(description: "waits in place") }
        }
        var configuration = configuration(kafka, log)
        configuration.inPlaceRetryLimit = .seconds(7_200)
        let service = EventService("stock", router: router, configuration: configuration)
        let messages = [placed("first"), placed("stuck")] + (2..<40).map { placed("order-\($0)", number: $0) }
        try await withService(service) {
            try await wait(for: "the service to run") { service.status.phase == .running }
            try await produce(messages, to: kafka)
            try await wait(for: "all the others to be handled") { service.status.handled == 39 }
            try await settled(service)
        }
    }

    @Test func refusedMetadataMeansCommittingTheBaseAlone() async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1])
        let log = CapturingLog()
        // The embedded broker takes any metadata: the refusal is of the answer to the first commit.
        broker.failNext(.offsetCommit, with: [.offsetMetadataTooLarge])
        try await doneBehindOneThatWaits(broker.configuration, log) { _ in
            try await wait(for: "the warning") { log.lines.contains { $0.message.contains("refuses the metadata") } }
        }
        let committed = try await committed(broker.configuration)
        #expect(committed?.offset == 1)
        #expect(committed?.metadata ?? "" == "")
        #expect(log.lines.filter { $0.message.contains("refuses the metadata") }.count == 1)
    }

    @Test(.enabled(if: LaunchedKafka.isAvailable, LaunchedKafka.needsLauncher))
    func aKafkaThatTakesNoMetadataGetsTheBaseAlone() async throws {
        try await LaunchedKafka.with(["--set", "offset.metadata.max.bytes=10"]) { launched in
            let kafka = try launched.configuration
            try await KafkaAdmin(kafka).createTopic(NewTopic("placed", partitions: 1))
            let log = CapturingLog()
            try await doneBehindOneThatWaits(kafka, log) { _ in
                try await wait(for: "the warning") {
                    log.lines.contains { $0.message.contains("refuses the metadata") }
                }
            }
            let committed = try await committed(kafka)
            #expect(committed?.offset == 1)
            #expect(committed?.metadata ?? "" == "")
            // Said once, not with every commit.
            #expect(log.lines.filter { $0.message.contains("refuses the metadata") }.count == 1)
        }
    }
}

extension KafkaError.Code {
    /// `KAFKA_STORAGE_ERROR`: the broker's disk failed or is full.
    fileprivate static let storageError = KafkaError.Code(rawValue: 56)
}
