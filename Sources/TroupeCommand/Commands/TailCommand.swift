// `troupe tail`: the events of topics, decoded, and those that come.

import KafkaClient

/// Shows the events of topics.
struct TailCommand: Command {
    private static let follow = Option("follow", short: "f", help: "go on with the events that come, until Ctrl-C")
    private static let fromBeginning = Option("from-beginning", help: "show all events that are kept")
    private static let last = Option(
        "last", short: "n", .one("N"), help: "show the last N events that match", default: "10")
    private static let limit = Option("limit", .one("N"), help: "end after N events")
    private static let key = Option("key", short: "k", .one("KEY"), help: "events with this key only")
    private static let type = Option("type", short: "t", .one("TYPE"), help: "events of this type only")
    private static let correlationID = Option(
        "correlation-id", short: "c", .one("ID"), help: "events of this flow only")
    private static let headers = Option("headers", short: "H", help: "show every header")
    private static let payload = Option(
        "payload", .one("FORM"), help: "form of the payload in the table: line, pretty, hex or none", default: "line")

    static let spec = CommandSpec(
        "tail", summary: "Show the events of topics: envelope, headers, payload; follow those that come.",
        discussion: """
            It reads without a consumer group, so that nobody's offsets move. The last events are shown in the order of
            their times; otherwise only the events of one partition are sure to be in order. With --format=json each
            event is one line.
            """,
        arguments: [Argument("TOPIC", help: "the topics to read", repeats: true)],
        options: [follow, fromBeginning, last, limit, key, type, correlationID, headers, payload] + KafkaOptions.all
            + [OutputFormat.option],
        examples: [
            Example("troupe tail orders", "the last 10 events of the topic orders"),
            Example("troupe tail orders payments --follow --key=order-00042", "what happens to one order, live"),
            Example(
                "troupe tail orders --from-beginning --format=json | jq .payload.total", "every payload, for a program"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let names: [String]
    private let follows: Bool
    /// `nil` for all.
    private let count: Int?
    private let limit: Int
    private let filter: EventFilter
    private let showsHeaders: Bool
    private let payload: EventView.PayloadForm

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        names = input.arguments
        follows = input.has(Self.follow)
        let last = try input.integer(Self.last)
        guard last == nil || !input.has(Self.fromBeginning) else {
            throw UsageError("--last and --from-beginning exclude each other")
        }
        count = input.has(Self.fromBeginning) ? nil : last ?? 10
        limit = try input.integer(Self.limit, in: 1...Int.max) ?? .max
        filter = EventFilter(
            key: input.string(Self.key), type: input.string(Self.type), correlationID: input.string(Self.correlationID))
        showsHeaders = input.has(Self.headers)
        payload = try input.choice(Self.payload) ?? .line
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        var partitions: Set<TopicPartition> = []
        for name in names { partitions.formUnion(try await cluster.topic(named: name).topicPartitions) }
        let ends = try await cluster.watermarks(of: Array(partitions))
        let reader = TopicReader(cluster)
        let printer = EventPrinter(limit: limit) { try show($0, console) }
        if let count {
            let last = LastEvents(count: count)
            try await reader.read(ends.mapValues { range($0, count) }) { record in
                last.take(EventView(record), if: filter)
                return .goOn
            }
            for event in last.all where try printer.print(event) == .stop { return }
        } else {
            try await reader.read(ends.mapValues { $0.low..<$0.high }) { record in
                let event = EventView(record)
                return filter.matches(event) ? try printer.print(event) : .goOn
            }
        }
        guard follows, !printer.isDone else { return }
        try await follow(ends.mapValues { $0.high..<endless }, cluster, printer)
    }

    /// Shows what comes, also in partitions that are added meanwhile, until there were enough events or it is cancelled.
    private func follow(
        _ ranges: [TopicPartition: Range<Int64>], _ cluster: Cluster, _ printer: EventPrinter
    ) async throws {
        let reader = TopicReader(cluster)
        let show: @Sendable (KafkaRecord) throws -> TopicReader.Next = { record in
            let event = EventView(record)
            return filter.matches(event) ? try printer.print(event) : .goOn
        }
        let names = Set(names.map { cluster.brokerName(of: $0) })
        try await withThrowingTaskGroup(of: [TopicPartition: Range<Int64>].self) { group in
            var read = Set(ranges.keys)
            group.addTask {
                try await reader.read(ranges, each: show)
                return [:]
            }
            group.addTask { [read] in try await added(to: read, of: names, cluster) }
            while let new = try await group.next() {
                if new.isEmpty { break }
                read.formUnion(new.keys)
                group.addTask {
                    try await reader.read(new, each: show)
                    return [:]
                }
                group.addTask { [read] in try await added(to: read, of: names, cluster) }
            }
            group.cancelAll()
        }
    }

    /// Waits for partitions that topics did not have.
    ///
    /// They are read from their beginning: whatever is in them came since.
    private func added(
        to known: Set<TopicPartition>, of names: Set<String>, _ cluster: Cluster
    ) async throws -> [TopicPartition: Range<Int64>] {
        while true {
            try await Task.sleep(for: .seconds(2))
            // A broker that does not answer now is asked again: those who read will say if it stays away.
            guard let topics = try? await cluster.topics() else { continue }
            let new = topics.filter { names.contains($0.key) }.flatMap(\.value.topicPartitions)
                .filter { !known.contains($0) }
            if !new.isEmpty { return Dictionary(uniqueKeysWithValues: new.map { ($0, 0..<endless) }) }
        }
    }

    /// What has to be read for the last `count` events: with a filter, nobody knows where they are.
    private func range(_ ends: Watermarks, _ count: Int) -> Range<Int64> {
        guard count > 0 else { return ends.high..<ends.high }
        return filter.isEmpty ? max(ends.low, ends.high - Int64(count))..<ends.high : ends.low..<ends.high
    }

    private func show(_ event: EventView, _ console: Console) throws {
        switch format {
        case .json: console.data(try JSONText.line(event))
        case .table:
            let lines = event.lines(console.style, headers: showsHeaders, payload: payload)
            console.data(lines.joined(separator: "\n"))
        }
    }
}
