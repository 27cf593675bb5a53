// Reads the topic of declarations and heartbeats.

import KafkaClient
import Troupe
import TroupeFlow

/// The topic `troupe.services` of a cluster.
struct RegistryTopic: Sendable {
    private let cluster: Cluster

    init(_ cluster: Cluster) { self.cluster = cluster }

    /// Reads the topic to its end.
    func read() async throws -> ServiceRegistry {
        var registry = ServiceRegistry()
        let topics = SystemTopics(namespace: cluster.namespace)
        guard let description = try await cluster.topics()[topics.services] else { return registry }
        let watermarks = try await cluster.watermarks(of: description.topicPartitions)
        let records = Collected<KafkaRecord>()
        try await TopicReader(cluster).read(watermarks.mapValues { $0.low..<$0.high }) { record in
            records.append(record)
            return .goOn
        }
        // A key's records are in one partition: their order is that of their offsets.
        for record in records.all { registry.take(record, topics) }
        return registry
    }

    /// The declarations that hold now.
    ///
    /// - Throws: `CommandFailure` with the code for "not found" when there are none.
    func declarations() async throws -> [ServiceDeclaration] {
        try Self.known(try await read().declarations(at: nowInMilliseconds()), namespace: cluster.namespace)
    }

    /// The declarations, when there are any.
    ///
    /// - Throws: `CommandFailure` with the code for "not found" when there are none.
    static func known(_ declarations: [ServiceDeclaration], namespace: String) throws -> [ServiceDeclaration] {
        guard declarations.isEmpty else { return declarations }
        let topic = SystemTopics(namespace: namespace).services
        throw CommandFailure.notFound(
            "No service has declared itself on the topic \(topic.printable). Services do when they run with tracking"
                + (namespace.isEmpty ? "; with a namespace, give --namespace" : ""))
    }
}
