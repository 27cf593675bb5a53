// Records come whole, in order and once; only a fatal error ends the stream; the group is kept and left in order.

import KafkaClient
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct KafkaConsumerTests {
    private func produce(
        _ count: Int, to topic: String, on cluster: TestCluster, partition: Int32? = 0, from first: Int = 0
    ) async throws {
        let producer = try KafkaProducer(cluster.configuration)
        try await producer.send(
            contentsOf: (first..<first + count).map {
                KafkaMessage(topic: topic, partition: partition, value: Array("\($0)".utf8))
            })
        await producer.shutdown()
    }

    private func read(_ count: Int, from consumer: KafkaConsumer) async throws -> [KafkaRecord] {
        var records: [KafkaRecord] = []
        guard count > 0 else { return [] }
        for try await record in consumer.records {
            records.append(record)
            if records.count == count { break }
        }
        return records
    }

    private func fromTheStart(_ topic: String, partitions: Int32 = 1) -> ConsumerSubscription {
        .partitions(
            Dictionary(uniqueKeysWithValues: (0..<partitions).map { (TopicPartition(topic, $0), .earliest) }))
    }

    /// The Swift peer ends the process at a tombstone.
    @Test(arguments: TestCluster.available)
    func tombstonesEmptyValuesAndHeadersComeAsTheyWereSent(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(cluster.configuration)
        let headers = [
            KafkaHeader("a", "1"), KafkaHeader("a", "2"), KafkaHeader("null", bytes: nil),
            KafkaHeader("empty", bytes: []), KafkaHeader("bytes", bytes: [0, 255, 10]),
        ]
        try await producer.send(contentsOf: [
            KafkaMessage(topic: topic, key: [1, 0, 2], value: nil, headers: headers, timestamp: 1_700_000_000_123),
            KafkaMessage(topic: topic, key: [], value: []),
            KafkaMessage(topic: topic, key: nil, value: [0]),
        ])
        await producer.shutdown()
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic))
        let records = try await read(3, from: consumer)
        #expect(records.map(\.offset) == [0, 1, 2])
        #expect(records[0].isTombstone)
        #expect(records[0].value == nil)
        #expect(records[0].key.map { Array($0) } == [1, 0, 2])
        #expect(records[0].headers == headers)
        #expect(records[0].timestamp == KafkaTimestamp(milliseconds: 1_700_000_000_123))
        #expect(records[1].value?.isEmpty == true)
        #expect(records[1].key?.isEmpty == true)
        #expect(!records[1].isTombstone)
        #expect(records[2].key == nil)
        await consumer.close()
    }

    @Test(arguments: TestCluster.available)
    func manyRecordsComeOnceAndInOrder(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic(partitions: 3)
        for partition: Int32 in 0..<3 { try await produce(4_000, to: topic, on: cluster, partition: partition) }
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic, partitions: 3))
        var next = [Int64](repeating: 0, count: 3)
        for try await batch in consumer.batches {
            #expect(!batch.isEmpty)
            for record in batch {
                #expect(record.offset == next[Int(record.partition)])
                next[Int(record.partition)] = record.offset + 1
            }
            if next.reduce(0, +) == 12_000 { break }
        }
        #expect(next == [4_000, 4_000, 4_000])
        await consumer.close()
        #expect(try await read(1, from: consumer).isEmpty, "a closed consumer's sequence is at its end")
    }

    @Test(arguments: TestCluster.available)
    func loopThatIsLeftLosesNothing(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        try await produce(100, to: topic, on: cluster)
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic))
        var offsets: [Int64] = []
        for _ in 0..<20 { offsets += try await read(5, from: consumer).map(\.offset) }
        #expect(offsets == Array(0..<100))
        await consumer.close()
    }

    @Test(arguments: TestCluster.available)
    func acknowledgedRecordsAreNotReadAgain(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        let group = uniqueName("group")
        try await produce(10, to: topic, on: cluster)
        let first = try KafkaConsumer(cluster.configuration, .topics([topic], group: group))
        for record in try await read(4, from: first) { first.acknowledge(record) }
        await first.close()
        let second = try KafkaConsumer(cluster.configuration, .topics([topic], group: group))
        #expect(try await read(6, from: second).map(\.offset) == Array(4..<10))
        #expect(second.assignment == [TopicPartition(topic, 0)])
        await second.close()
        #expect(second.assignment.isEmpty)
    }

    @Test(arguments: TestCluster.available)
    func commitCarriesMetadataAndIsMeasured(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        let partition = TopicPartition(topic, 0)
        try await produce(10, to: topic, on: cluster)
        let consumer = try KafkaConsumer(
            cluster.configuration, .topics([topic], group: uniqueName("group")))
        _ = try await read(10, from: consumer)
        #expect(try await consumer.committed(within: .seconds(60)).isEmpty)
        let offset = CommittedOffset(partition, offset: 7, metadata: "seven")
        try await consumer.commit([offset])
        #expect(try await consumer.committed(within: .seconds(60)) == [partition: offset])
        #expect(try await consumer.watermarks(within: .seconds(60))[partition]?.get() == Watermarks(low: 0, high: 10))
        #expect(try await consumer.lag(within: .seconds(60)).map(\.lag) == [3])
        await #expect(throws: KafkaError.self) { try await consumer.commit([CommittedOffset(partition, offset: -5)]) }
        await consumer.close()
    }

    @Test(arguments: TestCluster.available)
    func seekGoesBackAndForth(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        let partition = TopicPartition(topic, 0)
        try await produce(50, to: topic, on: cluster)
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic))
        var offsets: [Int64] = []
        for try await record in consumer.records {
            offsets.append(record.offset)
            if offsets.count == 3 { try await consumer.seek([partition: .offset(40)]) }
            if offsets.count == 5 { try await consumer.seek([partition: .earliest]) }
            if offsets.count == 7 { break }
        }
        #expect(offsets == [0, 1, 2, 40, 41, 0, 1])
        let error = try await #require(throws: KafkaError.self) {
            try await consumer.seek([TopicPartition(topic, 9): .earliest])
        }
        #expect(error.topic == topic || error.reason.contains("Seeking"))
        await consumer.close()
    }

    /// librdkafka forgets a partition of a topic it does not know yet when the partition is given up.
    @Test(arguments: TestCluster.available)
    func partitionsThatAreAssignedAgainBeforeTheirTopicIsKnownAreRead(cluster: TestCluster) async throws {
        let topics = try await [cluster.makeTopic(), cluster.makeTopic()]
        for topic in topics { try await produce(10, to: topic, on: cluster) }
        let starts = Dictionary(uniqueKeysWithValues: topics.map { (TopicPartition($0, 0), StartingPoint.earliest) })
        for _ in 0..<5 {
            let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topics[0]))
            try await consumer.assign(starts)
            let records = try await read(20, from: consumer)
            for topic in topics {
                #expect(records.filter { $0.topic == topic }.map(\.offset) == Array(0..<10))
            }
            await consumer.close()
        }
    }

    @Test(arguments: TestCluster.available)
    func pausedPartitionWaitsAndLosesNothing(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic(partitions: 2)
        try await produce(200, to: topic, on: cluster, partition: 0)
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic, partitions: 2))
        let paused = TopicPartition(topic, 0)
        var offsets: [Int32: [Int64]] = [0: [], 1: []]
        for try await record in consumer.records {
            offsets[record.partition, default: []].append(record.offset)
            if offsets[0]?.count == 10, offsets[1]?.isEmpty == true {
                consumer.pause([paused])
                try await produce(50, to: topic, on: cluster, partition: 1)
            }
            if offsets[1]?.count == 50 { break }
        }
        #expect(offsets[0] == Array(0..<10), "nothing of the paused partition")
        #expect(offsets[1] == Array(0..<50))
        consumer.resume([paused])
        #expect(try await read(190, from: consumer).map(\.offset) == Array(10..<200))
        await consumer.close()
    }

    /// The Swift peer's subscription ends.
    @Test(arguments: TestCluster.available)
    func missingTopicDoesNotEndTheStream(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic()
        try await produce(3, to: topic, on: cluster)
        let consumer = try KafkaConsumer(
            cluster.configuration, .topics([topic, uniqueName("missing")], group: uniqueName("group")))
        #expect(try await read(3, from: consumer).map(\.offset) == [0, 1, 2])
        try await produce(2, to: topic, on: cluster, from: 3)
        #expect(try await read(2, from: consumer).map(\.offset) == [3, 4])
        await consumer.close()
    }

    @Test func brokerThatGoesAwayDoesNotEndTheStream() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        let consumer = try KafkaConsumer(broker.configuration, fromTheStart("t"))
        try await producer.send(KafkaMessage(topic: "t", value: [1]))
        #expect(try await read(1, from: consumer).count == 1)
        try broker.takeDown()
        let receipt = try producer.tryEnqueue(KafkaMessage(topic: "t", value: [2]))
        var wentDown = false
        for await notice in consumer.notices {
            if case .error = notice { wentDown = true }
            if wentDown { break }
        }
        try broker.bringUp()
        _ = try await receipt.delivery()
        #expect(try await read(1, from: consumer).map(\.offset) == [1])
        await consumer.close()
        await producer.shutdown()
    }

    @Test(.timeLimit(.minutes(5)), arguments: TestCluster.available)
    func rebalanceWaitsForItsHandler(cluster: TestCluster) async throws {
        let topic = try await cluster.makeTopic(partitions: 2)
        let group = uniqueName("group")
        for partition: Int32 in 0..<2 { try await produce(5, to: topic, on: cluster, partition: partition) }
        let seen = Mutex<[Rebalance]>([])
        // No commit but the one before giving up: on the embedded broker one that meets a joining member loses the
        // partitions (confluentinc/librdkafka#4059).
        let first = try KafkaConsumer(
            cluster.configuration, .topics([topic], group: group), acknowledgementInterval: .seconds(600)
        ) { event in
            seen.withLock { $0.append(event) }
        }
        for record in try await read(10, from: first) { first.acknowledge(record) }
        let both = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        #expect(seen.withLock { $0.first } == .assigned(both))

        let second = try KafkaConsumer(cluster.configuration, .topics([topic], group: group))
        // The second member gets a partition only after the first has given it up.
        for partition: Int32 in 0..<2 { try await produce(1, to: topic, on: cluster, partition: partition, from: 5) }
        async let firsts = read(1, from: first)
        let seconds = try await read(1, from: second)
        #expect(try await firsts.map(\.offset) == [5])
        // The embedded broker refuses commits of a member while another joins, so there records may come again.
        if cluster == .kafka {
            #expect(seconds.map(\.offset) == [5], "what was acknowledged was committed before it was given up")
        }
        // The rebalance may still be under way: each ends with one partition.
        while first.assignment.count != 1 || second.assignment.count != 1 {
            try await Task.sleep(for: .milliseconds(5))
        }
        let revoked = seen.withLock { events in
            events.contains { if case .revoked(let partitions) = $0 { !partitions.isEmpty } else { false } }
        }
        #expect(revoked)
        await second.close()
        await first.close()
    }

    /// In the Swift peer an actor-isolated loop costs an executor hop for each record.
    @Test func loopRunsWhereItsCallerRuns() async throws {
        let cluster = TestCluster.embeddedBroker
        let topic = try await cluster.makeTopic()
        try await produce(1_000, to: topic, on: cluster)
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic))
        let count = try await countOnMainActor(consumer)
        #expect(count == 1_000)
        await consumer.close()
    }

    @MainActor private func countOnMainActor(_ consumer: KafkaConsumer) async throws -> Int {
        var count = 0
        for try await _ in consumer.records {
            MainActor.assertIsolated()
            count += 1
            if count == 1_000 { break }
        }
        return count
    }

    @Test func unreadRecordsAreBounded() async throws {
        let cluster = TestCluster.embeddedBroker
        let topic = try await cluster.makeTopic()
        try await produce(10_000, to: topic, on: cluster)
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic))
        var iterator = consumer.batches.makeAsyncIterator()
        var count = 0
        var next: Int64 = 0
        while count < 10_000, let batch = try await iterator.next() {
            #expect(batch.count <= 2_048)
            #expect(batch.first?.offset == next)
            count += batch.count
            next = (batch.last?.offset ?? next) + 1
        }
        #expect(count == 10_000)
        await consumer.close()
    }

    @Test func cancelledLoopEndsAndTheConsumerGoesOn() async throws {
        let cluster = TestCluster.embeddedBroker
        let topic = try await cluster.makeTopic()
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic))
        let task = Task { try await read(1, from: consumer) }
        task.cancel()
        #expect(try await task.value.isEmpty)
        try await produce(1, to: topic, on: cluster)
        #expect(try await read(1, from: consumer).count == 1)
        await consumer.close()
        await consumer.close()
    }

    @Test func misuseIsAnError() async throws {
        let configuration = try TestCluster.embeddedBroker.configuration
        #expect(throws: KafkaError.self) { try KafkaConsumer(configuration, .topics([], group: "g")) }
        #expect(throws: KafkaError.self) { try KafkaConsumer(configuration, .topics(["t"], group: "")) }
        #expect(throws: KafkaError.self) { try KafkaConsumer(configuration, .topics(["a b"], group: "g")) }
        #expect(throws: KafkaError.self) {
            try KafkaConsumer(configuration, .partitions([TopicPartition("t", -1): .earliest]))
        }
        let topic = try await TestCluster.embeddedBroker.makeTopic()
        let consumer = try KafkaConsumer(configuration, fromTheStart(topic))
        await #expect(throws: KafkaError.self) { try await consumer.committed() }
        await #expect(throws: KafkaError.self) {
            try await consumer.commit([CommittedOffset(TopicPartition(topic, 0), offset: 1)])
        }
        await consumer.close()
        let closed = try await #require(throws: KafkaError.self) {
            try await consumer.seek([TopicPartition(topic, 0): .earliest])
        }
        #expect(closed.code == .closed)
        await #expect(throws: KafkaError.self) { try await consumer.watermarks() }
    }

    @Test func consumerOfAnUnreachableClusterCanBeClosed() async throws {
        let consumer = try KafkaConsumer(
            KafkaConfiguration(bootstrapServers: "127.0.0.1:1"), .topics(["t"], group: "g"))
        await consumer.close(within: .seconds(1))
        await #expect(throws: KafkaError.self) { try await consumer.watermarks() }
    }

    @Test func statisticsTellTheLag() async throws {
        let cluster = TestCluster.embeddedBroker
        let topic = try await cluster.makeTopic()
        try await produce(20, to: topic, on: cluster)
        var configuration = try cluster.configuration
        configuration.statisticsInterval = .milliseconds(50)
        let consumer = try KafkaConsumer(configuration, .topics([topic], group: uniqueName("group")))
        for record in try await read(5, from: consumer) { consumer.acknowledge(record) }
        var found: KafkaStatistics.Partition?
        for await notice in consumer.notices {
            guard case .statistics(let statistics) = notice else { continue }
            found = statistics.partitions[TopicPartition(topic, 0)]
            if found?.committedOffset == 5, found?.highWatermark == 20 { break }
        }
        #expect(found?.highWatermark == 20)
        await consumer.close()
    }

    @Test(.enabled(if: TestCluster.hasKafka, TestCluster.needsKafka))
    func offsetsAreFoundByTime() async throws {
        let cluster = TestCluster.kafka
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(cluster.configuration)
        try await producer.send(
            contentsOf: (0..<10).map {
                KafkaMessage(topic: topic, value: [1], timestamp: 1_700_000_000_000 + Int64($0) * 1_000)
            })
        await producer.shutdown()
        let consumer = try KafkaConsumer(cluster.configuration, fromTheStart(topic))
        let partition = TopicPartition(topic, 0)
        #expect(try await consumer.offsets(forTimes: [partition: 1_700_000_003_500])[partition]?.get() == 4)
        #expect(try await consumer.offsets(forTimes: [partition: 1_800_000_000_000])[partition]?.get() == -1)
        await consumer.close()
    }
}
