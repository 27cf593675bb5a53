// Transactions on a real Kafka: all of it is seen, or nothing of it, whatever happens in between.

import KafkaClient
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite(.timeLimit(.minutes(10)), .enabled(if: TestCluster.hasKafka, TestCluster.needsKafka))
struct TransactionTests {
    private let cluster = TestCluster.kafka

    private func makeProducer(_ id: String) throws -> KafkaProducer {
        var configuration = try cluster.configuration
        configuration.transactionalID = id
        return try KafkaProducer(configuration)
    }

    /// A member's standing that any offsets can be committed with while the group has no members.
    private func standing(in group: String, _ partition: TopicPartition) async throws -> GroupMetadata {
        let consumer = try KafkaConsumer(cluster.configuration, .partitions([partition: .latest], group: group))
        let metadata = try await consumer.groupMetadata()
        await consumer.close()
        return metadata
    }

    private func message(_ topic: String, _ text: String) -> KafkaMessage {
        KafkaMessage(topic: topic, partition: 0, value: Array(text.utf8))
    }

    @Test func commitMakesRecordsAndOffsetsVisibleAtOnce() async throws {
        let topic = try await cluster.makeTopic("commit")
        let input = TopicPartition(try await cluster.makeTopic("input"), 0)
        let group = uniqueName("group")
        let offset = CommittedOffset(input, offset: 7, metadata: "noted")
        let metadata = try await standing(in: group, input)
        let admin = try KafkaAdmin(cluster.configuration)
        let producer = try makeProducer(uniqueName("id"))
        let result = try await producer.withTransaction { transaction in
            for text in ["a", "b", "c"] { try await transaction.send(message(topic, text)) }
            try await transaction.sendOffsets([offset], of: metadata)
            let seen = try await readToEnd(TopicPartition(topic, 0), isolation: .readCommitted)
            #expect(seen.records.isEmpty && seen.end == 0)
            // The end is told as readers of committed records see it.
            let marks = try await admin.watermarks(of: [TopicPartition(topic, 0)])[TopicPartition(topic, 0)]
            #expect(try marks?.get() == Watermarks(low: 0, high: 0))
            #expect(try await readToEnd(TopicPartition(topic, 0), isolation: .readUncommitted).records.count == 3)
            #expect(try await admin.committedOffsets(ofGroup: group, partitions: [input]).isEmpty)
            let unstable = try await #require(throws: KafkaError.self) {
                try await admin.committedOffsets(
                    ofGroup: group, partitions: [input], requireStable: true, within: .seconds(3))
            }
            #expect(unstable.code == .unstableOffsetCommit)
            #expect(unstable.isRetriable)
            return "done"
        }
        #expect(result == "done")
        #expect(texts(try await readCommitted(topic)) == ["a", "b", "c"])
        let committed = try await admin.committedOffsets(ofGroup: group, partitions: [input], requireStable: true)
        #expect(committed == [input: offset])
        await producer.shutdown()
    }

    @Test func abortLeavesNothingAndTheEarlierOffsets() async throws {
        struct Trouble: Error {}
        let partition = TopicPartition(try await cluster.makeTopic("abort"), 0)
        let group = uniqueName("group")
        let metadata = try await standing(in: group, partition)
        let producer = try makeProducer(uniqueName("id"))
        let earlier = CommittedOffset(partition, offset: 1, metadata: "earlier")
        try await producer.withTransaction { transaction in
            try await transaction.send(message(partition.topic, "kept"))
            try await transaction.sendOffsets([earlier], of: metadata)
        }
        await #expect(throws: Trouble.self) {
            try await producer.withTransaction { transaction in
                try await transaction.send(message(partition.topic, "taken back"))
                let later = CommittedOffset(partition, offset: 2, metadata: "later")
                try await transaction.sendOffsets([later], of: metadata)
                throw Trouble()
            }
        }
        #expect(texts(try await readCommitted(partition.topic)) == ["kept"])
        #expect(texts(try await readToEnd(partition, isolation: .readUncommitted).records) == ["kept", "taken back"])
        let admin = try KafkaAdmin(cluster.configuration)
        let committed = try await admin.committedOffsets(ofGroup: group, partitions: [partition], requireStable: true)
        #expect(committed == [partition: earlier])
        try await producer.withTransaction { try await $0.send(message(partition.topic, "next")) }
        #expect(texts(try await readCommitted(partition.topic)) == ["kept", "next"])
        await producer.shutdown()
    }

    @Test func secondProducerWithTheSameIDShutsOutTheFirst() async throws {
        let topic = try await cluster.makeTopic("fence")
        let id = uniqueName("id")
        let first = try makeProducer(id)
        try await first.initializeTransactions()
        try first.beginTransaction()
        try await first.send(message(topic, "of the first"))
        let second = try makeProducer(id)
        try await second.withTransaction { try await $0.send(message(topic, "of the second")) }
        let fenced = try await #require(throws: TransactionError.self) { try await first.commitTransaction() }
        #expect(fenced.isFenced, "\(fenced)")
        #expect(fenced.error.mayBePersisted, "the answer to a commit was not seen")
        let again = try await #require(throws: TransactionError.self) {
            try await first.withTransaction { try await $0.send(message(topic, "never")) }
        }
        #expect(again.isFenced, "\(again)")
        #expect(throws: (any Error).self) { try first.tryEnqueue(message(topic, "never")) }
        await first.shutdown(within: .seconds(5))
        try await second.withTransaction { try await $0.send(message(topic, "again")) }
        await second.shutdown()
        #expect(texts(try await readCommitted(topic)) == ["of the second", "again"])
    }

    @Test func metadataHasRoomFor4096BytesAndOneMoreIsAbortable() async throws {
        let partition = TopicPartition(try await cluster.makeTopic("metadata"), 0)
        let group = uniqueName("group")
        let metadata = try await standing(in: group, partition)
        let producer = try makeProducer(uniqueName("id"))
        let fits = CommittedOffset(partition, offset: 3, metadata: String(repeating: "m", count: 4_096))
        try await producer.withTransaction { try await $0.sendOffsets([fits], of: metadata) }
        let tooLong = CommittedOffset(partition, offset: 4, metadata: String(repeating: "m", count: 4_097))
        let error = try await #require(throws: TransactionError.self) {
            try await producer.withTransaction { try await $0.sendOffsets([tooLong], of: metadata) }
        }
        guard case .abortable(let cause) = error else {
            Issue.record("not abortable: \(error)")
            return
        }
        #expect(cause.code == .offsetMetadataTooLarge)
        let admin = try KafkaAdmin(cluster.configuration)
        #expect(
            try await admin.committedOffsets(ofGroup: group, partitions: [partition], requireStable: true) == [
                partition: fits
            ])
        let next = CommittedOffset(partition, offset: 5)
        try await producer.withTransaction { try await $0.sendOffsets([next], of: metadata) }
        let committed = try await admin.committedOffsets(ofGroup: group, partitions: [partition], requireStable: true)
        #expect(committed == [partition: next])
        await producer.shutdown()
    }

    @Test func generationThatHasPassedIsAbortableAndTheProducerGoesOn() async throws {
        let topic = try await cluster.makeTopic("generation", partitions: 2)
        let group = uniqueName("group")
        let producer = try makeProducer(uniqueName("id"))
        let first = try KafkaConsumer(cluster.configuration, .topics([topic], group: group))
        try await eventually { first.assignment.count == 2 }
        let stale = try await first.groupMetadata()
        let second = try KafkaConsumer(cluster.configuration, .topics([topic], group: group))
        try await eventually { first.assignment.count == 1 && second.assignment.count == 1 }
        let owned = try #require(first.assignment.first)
        let error = try await #require(throws: TransactionError.self) {
            try await producer.withTransaction { transaction in
                try await transaction.send(message(topic, "taken back"))
                try await transaction.sendOffsets([CommittedOffset(owned, offset: 1)], of: stale)
            }
        }
        guard case .abortable(let cause) = error else {
            Issue.record("not abortable: \(error)")
            return
        }
        #expect(cause.code == .illegalGeneration)
        let fresh = try await first.groupMetadata()
        try await producer.withTransaction { try await $0.sendOffsets([CommittedOffset(owned, offset: 2)], of: fresh) }
        #expect(try await first.committed([owned]).values.map(\.offset) == [2])
        await second.close()
        await first.close()
        #expect(try await readCommitted(topic).isEmpty)
        await producer.shutdown()
    }

    @Test func killedProcessLeavesNothingVisible() async throws {
        let topic = try await cluster.makeTopic("killed")
        let partition = TopicPartition(topic, 0)
        let id = uniqueName("id")
        await #expect(processExitsWith: .signal(SIGKILL)) { [topic = topic as String, id = id as String] in
            var configuration = try TestCluster.kafka.configuration
            configuration.transactionalID = id
            let producer = try KafkaProducer(configuration)
            try await producer.initializeTransactions()
            try producer.beginTransaction()
            for index in 0..<100 {
                try await producer.send(KafkaMessage(topic: topic, partition: 0, value: Array("\(index)".utf8)))
            }
            kill(getpid(), SIGKILL)
        }
        #expect(try await readToEnd(partition, isolation: .readUncommitted).records.count == 100)
        let open = try await readToEnd(partition, isolation: .readCommitted)
        #expect(open.records.isEmpty && open.end == 0)
        // A successor ends it at once rather than after transaction.timeout.ms.
        let successor = try makeProducer(id)
        try await successor.withTransaction { try await $0.send(message(topic, "of the successor")) }
        #expect(texts(try await readCommitted(topic)) == ["of the successor"])
        await successor.shutdown()
    }

    @Test func shutdownAbortsATransactionThatIsOpen() async throws {
        let partition = TopicPartition(try await cluster.makeTopic("shutdown"), 0)
        let producer = try makeProducer(uniqueName("id"))
        try await producer.initializeTransactions()
        try producer.beginTransaction()
        try await producer.send(message(partition.topic, "never seen"))
        await producer.shutdown(within: .seconds(20))
        let start = ContinuousClock.now
        #expect(try await readCommitted(partition.topic).isEmpty)
        #expect(ContinuousClock.now - start < .seconds(10), "it is aborted: nobody waits for its time-out")
        let error = try #require(throws: KafkaError.self) { try producer.beginTransaction() }
        #expect(error.code == .closed)
    }

    @Test func cancelledTaskStillLearnsTheOutcome() async throws {
        let partition = TopicPartition(try await cluster.makeTopic("cancelled"), 0)
        let producer = try makeProducer(uniqueName("id"))
        let task = Task {
            try await producer.withTransaction { transaction in
                try await transaction.enqueue(message(partition.topic, "kept"))
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        try await task.value
        #expect(texts(try await readCommitted(partition.topic)) == ["kept"])
        await producer.shutdown()
    }

    @Test func transactionsDoNotNest() async throws {
        let topic = try await cluster.makeTopic("nested")
        let producer = try makeProducer(uniqueName("id"))
        try await producer.withTransaction { transaction in
            let error = try await #require(throws: KafkaError.self) {
                try await producer.withTransaction { _ in }
            }
            #expect(error.code == .invalidState)
            try await transaction.send(message(topic, "kept"))
        }
        #expect(texts(try await readCommitted(topic)) == ["kept"])
        let outside = try await #require(throws: KafkaError.self) { try await producer.send(message(topic, "outside")) }
        #expect(outside.code == .invalidState)
        await producer.shutdown()
    }
}

/// Where there are no transactions, nothing looks as if there were.
@Suite(.timeLimit(.minutes(10))) struct TransactionRefusalTests {
    @Test func embeddedBrokerRefusesThemAtOnce() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        var configuration = broker.configuration
        configuration.transactionalID = "id"
        let known = try #require(throws: KafkaError.self) { try KafkaProducer(configuration) }
        #expect(known.code == .unsupportedByEmbeddedBroker)
        configuration.isEmbeddedBroker = nil
        let producer = try KafkaProducer(configuration)
        let found = try await #require(throws: TransactionError.self) {
            try await producer.withTransaction { try await $0.send(KafkaMessage(topic: "t", value: [1])) }
        }
        guard case .fatal(let cause) = found else {
            Issue.record("not fatal: \(found)")
            return
        }
        #expect(cause.code == .unsupportedByEmbeddedBroker)
        await producer.shutdown(within: .seconds(5))
    }

    @Test func producerWithoutAnIDHasNone() async throws {
        let producer = try KafkaProducer(TestCluster.embeddedBroker.configuration)
        let error = try await #require(throws: KafkaError.self) { try await producer.withTransaction { _ in } }
        #expect(error.code == .invalidState)
        await producer.shutdown()
    }

    @Test func unreachableBrokerIsRetriableAndDoesNotKeepAShutdown() async throws {
        var configuration = KafkaConfiguration(bootstrapServers: "127.0.0.1:1")
        configuration.transactionalID = "id"
        let producer = try KafkaProducer(configuration)
        // The client must have seen that no broker is there before its time is up.
        var code: KafkaError.Code?
        for limit in [Duration.milliseconds(200), .seconds(2), .seconds(20)] where code != .allBrokersDown {
            let error = try await #require(throws: TransactionError.self) {
                try await producer.initializeTransactions(within: limit)
            }
            guard case .retriable(let cause) = error else {
                Issue.record("not retriable: \(error)")
                return
            }
            code = cause.code
        }
        #expect(code == .allBrokersDown)
        let waiting = Task { try await producer.initializeTransactions() }
        await Task.yield()
        await producer.shutdown(within: .seconds(10))
        await #expect(throws: (any Error).self) { try await waiting.value }
    }
}
