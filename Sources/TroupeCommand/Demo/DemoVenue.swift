// Where the demo plays: an embedded broker, or a corner of a real Kafka.

import DemoEvents
import Foundation
import KafkaClient
import Troupe

/// The cluster the demo uses, with its topics.
struct DemoVenue: Sendable {
    private static let inputTopics = [
        OrderPlaced.topic, StockReserved.topic, PaymentTaken.topic, ParcelDispatched.topic,
    ]

    private let broker: EmbeddedBroker?
    let cluster: Cluster

    /// Starts an embedded broker, or makes the demo's topics on the Kafka that is named.
    init(bootstrapServers: String?) async throws {
        guard let bootstrapServers else {
            let topics = Self.inputTopics.map { ($0.rawValue, EmbeddedBroker.defaultPartitions) }
            let broker = try EmbeddedBroker(topics: Dictionary(uniqueKeysWithValues: topics))
            self.broker = broker
            cluster = Cluster(broker.configuration)
            return
        }
        broker = nil
        var configuration = try KafkaConfiguration(environment: ProcessInfo.processInfo.environment)
        configuration.bootstrapServers = bootstrapServers
        configuration = try await configuration.answered()
        // A prefix that no other run has: the demo touches nothing but its own topics and groups.
        let run = String(UInt64(Date().timeIntervalSince1970 * 1_000), radix: 36)
        let namespace = "troupe-demo-\(run)."
        cluster = Cluster(configuration, namespace: namespace)
        let admin = try KafkaAdmin(configuration)
        for topic in Self.inputTopics {
            do {
                try await admin.createTopic(
                    NewTopic(namespace + topic.rawValue, partitions: EmbeddedBroker.defaultPartitions))
            } catch let error as KafkaError where error.code == .topicAlreadyExists {}
        }
    }

    /// What the place is, in words.
    var description: String {
        broker != nil
            ? "an embedded broker at \(cluster.configuration.bootstrapServers), in memory, not for production"
            : "Kafka at \(cluster.configuration.bootstrapServers), topics \(cluster.namespace)*"
    }

    /// The options by which the tool's commands find the place.
    var options: [String] {
        ["--bootstrap-servers=\(cluster.configuration.bootstrapServers)"]
            + (cluster.namespace.isEmpty ? [] : ["--namespace=\(cluster.namespace)"])
    }

    /// What the services are told.
    func environment(_ traffic: Traffic, rate: Int) -> [String: String] {
        var environment = [
            "KAFKA_BOOTSTRAP_SERVERS": cluster.configuration.bootstrapServers, "TROUPE_NAMESPACE": cluster.namespace,
            "DEMO_ORDERS": String(traffic.count), "DEMO_SEED": String(traffic.seed), "DEMO_RATE": String(rate),
        ]
        if !cluster.isEmbeddedBroker {
            // A killed member is missed after the least time Kafka allows by default, not after 45 seconds.
            environment["KAFKA_PROPERTY_SESSION_TIMEOUT_MS"] = "6000"
            environment["KAFKA_PROPERTY_HEARTBEAT_INTERVAL_MS"] = "1500"
        }
        return environment
    }

    /// What a visitor may try while everything runs.
    func invitation(directory: String, page: String) -> String {
        let options = options.joined(separator: " ")
        // As this process was called, so that the lines can be copied: the tool need not be on the path.
        let troupe = CommandLine.arguments.first ?? "troupe"
        return """

            Everything is still running, until Ctrl-C. Files and logs are in \(directory).
            In a browser: \(page). From another terminal:
              \(troupe) flow list --store=\(directory)/flows.sqlite
              \(troupe) services list \(options)
              \(troupe) graph \(options)
              \(troupe) dlt list \(options)
              \(troupe) dlt list --each \(options)
              \(troupe) topics list \(options)
              \(troupe) tail \(cluster.namespace)orders \(options)
            """
    }

    /// Deletes the topics the demo made on a real Kafka.
    ///
    /// Does not fail: the demo is over.
    func close() async {
        guard broker == nil, !cluster.namespace.isEmpty else { return }
        // In a task of its own: it has to be done also when this one is cancelled.
        let cluster = cluster
        await Task.detached {
            guard let topics = try? await cluster.topics() else { return }
            _ = try? await KafkaAdmin(cluster.configuration).deleteTopics(Array(topics.keys))
        }.value
    }
}
