// A corner of a cluster for one test: a real Kafka's where the environment names one, else an embedded broker.

import Foundation
import KafkaClient

/// A namespace with topics that no other test has.
struct TestCorner: Sendable {
    private static let kafkaServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""

    let namespace = "web-\(String(UInt64.random(in: 0 ... .max), radix: 36))."
    let configuration: KafkaConfiguration
    /// The broker; `nil` on a real Kafka.
    let broker: EmbeddedBroker?

    /// Whether a real Kafka is named.
    static var isKafka: Bool { !kafkaServers.isEmpty }

    /// Makes topics, each with a number of partitions.
    init(topics: [String: Int] = [:], onEmbeddedBroker isEmbedded: Bool = !TestCorner.isKafka) async throws {
        let namespace = namespace
        let named = topics.map { (name: namespace + $0.key, partitions: $0.value) }
        guard !isEmbedded else {
            let broker = try EmbeddedBroker(
                topics: Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.partitions) }))
            self.broker = broker
            configuration = broker.configuration
            return
        }
        broker = nil
        var configuration = KafkaConfiguration(bootstrapServers: Self.kafkaServers)
        configuration.isEmbeddedBroker = false
        self.configuration = configuration
        let admin = try KafkaAdmin(configuration)
        for topic in named {
            try await admin.createTopic(NewTopic(topic.name, partitions: topic.partitions))
        }
    }
}
