// Asks the broker how far consumer groups are behind.

import KafkaClient
import Troupe

/// Asks the broker how far groups are behind.
struct LagReader: Sendable {
    private let cluster: Cluster
    private let admin: KafkaAdmin

    init(_ cluster: Cluster) throws {
        self.cluster = cluster
        admin = try KafkaAdmin(cluster.configuration)
    }

    /// The lag of each group, in the order of the names.
    func read(_ groups: [String]) async throws -> [GroupLag] {
        // The embedded broker does not describe groups: only what was committed is known there.
        let descriptions = cluster.isEmbeddedBroker ? [:] : try await admin.describeGroups(groups)
        var lags: [GroupLag] = []
        for group in groups {
            let description = try descriptions[group]?.get()
            let committed = try await admin.committedOffsets(ofGroup: group)
            let read = Set(description?.members.flatMap(\.partitions) ?? []).union(committed.keys)
            var partitions: [PartitionRow] = []
            for (place, ends) in try await cluster.ends(of: Array(read)) {
                // A topic that was deleted since has no end, and nobody is behind in it.
                if case .failure(let error) = ends, error.code == .unknownTopicOrPartition { continue }
                partitions.append(PartitionRow(place, committed: committed[place]?.offset, try ends.get()))
            }
            lags.append(
                GroupLag(
                    group: group, members: description?.members.count,
                    partitions: partitions.sorted { $0.place < $1.place }))
        }
        return lags
    }

    /// The groups that the names of retry and dead-letter topics tell: `<group>.<topic>.retry`.
    static func groupsOfTopics(_ topics: some Sequence<String>, namespace: String) -> [String] {
        let groups = topics.filter { $0.hasPrefix(namespace) && TopicPlan.Purpose(ofTopic: $0) != nil }
            .map { name in namespace + name.dropFirst(namespace.count).prefix { $0 != "." } }
        return Set(groups).sorted()
    }
}
