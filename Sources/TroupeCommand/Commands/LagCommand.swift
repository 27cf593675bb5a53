// `troupe lag`: how far consumer groups are behind.

import KafkaClient
import Troupe

/// Shows the lag of consumer groups, by partition and in total.
struct LagCommand: Command {
    private static let group = Option("group", short: "g", .many("GROUP"), help: "this group only")
    private static let totals = Option("totals", help: "one line for each group instead of one for each partition")

    static let spec = CommandSpec(
        "lag", summary: "Show how far consumer groups are behind, by partition and in total.",
        discussion: """
            LAG is the number of offsets between what a group has committed and the end of the partition. A partition
            that a member reads and nothing was committed of counts from its first record. The embedded broker cannot
            list its groups: there, the groups are those that the names of retry and dead-letter topics tell, and
            others are named with --group.
            """,
        options: [group, totals] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe lag", "every group, partition by partition"),
            Example("troupe lag --group=shipping --totals", "one figure for the service shipping"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let groups: [String]
    private let totalsOnly: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        groups = input.strings(Self.group)
        totalsOnly = input.has(Self.totals)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let reader = try LagReader(cluster)
        let names: [String]
        if !groups.isEmpty {
            names = Set(groups.map { cluster.brokerName(of: $0) }).sorted()
        } else if cluster.isEmbeddedBroker {
            names = LagReader.groupsOfTopics(try await cluster.topics().keys, namespace: cluster.namespace)
            if names.isEmpty {
                throw CommandFailure("The embedded broker cannot list groups. Name them with --group", code: .usage)
            }
            console.note("The embedded broker cannot list groups; these have retry or dead-letter topics.")
        } else {
            names = try await KafkaAdmin(cluster.configuration).listGroups().map(\.group)
                .filter { $0.hasPrefix(cluster.namespace) }
            if names.isEmpty { console.note("No consumer groups.") }
        }
        let lags = try await reader.read(names)
        let found = lags.filter { !$0.partitions.isEmpty || ($0.members ?? 0) > 0 }
        try console.show(LagReport(groups: found, totalsOnly: totalsOnly), as: format)
        let missing = lags.filter { !found.contains($0) }.map(\.group)
        if !groups.isEmpty, !missing.isEmpty {
            throw CommandFailure.notFound(
                "Nothing was ever committed by \(missing.map(\.printable).joined(separator: ", "))")
        }
    }
}

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

/// How far a group is behind in one partition.
struct PartitionRow: Encodable, Sendable, Equatable {
    let topic: String
    let partition: Int32
    /// The offset of the next record to be handled; `nil` when nothing was committed.
    let committed: Int64?
    let end: Int64
    let lag: Int64

    init(_ place: TopicPartition, committed: Int64?, _ watermarks: Watermarks) {
        topic = place.topic
        partition = place.partition
        self.committed = committed
        end = watermarks.high
        lag = max(0, watermarks.high - max(committed ?? 0, watermarks.low))
    }

    var place: TopicPartition { TopicPartition(topic, partition) }
}

/// How far a group is behind.
struct GroupLag: Encodable, Sendable, Equatable {
    let group: String
    /// How many members the group has; `nil` where the broker does not tell.
    let members: Int?
    let partitions: [PartitionRow]

    var total: Int64 { partitions.reduce(0) { $0 + $1.lag } }

    enum CodingKeys: CodingKey { case group, members, partitions, total }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(group, forKey: .group)
        try container.encodeIfPresent(members, forKey: .members)
        try container.encode(partitions, forKey: .partitions)
        try container.encode(total, forKey: .total)
    }
}

/// The lag of groups.
struct LagReport: Report {
    let groups: [GroupLag]
    let totalsOnly: Bool

    func encode(to encoder: any Encoder) throws { try groups.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        guard !groups.isEmpty else { return [] }
        return totalsOnly ? totals(style) : partitions(style)
    }

    private func totals(_ style: Style) -> [String] {
        var table = Table("GROUP", ">MEMBERS", ">PARTITIONS", ">LAG")
        for group in groups {
            table.add([
                group.group, group.members.map(String.init) ?? "?", String(group.partitions.count), String(group.total),
            ])
        }
        return table.lines(style)
    }

    private func partitions(_ style: Style) -> [String] {
        var table = Table("GROUP", "TOPIC", ">PARTITION", ">COMMITTED", ">END", ">LAG")
        for group in groups {
            for row in group.partitions {
                table.add([
                    group.group, row.topic, String(row.partition), row.committed.map(String.init) ?? "-",
                    String(row.end), String(row.lag),
                ])
            }
            table.add([group.group, "total", "", "", "", String(group.total)])
        }
        return table.lines(style)
    }
}
