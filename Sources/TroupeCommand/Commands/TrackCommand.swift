// `troupe track`: keeps a flow store up to date.

import Foundation
import KafkaClient
import Troupe
import TroupeFlow

/// Runs a tracker.
struct TrackCommand: Command {
    private static let storePath = Option(
        "store", short: "s", .one("PATH"), help: "the flow store, made when it is missing", default: "flows.sqlite")
    private static let rebuild = Option("rebuild", help: "begin with an empty store and read every topic again")
    private static let once = Option("once", help: "end when everything there is now was read")
    private static let keep = Option(
        "keep", .one("TIME"), help: "forget flows in which nothing happened for this long", default: "for ever")
    private static let maxSize = Option(
        "max-size", .one("MIB"), help: "forget the flows that lie still the longest above this size of the file",
        default: "no bound")

    static let spec = CommandSpec(
        "track", summary: "Keep a flow store up to date: read all event topics and what services tell.",
        discussion: """
            Of several trackers of one namespace one is active and the others stand by. How far was read is kept in the
            store, in the transaction that holds what was read: a tracker may be killed at any moment. Other commands, also
            while it runs, read the store with --store=PATH.
            """,
        options: [storePath, rebuild, once, keep, maxSize] + KafkaOptions.all,
        examples: [
            Example("troupe track --store=flows.sqlite", "until Ctrl-C"),
            Example("troupe track --rebuild --once", "build the store anew from the topics, and end"),
        ])

    private let kafka: KafkaOptions
    private let path: String
    private let rebuilds: Bool
    private let endsAtEnd: Bool
    private let retention: FlowRetention

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        path = input.string(Self.storePath) ?? "flows.sqlite"
        rebuilds = input.has(Self.rebuild)
        endsAtEnd = input.has(Self.once)
        retention = FlowRetention(
            age: try input.duration(Self.keep)?.milliseconds,
            bytes: try input.integer(Self.maxSize, in: 1...1_000_000_000).map { Int64($0) << 20 })
    }

    func run(_ console: Console) async throws {
        // Who runs it for good may start it before the brokers.
        let configuration = endsAtEnd ? try await kafka.connect().configuration : kafka.configuration
        let store = try FlowStore(path: path)
        if rebuilds { try store.clear() }
        let tracker = FlowTracker(
            store, kafka: configuration, namespace: kafka.namespace, retention: retention
        ) { notice in
            switch notice {
            case .joining: console.note("Joining the group of trackers.")
            case .standingBy: console.note("Standing by: another tracker is active.")
            case .active: console.note("Active: reading into \(path.printable).")
            case .caughtUp: console.note("Everything there was is in the store.")
            case .startedAnew(let partition): console.note(Self.startedAnew(partition))
            case .unreadable(let topic, let error): console.note(Self.unreadable(topic, error))
            case .refused(let error): console.note(Self.refused(error))
            }
        }
        if endsAtEnd { try await tracker.catchUp() } else { try await tracker.run() }
    }

    /// What is said of a partition that is read from its beginning again.
    static func startedAnew(_ partition: TopicPartition) -> String {
        "Warning: \(partition.topic.printable)/\(partition.partition) ends before what was read of it: its topic was "
            + "made anew, or the broker lost its end. It is read from its beginning."
    }

    /// What is said of a topic that cannot be read.
    static func unreadable(_ topic: String, _ error: KafkaError) -> String {
        "Warning: \(topic.printable) cannot be read; what it holds is missing: \(error.description.printable)"
    }

    /// What is said of brokers that do not let a tracker be one.
    static func refused(_ error: KafkaError) -> String {
        "Warning: the brokers do not let this tracker become active: \(error.description.printable)"
    }
}
