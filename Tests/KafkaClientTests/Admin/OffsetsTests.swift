// Offsets of groups and partitions, set and read without a consumer.

import KafkaClient
import Testing

@Suite(.timeLimit(.minutes(10))) struct OffsetsTests {
    @Test(arguments: TestCluster.available)
    func offsetsOfAGroupAreSetReadAndMeasured(cluster: TestCluster) async throws {
        let admin = try KafkaAdmin(cluster.configuration)
        let topic = try await cluster.makeTopic("lag", partitions: 2)
        let group = uniqueName("group")
        let offset = CommittedOffset(TopicPartition(topic, 1), offset: 0, metadata: "noted")
        try await admin.alterOffsets(ofGroup: group, to: [offset])[offset.topicPartition]?.get()
        #expect(try await admin.committedOffsets(ofGroup: group) == [offset.topicPartition: offset])
        let lag = try await admin.lag(ofGroup: group)
        #expect(lag.map(\.topicPartition) == [offset.topicPartition])
        #expect(lag.map(\.lag) == [0])
        #expect(try await admin.committedOffsets(ofGroup: uniqueName("nobody")).isEmpty)
    }

    @Test(arguments: TestCluster.available)
    func missingPartitionSpoilsNoOther(cluster: TestCluster) async throws {
        let admin = try KafkaAdmin(cluster.configuration)
        let topic = try await cluster.makeTopic("ends", partitions: 1)
        let good = TopicPartition(topic, 0)
        let bad = TopicPartition(topic, 7)
        let ends = try await admin.watermarks(of: [good, bad], within: .seconds(20))
        #expect(try ends[good]?.get() == Watermarks(low: 0, high: 0))
        #expect(throws: KafkaError.self) { try ends[bad]?.get() }
    }

    /// A leader that was chosen a moment ago may not know it yet.
    @Test func aPartitionWhoseLeaderIsNotFoundYetIsAskedForAgain() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let admin = try KafkaAdmin(broker.configuration)
        let partition = TopicPartition("orders", 0)
        broker.failNext(.listOffsets, with: [.notLeader, .notLeader])
        let ends = try await admin.watermarks(of: [partition])
        #expect(try ends[partition]?.get() == Watermarks(low: 0, high: 0))
    }

    /// A client that is no consumer has no group to look the coordinator up for, and librdkafka follows the null pointer
    /// (librdkafka#5040).
    @Test func anAdminClientLivesThroughACoordinatorThatMoved() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let admin = try KafkaAdmin(broker.configuration)
        let partition = TopicPartition("orders", 0)
        broker.failNext(.offsetFetch, with: [.notCoordinator, .notCoordinator])
        #expect(try await admin.committedOffsets(ofGroup: "stock", partitions: [partition]).isEmpty)
    }

    /// A request that has timed out while its coordinator was away is dangerous when the coordinator is there again:
    /// librdkafka then touches what it has freed.
    @Test func anAdminClientLivesThroughACoordinatorThatWasAway() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let admin = try KafkaAdmin(broker.configuration)
        let partition = TopicPartition("orders", 0)
        func set(_ offset: Int64, within timeout: Duration) async throws {
            let offset = CommittedOffset(partition, offset: offset)
            try await admin.alterOffsets(ofGroup: "stock", to: [offset], within: timeout)[partition]?.get()
        }
        try await set(1, within: .seconds(120))
        try broker.takeDown()
        for offset: Int64 in 2...4 {
            await #expect(throws: KafkaError.self) { try await set(offset, within: .milliseconds(200)) }
        }
        let cancelled = Task { try await set(5, within: .seconds(120)) }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        try broker.bringUp()
        try await set(6, within: .seconds(120))
        let found = try await admin.committedOffsets(ofGroup: "stock", partitions: [partition])
        #expect(found[partition]?.offset == 6)
    }

    @Test(.enabled(if: TestCluster.hasKafka, TestCluster.needsKafka))
    func groupIsListedDescribedAndDeleted() async throws {
        let cluster = TestCluster.kafka
        let admin = try KafkaAdmin(cluster.configuration)
        let topic = try await cluster.makeTopic("groups")
        let group = uniqueName("group")
        let partition = TopicPartition(topic, 0)
        try await admin.alterOffsets(ofGroup: group, to: [CommittedOffset(partition, offset: 0)])[partition]?.get()
        #expect(try await admin.listGroups().contains { $0.group == group && $0.state == .empty })
        #expect(try await admin.describeGroups([group])[group]?.get().state == .empty)
        try await admin.deleteOffsets(ofGroup: group, for: [partition])[partition]?.get()
        #expect(try await admin.committedOffsets(ofGroup: group).isEmpty)
        try await admin.alterOffsets(ofGroup: group, to: [CommittedOffset(partition, offset: 0)])[partition]?.get()
        try await admin.deleteGroups([group])[group]?.get()
        #expect(try await admin.listGroups().contains { $0.group == group } == false)
    }
}
