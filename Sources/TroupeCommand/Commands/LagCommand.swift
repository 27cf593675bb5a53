// `troupe lag`: how far consumer groups are behind.

import KafkaClient

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
