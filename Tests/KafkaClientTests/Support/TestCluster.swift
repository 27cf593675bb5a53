// The clusters tests run on: the embedded broker always, a real Kafka where the environment names one.

import Foundation
import KafkaClient
import Testing

/// A cluster to test against.
enum TestCluster: String, Sendable, Codable, CaseIterable, CustomTestStringConvertible {
    case embeddedBroker = "embedded broker"
    case kafka = "Kafka"

    /// Why tests that need a real Kafka are skipped.
    static let needsKafka: Comment = "needs a real Kafka: set KAFKA_BOOTSTRAP_SERVERS"

    private static let kafkaServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""
    private static let broker = Result { try EmbeddedBroker() }

    /// Whether a real Kafka is named.
    static var hasKafka: Bool { !kafkaServers.isEmpty }

    /// The clusters this run has.
    static var available: [TestCluster] { hasKafka ? [.embeddedBroker, .kafka] : [.embeddedBroker] }

    var testDescription: String { rawValue }

    /// A configuration for clients of the cluster.
    var configuration: KafkaConfiguration {
        get throws {
            switch self {
            case .embeddedBroker:
                var configuration = try Self.broker.get().configuration
                // A member that a busy machine holds up keeps its place. Each rebalance but a group's first takes 7 s.
                configuration.sessionTimeout = .seconds(8)
                return configuration
            case .kafka:
                var configuration = KafkaConfiguration(bootstrapServers: Self.kafkaServers)
                configuration.isEmbeddedBroker = false
                return configuration
            }
        }
    }

    /// Makes a topic of its own for a test and returns its name.
    func makeTopic(_ name: String = "topic", partitions: Int = 1) async throws -> String {
        let topic = uniqueName(name)
        switch self {
        case .embeddedBroker: try Self.broker.get().createTopic(topic, partitions: partitions)
        case .kafka:
            try await KafkaAdmin(configuration).createTopic(NewTopic(topic, partitions: partitions))
        }
        return topic
    }
}

/// A name that no other test uses.
func uniqueName(_ name: String) -> String {
    "\(name)-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
}
