// Topics and configuration on a real Kafka; on the embedded broker a clear refusal at once.

import KafkaClient
import Testing

@Suite(.timeLimit(.minutes(10))) struct KafkaAdminTests {
    @Test(arguments: TestCluster.available)
    func clusterIsDescribed(cluster: TestCluster) async throws {
        let description = try await KafkaAdmin(cluster.configuration).describeCluster()
        #expect(!description.id.isEmpty)
        #expect(description.brokers.count >= 1)
        #expect(description.brokers.first?.port ?? 0 > 0)
    }

    @Test(arguments: TestCluster.available)
    func topicThatDoesNotExistIsNotMadeByAsking(cluster: TestCluster) async throws {
        let admin = try KafkaAdmin(cluster.configuration)
        let name = uniqueName("missing")
        for _ in 1...2 {
            let result = try #require(try await admin.describeTopics([name])[name])
            #expect(throws: KafkaError.self) { try result.get() }
        }
        #expect(try await admin.describeTopics()[name] == nil)
    }

    @Test(arguments: TestCluster.available)
    func topicWithTheDefaultOfPartitionsIsCreatedEverywhere(cluster: TestCluster) async throws {
        let admin = try KafkaAdmin(cluster.configuration)
        let name = uniqueName("created")
        try await admin.createTopic(NewTopic(name, partitions: EmbeddedBroker.defaultPartitions))
        #expect(try await admin.describeTopics([name])[name]?.get().partitions.count == 4)
        let again = try await #require(throws: KafkaError.self) {
            try await admin.createTopic(NewTopic(name, partitions: EmbeddedBroker.defaultPartitions))
        }
        #expect(again.code == .topicAlreadyExists)
        #expect(again.topic == name)
    }

    @Test func whatTheEmbeddedBrokerCannotDoFailsAtOnce() async throws {
        let admin = try KafkaAdmin(TestCluster.embeddedBroker.configuration)
        let partition = TopicPartition("t", 0)
        let refused: [@Sendable () async throws -> Void] = [
            { _ = try await admin.createTopic(NewTopic(uniqueName("t"), partitions: 7)) },
            { _ = try await admin.deleteTopics(["t"]) },
            { _ = try await admin.addPartitions(["t": 9]) },
            { _ = try await admin.describeConfigurations(ofTopics: ["t"]) },
            { _ = try await admin.alterConfiguration(ofTopic: "t", setting: [:]) },
            { _ = try await admin.listGroups() },
            { _ = try await admin.describeGroups(["g"]) },
            { _ = try await admin.deleteGroups(["g"]) },
            { _ = try await admin.deleteOffsets(ofGroup: "g", for: [partition]) },
            { _ = try await admin.offsets(forTimes: [partition: 0]) },
        ]
        for call in refused {
            let error = try await #require(throws: KafkaError.self) { try await call() }
            // A request that waits for its time-out ends with another code.
            #expect(error.code == .unsupportedByEmbeddedBroker)
        }
    }

    @Test func unreachableClusterTimesOutWithItsCause() async throws {
        var configuration = KafkaConfiguration(bootstrapServers: "127.0.0.1:1")
        configuration.isEmbeddedBroker = false
        let admin = try KafkaAdmin(configuration)
        let error = try await #require(throws: KafkaError.self) {
            try await admin.listGroups(within: .milliseconds(500))
        }
        #expect(error.isRetriable)
    }

    @Test func cancelledRequestEndsAtOnce() async throws {
        var configuration = KafkaConfiguration(bootstrapServers: "127.0.0.1:1")
        configuration.isEmbeddedBroker = false
        let admin = try KafkaAdmin(configuration)
        let task = Task { try await admin.listGroups(within: .seconds(60)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func misuseIsAnErrorPerItem() async throws {
        let admin = try KafkaAdmin(TestCluster.embeddedBroker.configuration)
        let results = try await admin.createTopics([NewTopic("not a name"), NewTopic(uniqueName("good"))])
        #expect(results.count == 2)
        #expect(results.values.filter { (try? $0.get()) != nil }.count == 1)
        await #expect(throws: KafkaError.self) { try await admin.committedOffsets(ofGroup: "") }
    }

    @Test(.enabled(if: TestCluster.hasKafka, TestCluster.needsKafka))
    func topicIsCreatedAlteredAndDeleted() async throws {
        let admin = try KafkaAdmin(TestCluster.kafka.configuration)
        let name = uniqueName("life")
        let results = try await admin.createTopics([
            NewTopic(name, partitions: 3, replicationFactor: 1, configuration: ["retention.ms": "1000"]),
            NewTopic(uniqueName("bad"), partitions: 1, configuration: ["no.such.setting": "1"]),
        ])
        try results[name]?.get()
        #expect(results.values.filter { (try? $0.get()) == nil }.count == 1)

        #expect(try await admin.describeTopics([name])[name]?.get().partitions.count == 3)
        try await admin.addPartitions([name: 5])[name]?.get()

        try await admin.alterConfiguration(ofTopic: name, setting: ["max.message.bytes": "2000"])
        let entries = try #require(try await admin.describeConfigurations(ofTopics: [name])[name]).get()
        #expect(entries["max.message.bytes"]?.value == "2000")
        #expect(entries["max.message.bytes"]?.source == .topic)
        #expect(entries["retention.ms"]?.value == "1000", "what was set before is kept")
        try await admin.alterConfiguration(ofTopic: name, setting: [:], resetting: ["retention.ms"])
        let reset = try #require(try await admin.describeConfigurations(ofTopics: [name])[name]).get()
        #expect(reset["retention.ms"]?.source == .kafkaDefault)
        #expect(reset["max.message.bytes"]?.source == .topic)

        try await admin.deleteTopics([name])[name]?.get()
        let again = try #require(try await admin.deleteTopics([name])[name])
        #expect(throws: KafkaError.self) { try again.get() }
    }
}
