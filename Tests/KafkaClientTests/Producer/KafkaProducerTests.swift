// A record's outcome is always told: acknowledged, refused, given up.

import KafkaClient
import Testing

@Suite(.timeLimit(.minutes(10))) struct KafkaProducerTests {
    @Test(arguments: TestCluster.available)
    func sendReturnsPartitionAndOffset(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic(partitions: 3)
        let producer = try KafkaProducer(cluster.configuration)
        for offset in Int64(0)..<3 {
            let delivery = try await producer.send(
                KafkaMessage(topic: topic, partition: 2, key: [1], value: [2], timestamp: 1_700_000_000_000 + offset))
            #expect(delivery.topicPartition == TopicPartition(topic, 2))
            #expect(delivery.offset == offset)
            // The embedded broker's acknowledgements carry a made-up time.
            guard cluster == .kafka else { continue }
            #expect(delivery.timestamp == KafkaTimestamp(milliseconds: 1_700_000_000_000 + offset))
        }
        await producer.shutdown()
    }

    @Test(arguments: TestCluster.available)
    func pipelinedSendsKeepTheirOrder(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(cluster.configuration)
        let messages = (0..<5_000).map { KafkaMessage(topic: topic, value: Array("\($0)".utf8)) }
        let deliveries = try await producer.send(contentsOf: messages)
        #expect(deliveries.map(\.offset) == Array(0..<5_000))
        #expect(producer.pendingCount == 0)
        await producer.shutdown()
    }

    /// The Swift peer throws after ten seconds though the records were delivered.
    @Test(arguments: TestCluster.available)
    func shutdownWithRecordsInFlightDeliversThem(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(cluster.configuration)
        let receipts = try (0..<1_000).map {
            try producer.tryEnqueue(KafkaMessage(topic: topic, value: [UInt8($0 & 255)]))
        }
        await producer.shutdown(within: .seconds(120))
        var offsets: [Int64] = []
        for receipt in receipts { offsets.append(try await receipt.delivery().offset) }
        #expect(offsets == Array(0..<1_000))
        #expect(producer.pendingCount == 0)
    }

    @Test func shutdownAtItsDeadlineResolvesEverySend() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(KafkaMessage(topic: "t", value: [0]))
        try broker.takeDown()
        let receipts = try (0..<100).map { try producer.tryEnqueue(KafkaMessage(topic: "t", value: [UInt8($0)])) }
        await producer.shutdown(within: .milliseconds(200))
        let failed = try await failures(of: receipts)
        #expect(failed.count == 100)
        #expect(failed.allSatisfy { $0.topic == "t" })
    }

    /// The Swift peer hangs.
    @Test func sendAfterShutdownIsAnErrorAtOnce() async throws {
        let producer = try KafkaProducer(TestCluster.embeddedBroker.configuration)
        await producer.shutdown()
        await producer.shutdown()
        let message = KafkaMessage(topic: "any", value: [1])
        let sent = try await #require(throws: KafkaError.self) { try await producer.send(message) }
        #expect(sent.code == .closed)
        let enqueued = try #require(throws: KafkaError.self) { try producer.tryEnqueue(message) }
        #expect(enqueued.code == .closed)
        try await producer.flush()
    }

    /// The Swift peer leaks what it could not enqueue.
    @Test(arguments: TestCluster.available)
    func sendWaitsWhileTheQueueIsFull(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        var configuration = try cluster.configuration
        configuration.producerQueueCapacity = 10
        let producer = try KafkaProducer(configuration)
        let deliveries = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var last: Int64 = -1
                    for _ in 0..<100 {
                        let delivery = try await producer.send(KafkaMessage(topic: topic, value: [1]))
                        #expect(delivery.offset > last)
                        last = delivery.offset
                    }
                    return 100
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(deliveries == 800)
        let receipts = try await producer.send(
            contentsOf: (0..<500).map { _ in KafkaMessage(topic: topic, value: [2]) })
        #expect(receipts.map(\.offset) == Array(800..<1300))
        await producer.shutdown()
    }

    @Test func fullQueueIsToldWithoutWaiting() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try broker.takeDown()
        var configuration = broker.configuration
        configuration.producerQueueCapacity = 3
        let producer = try KafkaProducer(configuration)
        let message = KafkaMessage(topic: "t", value: [1])
        let receipts = try (0..<3).map { _ in try producer.tryEnqueue(message) }
        let error = try #require(throws: KafkaError.self) { try producer.tryEnqueue(message) }
        #expect(error.code == .queueFull)
        #expect(error.isRetriable)
        let waiting = Task { try await producer.send(message) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        try broker.bringUp()
        for receipt in receipts { _ = try await receipt.delivery() }
        #expect(try await producer.send(message).offset == 3, "the cancelled record was not sent")
        await producer.shutdown()
    }

    @Test(arguments: TestCluster.available)
    func recordThatIsTooLargeIsRefused(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        var configuration = try cluster.configuration
        configuration.maxMessageBytes = 2_000
        let producer = try KafkaProducer(configuration)
        let error = try await #require(throws: KafkaError.self) {
            try await producer.send(KafkaMessage(topic: topic, value: [UInt8](repeating: 0, count: 4_000)))
        }
        #expect(error.code == .messageTooLarge)
        #expect(error.topic == topic)
        #expect(producer.pendingCount == 0)
        #expect(try await producer.send(KafkaMessage(topic: topic, value: [1])).offset == 0)
        await producer.shutdown()
    }

    @Test func partitionThatDoesNotExistIsAnError() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        let error = try await #require(throws: KafkaError.self) {
            try await producer.send(
                KafkaMessage(topic: "t", partition: 9, value: [1], headers: [KafkaHeader("a", "b")]))
        }
        #expect(error.topic == "t")
        for partition: Int32 in [-2, .min, .max] {
            await #expect(throws: KafkaError.self) {
                try await producer.send(KafkaMessage(topic: "t", partition: partition, value: [1]))
            }
        }
        await #expect(throws: KafkaError.self) { try await producer.send(KafkaMessage(topic: "", value: [1])) }
        await producer.shutdown(within: .seconds(1))
    }

    @Test func flushWaitsForWhatWasSentBefore() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.flush()
        for index in 0..<100 { try producer.tryEnqueue(KafkaMessage(topic: "t", value: [UInt8(index)])) }
        try await producer.flush()
        #expect(producer.pendingCount == 0)
        try broker.takeDown()
        let receipt = try producer.tryEnqueue(KafkaMessage(topic: "t", value: [1]))
        let error = try await #require(throws: KafkaError.self) { try await producer.flush(within: .milliseconds(100)) }
        #expect(error.code == .timedOut)
        try broker.bringUp()
        try await producer.flush()
        #expect(try await receipt.delivery().offset == 100)
        await producer.shutdown()
    }

    @Test func brokenConnectionIsRetriedWithoutDuplicates() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(KafkaMessage(topic: "t", value: [0]))
        broker.failNext(.produce, with: [.notLeader, .requestTimedOut])
        #expect(try await producer.send(KafkaMessage(topic: "t", value: [1])).offset == 1)
        await producer.shutdown()
    }

    @Test func fatalErrorIsOvercomeByANewClient() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(KafkaMessage(topic: "t", value: [0]))
        // OUT_OF_ORDER_SEQUENCE_NUMBER: the broker has lost records, which is fatal to an idempotent client.
        broker.failNext(.produce, with: [KafkaError.Code(rawValue: 45)])
        let failed = try await #require(throws: KafkaError.self) {
            try await producer.send(KafkaMessage(topic: "t", value: [1]))
        }
        #expect(failed.topic == "t")
        #expect(try await producer.send(KafkaMessage(topic: "t", value: [2])).offset == 1)
        await producer.shutdown()
    }

    @Test func whatAFatalErrorTookAlongNamesIt() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        var configuration = broker.configuration
        // One request of one record after the other: what was enqueued later is still queued when the first one fails.
        configuration.properties["max.in.flight"] = "1"
        configuration.properties["batch.num.messages"] = "1"
        let producer = try KafkaProducer(configuration)
        try await producer.send(KafkaMessage(topic: "t", value: [0]))
        try broker.takeDown()
        let receipts = try (1...5).map { try producer.tryEnqueue(KafkaMessage(topic: "t", value: [UInt8($0)])) }
        broker.failNext(.produce, with: [KafkaError.Code(rawValue: 45)])
        try broker.bringUp()
        var failures: [KafkaError] = []
        for receipt in receipts {
            do { _ = try await receipt.delivery() } catch let error as KafkaError { failures.append(error) }
        }
        let purged = failures.filter { [.purged, .purgedInFlight].contains($0.code) }
        // The one that was refused, and all behind it; the first may have been written before the broker was down.
        #expect(failures.count >= 4)
        #expect(purged.count == failures.count - 1)
        #expect(purged.allSatisfy { $0.reason.contains("fatal error") && $0.reason.contains("sequence") })
        await producer.shutdown()
    }

    @Test func whatAShutdownGaveUpSaysSo() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try broker.takeDown()
        let producer = try KafkaProducer(broker.configuration)
        let receipt = try producer.tryEnqueue(KafkaMessage(topic: "t", value: [1]))
        await producer.shutdown(within: .zero)
        let error = try await #require(throws: KafkaError.self) { try await receipt.delivery() }
        #expect(error.code == .purged)
        #expect(error.reason == "The producer was shut down before the record was acknowledged")
        #expect(error.topic == "t")
        #expect(!error.mayBePersisted)
    }

    /// The Swift peer keeps every event that nobody reads.
    @Test func noticesThatNobodyReadsAreBounded() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        var configuration = broker.configuration
        configuration.statisticsInterval = .milliseconds(1)
        let producer = try KafkaProducer(configuration)
        for _ in 0..<600 { try await producer.send(KafkaMessage(topic: "t", value: [0])) }
        await producer.shutdown()
        var count = 0
        for await _ in producer.notices { count += 1 }
        #expect(count > 0)
        #expect(count <= 256)
    }

    /// The Swift peer's median is its poll interval, 100 ms.
    @Test(arguments: TestCluster.available)
    func oneAwaitedSendTakesNoPollInterval(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(cluster.configuration)
        try await producer.send(KafkaMessage(topic: topic, value: [0]))
        var times: [Duration] = []
        for number in 1...1_000 {
            let begin = ContinuousClock.now
            #expect(try await producer.send(KafkaMessage(topic: topic, value: [1])).offset == Int64(number))
            times.append(ContinuousClock.now - begin)
        }
        // One at a time: with a client that polls for reports every 100 ms each takes that long. Not the median, because
        // a busy machine may hold many of them up.
        #expect(times.sorted()[100] < .milliseconds(50))
        await producer.shutdown()
    }

    @Test func cancelledSendEndsAtOnceAndTheRecordIsStillSent() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try broker.takeDown()
        let producer = try KafkaProducer(broker.configuration)
        let receipt = try producer.tryEnqueue(KafkaMessage(topic: "t", value: [1]))
        let task = Task { try await receipt.delivery() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try broker.bringUp()
        #expect(try await receipt.delivery().offset == 0, "the outcome can still be awaited")
        await producer.shutdown()
    }

    @Test func droppedProducerStillKeepsItsPromises() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let receipt = try KafkaProducer(broker.configuration).tryEnqueue(KafkaMessage(topic: "t", value: [1]))
        #expect(try await receipt.delivery().offset == 0)
    }
}
