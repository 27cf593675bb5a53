// Transactions of the polled producer on a real Kafka: nothing blocks its owner, every call has its outcome.

import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(10)), .enabled(if: TestCluster.hasKafka, TestCluster.needsKafka))
struct PolledTransactionTests {
    /// A producer with what its owner keeps: the reports and events in the order they came.
    private final class Owner {
        let waker: Waker
        var producer: ProducerQueue?
        var delivered = 0
        var failed = 0
        var events: [TransactionEvent] = []
        /// How many reports had come when each event came.
        var reportsAtEvents: [Int] = []

        init(id: String) throws {
            waker = try Waker()
            let properties = try TestCluster.kafka.configuration.librdkafkaProperties(
                for: .transactionalProducer(id: id))
            producer = try ProducerQueue(properties: properties, waker: waker)
        }

        func drain() -> Bool {
            let before = events.count
            let count = producer?.drain { report in
                if report.isDelivered { delivered += 1 } else { failed += 1 }
            } other: { event in
                guard case .transaction(let event) = event else { return }
                events.append(event)
                reportsAtEvents.append(delivered + failed)
            }
            return (count ?? 0) > 0 || events.count > before
        }

        /// Drains until as many events came.
        func serve(events count: Int) throws {
            try KafkaClientTests.serve(waker, { producer?.isEmpty ?? true }, drain) { events.count >= count }
        }

        func enqueue(_ topic: String, _ text: String) -> EnqueueResult {
            let message = PackedMessage(KafkaMessage(topic: topic, partition: 0, value: Array(text.utf8)))
            return producer?.enqueue(message, opaque: 1) ?? .full
        }
    }

    @Test func reportsAreServedDuringTheCommitAndComeBeforeIt() async throws {
        let partition = TopicPartition(try await TestCluster.kafka.makeTopic("polled"), 0)
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(id: uniqueName("id"))
            try owner.producer?.initializeTransactions()
            try owner.serve(events: 1)
            try owner.producer?.beginTransaction()
            for index in 0..<5_000 {
                guard case .queued = owner.enqueue(partition.topic, "\(index)") else {
                    throw KafkaError(.queueFull, "not queued")
                }
            }
            try owner.producer?.commitTransaction()
            #expect(owner.delivered == 0, "nothing is served but by drain")
            let refused = try #require(throws: KafkaError.self) { try owner.producer?.abortTransaction() }
            #expect(refused.code == .invalidState, "one call at a time")
            try owner.serve(events: 2)
            #expect(owner.events == [.initialized, .committed])
            #expect(owner.delivered == 5_000 && owner.failed == 0)
            #expect(owner.reportsAtEvents == [0, 5_000])
        }
        #expect(try await readCommitted(partition.topic).count == 5_000)
    }

    @Test func recordsAreRefusedDuringTheCommitAndTakenAfterTheNextBegin() async throws {
        let partition = TopicPartition(try await TestCluster.kafka.makeTopic("refused"), 0)
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(id: uniqueName("id"))
            try owner.producer?.initializeTransactions()
            try owner.serve(events: 1)
            try owner.producer?.beginTransaction()
            _ = owner.enqueue(partition.topic, "a")
            try owner.producer?.commitTransaction()
            try owner.serve(events: 2)
            guard case .refused(let error) = owner.enqueue(partition.topic, "between") else {
                Issue.record("taken outside a transaction")
                return
            }
            #expect(error.code == .invalidState)
            try owner.producer?.beginTransaction()
            guard case .queued = owner.enqueue(partition.topic, "b") else {
                Issue.record("not queued")
                return
            }
            try owner.producer?.commitTransaction()
            try owner.serve(events: 3)
            #expect(owner.events == [.initialized, .committed, .committed])
        }
        #expect(texts(try await readCommitted(partition.topic)) == ["a", "b"])
    }

    @Test func offsetsOfAPolledConsumerAreCommittedWithItsFreshStanding() async throws {
        let topic = try await TestCluster.kafka.makeTopic("offsets")
        let group = uniqueName("group")
        let configuration = try TestCluster.kafka.configuration
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(id: uniqueName("id"))
            let properties = try configuration.librdkafkaProperties(for: .consumer(group: group))
            let consumer = try PolledConsumer(properties: properties, waker: owner.waker)
            try consumer.subscribe(to: [topic])
            var queues: [PartitionQueue] = []
            let query = GroupOffsetsQuery(of: consumer)
            var answers: [GroupOffsetsQuery.Answer] = []
            func serve(until isDone: () -> Bool) throws {
                try KafkaClientTests.serve(
                    owner.waker,
                    { consumer.isEmpty && query.isEmpty && owner.producer?.isEmpty ?? true }
                ) {
                    var isBusy = owner.drain()
                    while let event = consumer.nextEvent() {
                        isBusy = true
                        if case .assigned = event { queues = try consumer.answerAssignment() }
                    }
                    while let answer = query.nextAnswer() {
                        isBusy = true
                        answers.append(answer)
                    }
                    return isBusy
                } until: {
                    isDone()
                }
            }
            try owner.producer?.initializeTransactions()
            try serve { queues.count == 1 && owner.events.count == 1 }
            let partition = TopicPartition(topic, 0)
            let offset = CommittedOffset(partition, offset: 9, metadata: "window")
            try owner.producer?.beginTransaction()
            try owner.producer?.sendOffsets([offset], of: consumer.groupMetadata())
            try serve { owner.events.count == 2 }
            // While a transaction holds the partition's offset there is no answer but that time is up.
            try query.start(partitions: [partition], within: .milliseconds(400), tag: 1)
            try serve { answers.count == 1 }
            let error = #expect(throws: KafkaError.self) { try answers[0].offsets.get() }
            #expect(error?.code == .timedOut)
            // A question asked meanwhile is answered once the transaction has ended, by what it has committed.
            try query.start(partitions: [partition], within: .seconds(60), tag: 2)
            try owner.producer?.commitTransaction(offsets: [offset], of: consumer.groupMetadata())
            try serve { owner.events.count == 3 && answers.count == 2 }
            #expect(owner.events == [.initialized, .offsetsSent, .committed])
            #expect(query.pendingCount == 0)
            #expect(answers[1].tag == 2)
            #expect(try answers[1].offsets.get() == [offset])
        }
    }

    @Test func abortGivesUpOnItsRecordsAndEveryReportComes() async throws {
        let partition = TopicPartition(try await TestCluster.kafka.makeTopic("aborted"), 0)
        try await runBlocking(named: "test-owner") {
            let owner = try Owner(id: uniqueName("id"))
            try owner.producer?.initializeTransactions()
            try owner.serve(events: 1)
            try owner.producer?.beginTransaction()
            for index in 0..<1_000 { _ = owner.enqueue(partition.topic, "\(index)") }
            try owner.producer?.abortTransaction()
            try owner.serve(events: 2)
            #expect(owner.events == [.initialized, .aborted])
            #expect(owner.delivered + owner.failed == 1_000)
        }
        #expect(try await readCommitted(partition.topic).isEmpty)
    }

    @Test(arguments: [TransactionCall.begin, .commit, .initialize])
    func droppedProducerEndsCleanly(after call: TransactionCall) async throws {
        let partition = TopicPartition(try await TestCluster.kafka.makeTopic("dropped"), 0)
        let id = uniqueName("id")
        let client = try await runBlocking(named: "test-owner") { () -> Weak in
            let owner = try Owner(id: id)
            try owner.producer?.initializeTransactions()
            if call != .initialize {
                try owner.serve(events: 1)
                try owner.producer?.beginTransaction()
                for index in 0..<1_000 { _ = owner.enqueue(partition.topic, "\(index)") }
                if call == .commit { try owner.producer?.commitTransaction() }
            }
            let client = Weak(owner.producer?.client)
            let start = ContinuousClock.now
            owner.producer = nil
            #expect(ContinuousClock.now - start < .seconds(1), "dropping it does not block")
            return client
        }
        try await eventually { client.isGone }
        let expected = call == .commit ? 1_000 : 0
        #expect(try await readCommitted(partition.topic).count == expected, "and nothing is left open")
    }

    /// Whether a client still lives.
    private final class Weak: @unchecked Sendable {
        private weak var client: ClientHandle?
        init(_ client: ClientHandle?) { self.client = client }
        var isGone: Bool { client == nil }
    }
}

@Suite(.timeLimit(.minutes(10))) struct TailReaderTests {
    @Test(arguments: TestCluster.available)
    func partitionsAreReadToTheirEndAndNoFurther(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic("tail", partitions: 3)
        let producer = try KafkaProducer(cluster.configuration)
        for partition: Int32 in 0..<2 {
            try await producer.send(
                contentsOf: (0..<500).map {
                    KafkaMessage(topic: topic, partition: partition, value: Array("\($0)".utf8))
                })
        }
        await producer.shutdown()
        let properties = try cluster.configuration.librdkafkaProperties(for: .tailReader(.readUncommitted))
        try await runBlocking(named: "test-tail") {
            let waker = try Waker()
            let reader = try TailReader(properties: properties, waker: waker)
            var offsets: [TopicPartition: [Int64]] = [:]
            var ends: [TopicPartition: Int64] = [:]
            func readAll() throws {
                try serve(waker, { reader.isEmpty }) {
                    reader.drain(limit: 100) { event in
                        switch event {
                        case .record(let record): offsets[record.topicPartition, default: []].append(record.offset)
                        case .end(let partition, let offset): ends[partition] = offset
                        case .failed: break
                        }
                    } > 0
                } until: {
                    reader.partitions.isEmpty
                }
            }
            let (first, second, empty) = (
                TopicPartition(topic, 0), TopicPartition(topic, 1), TopicPartition(topic, 2)
            )
            try reader.read(from: [first: 0, empty: 0])
            #expect(throws: KafkaError.self) { try reader.read(from: [first: 3]) }
            try reader.read(from: [second: 490])
            try readAll()
            #expect(offsets == [first: Array(0..<500), second: Array(490..<500)])
            #expect(ends == [first: 500, second: 500, empty: 0])
            offsets = [:]
            try reader.read(from: [first: 498])
            try readAll()
            #expect(offsets == [first: [498, 499]])
        }
    }

    @Test(.enabled(if: TestCluster.hasKafka, TestCluster.needsKafka))
    func deletedRecordsAreGoneAndTheRestIsRead() async throws {
        let topic = try await TestCluster.kafka.makeTopic("deleted")
        let partition = TopicPartition(topic, 0)
        let producer = try KafkaProducer(TestCluster.kafka.configuration)
        try await producer.send(
            contentsOf: (0..<10).map { KafkaMessage(topic: topic, partition: 0, value: Array("\($0)".utf8)) })
        await producer.shutdown()
        let admin = try KafkaAdmin(TestCluster.kafka.configuration)
        #expect(try await admin.deleteRecords(before: [partition: 7])[partition]?.get() == 7)
        let seen = try await readToEnd(partition, isolation: .readUncommitted)
        #expect(texts(seen.records) == ["7", "8", "9"])
        let results = try await admin.deleteRecords(before: [partition: 11])
        #expect(throws: KafkaError.self) { try results[partition]?.get() }
        #expect(try await admin.deleteRecords(before: [partition: nil])[partition]?.get() == 10)
        #expect(try await admin.watermarks(of: [partition])[partition]?.get() == Watermarks(low: 10, high: 10))
    }

    @Test func embeddedBrokerDeletesNoRecords() async throws {
        let admin = try KafkaAdmin(TestCluster.embeddedBroker.configuration)
        let error = try await #require(throws: KafkaError.self) {
            try await admin.deleteRecords(before: [TopicPartition("t", 0): 1])
        }
        #expect(error.code == .unsupportedByEmbeddedBroker)
    }
}
