// `troupe lag`: how far consumer groups are behind.

import Foundation
import KafkaClient

/// Shows the lag of consumer groups, by partition and in total.
struct LagCommand: Command {
    private static let group = Option("group", short: "g", .many("GROUP"), help: "this group only")
    private static let totals = Option("totals", help: "one line for each group instead of one for each partition")
    private static let watch = Option(
        "watch", short: "w", help: "show it again and again, with how it changes, until Ctrl-C")
    private static let interval = Option("interval", .one("TIME"), help: "with --watch, how often", default: "2s")

    static let spec = CommandSpec(
        "lag", summary: "Show how far consumer groups are behind, by partition and in total.",
        discussion: """
            LAG is the number of offsets between what a group has committed and the end of the partition. A partition
            that a member reads and nothing was committed of counts from its first record. The embedded broker cannot
            list its groups: there, the groups are those that the names of retry and dead-letter topics tell, and
            others are named with --group.

            With --watch it is one line for each group, redrawn in place on a terminal: HANDLED/S is how fast the group
            goes on, and BEHIND how long it would take to catch up with what there is at this pace. With --format=json
            each look is one line.
            """,
        options: [group, totals, watch, interval] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe lag", "every group, partition by partition"),
            Example("troupe lag --group=shipping --totals", "one figure for the service shipping"),
            Example("troupe lag --watch", "whether the services keep up, live"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let groups: [String]
    private let totalsOnly: Bool
    /// The time from one look to the next; `nil` for one look only.
    private let interval: Duration?

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        groups = input.strings(Self.group)
        totalsOnly = input.has(Self.totals)
        let interval = try input.duration(Self.interval)
        guard interval == nil || input.has(Self.watch) else { throw UsageError("--interval goes with --watch") }
        guard interval.map({ $0 >= .milliseconds(100) }) ?? true else {
            throw UsageError("Option --interval is less than 100ms")
        }
        self.interval = input.has(Self.watch) ? interval ?? .seconds(2) : nil
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let reader = try LagReader(cluster)
        guard let interval else {
            try show(try await reader.read(try await names(cluster, console)), console)
            return
        }
        let display = LiveDisplay(console)
        var last: LagLook?
        while true {
            let names = try await names(cluster, last == nil ? console : nil)
            let look = LagLook(
                time: Date(), groups: try await reader.read(names).filter { !$0.partitions.isEmpty }, after: last)
            switch format {
            case .json: console.data(try JSONText.line(look))
            case .table where console.isInteractive: display.update(look.lines(console.style), summary: "")
            case .table: for line in look.lines(console.style) { console.data(line) }
            }
            last = look
            try await Task.sleep(for: interval)
        }
    }

    /// The groups that were asked for, or all.
    private func names(_ cluster: Cluster, _ console: Console?) async throws -> [String] {
        if !groups.isEmpty { return Set(groups.map { cluster.brokerName(of: $0) }).sorted() }
        guard cluster.isEmbeddedBroker else {
            let names = try await KafkaAdmin(cluster.configuration).listGroups().map(\.group)
                .filter { $0.hasPrefix(cluster.namespace) }
            if names.isEmpty { console?.note("No consumer groups.") }
            return names
        }
        let names = LagReader.groupsOfTopics(try await cluster.topics().keys, namespace: cluster.namespace)
        if names.isEmpty {
            throw CommandFailure("The embedded broker cannot list groups. Name them with --group", code: .usage)
        }
        console?.note("The embedded broker cannot list groups; these have retry or dead-letter topics.")
        return names
    }

    private func show(_ lags: [GroupLag], _ console: Console) throws {
        let found = lags.filter { !$0.partitions.isEmpty || ($0.members ?? 0) > 0 }
        try console.show(LagReport(groups: found, totalsOnly: totalsOnly), as: format)
        let missing = lags.filter { !found.contains($0) }.map(\.group)
        if !groups.isEmpty, !missing.isEmpty {
            throw CommandFailure.notFound(
                "Nothing was ever committed by \(missing.map(\.printable).joined(separator: ", "))")
        }
    }
}
