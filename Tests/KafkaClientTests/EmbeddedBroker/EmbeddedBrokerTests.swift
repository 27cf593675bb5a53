// The embedded broker is known by its cluster id and can be made to fail.

import KafkaClient
import Testing

@Suite(.timeLimit(.minutes(10))) struct EmbeddedBrokerTests {
    @Test(arguments: TestCluster.available)
    func clusterIsRecognised(cluster: TestCluster) async throws {
        var configuration = try cluster.configuration
        configuration.isEmbeddedBroker = nil
        let detected = try await configuration.detectingEmbeddedBroker()
        #expect(detected.isEmbeddedBroker == (cluster == .embeddedBroker))
    }

    @Test func unreachableClusterIsAnErrorThatSaysSo() async throws {
        let configuration = KafkaConfiguration(bootstrapServers: "127.0.0.1:1")
        let error = try await #require(throws: KafkaError.self) {
            try await configuration.detectingEmbeddedBroker(within: .milliseconds(300))
        }
        #expect(error.isRetriable)
        #expect(error.description.contains("127.0.0.1:1") || error.description.contains("No broker answered"))
    }

    @Test func topicsHaveTheChosenPartitions() async throws {
        let broker = try EmbeddedBroker(brokers: 2, topics: ["orders": 7])
        try broker.createTopic("payments", partitions: 3)
        let topics = try await KafkaAdmin(broker.configuration).describeTopics()
        #expect(try topics["orders"]?.get().partitions.count == 7)
        #expect(try topics["payments"]?.get().partitions.count == 3)
        #expect(try await KafkaAdmin(broker.configuration).describeCluster().brokers.map(\.id) == [1, 2])
    }

    @Test func misuseIsAnError() throws {
        #expect(throws: KafkaError.self) { try EmbeddedBroker(brokers: 0) }
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        #expect(throws: KafkaError.self) { try broker.createTopic("orders") }
        #expect(throws: KafkaError.self) { try broker.createTopic("no spaces please") }
        #expect(throws: KafkaError.self) { try broker.createTopic("many", partitions: 0) }
        #expect(throws: KafkaError.self) { try broker.takeDown(broker: 9) }
        #expect(throws: KafkaError.self) { try broker.setRoundTripTime(.zero, onBroker: 9) }
        #expect(throws: KafkaError.self) { try broker.setLeader(of: TopicPartition("orders", 5), to: 1) }
    }
}
