// A corner of a cluster for one test: a real Kafka's where the environment names one, else an embedded broker.

import Foundation
import KafkaClient

/// A namespace with topics that no other test has.
struct TestCorner: Sendable {
    private static let kafkaServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""

    let namespace = "flow-\(String(UInt64.random(in: 0 ... .max), radix: 36))."
    let configuration: KafkaConfiguration
    private let broker: EmbeddedBroker?

    /// Makes topics, each with a number of partitions.
    init(topics: [String: Int] = [:]) async throws {
        let namespace = namespace
        let named = topics.map { (name: namespace + $0.key, partitions: $0.value) }
        guard !Self.kafkaServers.isEmpty else {
            let broker = try EmbeddedBroker(
                topics: Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.partitions) }))
            self.broker = broker
            var configuration = broker.configuration
            // A member that a busy machine holds up keeps its place. Each rebalance but a group's first takes 7 s.
            configuration.sessionTimeout = .seconds(8)
            self.configuration = configuration
            return
        }
        broker = nil
        var configuration = KafkaConfiguration(bootstrapServers: Self.kafkaServers)
        configuration.isEmbeddedBroker = false
        self.configuration = configuration
        let admin = try KafkaAdmin(configuration)
        for topic in named {
            // What tests write is of 1970, which Kafka would delete.
            try await admin.createTopic(
                NewTopic(topic.name, partitions: topic.partitions, configuration: ["retention.ms": "-1"]))
        }
    }
}
