// The lag of consumer groups, by partition and in total.

import KafkaClient

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
