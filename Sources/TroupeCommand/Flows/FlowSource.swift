// Where the commands about flows get their store: a tracker's file, or one they make of the topics for themselves.

import Foundation
import KafkaClient
import SQLite
import Troupe
import TroupeFlow

/// The options by which a command about flows is told where the flows are.
struct FlowSource: Sendable {
    private static let storePath = Option(
        "store", short: "s", .one("PATH"), help: "read this flow store, which 'troupe track' keeps up to date",
        default: "read the topics now, into memory")

    /// The options, for a command's specification.
    static let options = [storePath] + KafkaOptions.all

    /// The paragraph of a command's help that explains them.
    static let discussion = """
        With --store the answer comes from the file that 'troupe track' writes, at once. Without it every topic that
        services declare is read from its beginning, without a consumer group: nobody's offsets move, and it takes as
        long as there are events.
        """

    private enum Place: Sendable {
        case file(String)
        case topics(KafkaOptions)
    }

    private let place: Place

    init(_ input: Input) throws {
        if let path = input.string(Self.storePath) {
            place = .file(path)
        } else {
            place = .topics(try KafkaOptions(input))
        }
    }

    /// A tracker's file.
    init(file path: String) { place = .file(path) }

    /// The topics themselves.
    init(topics options: KafkaOptions) { place = .topics(options) }

    /// A store with everything there is now.
    func open(_ console: Console) async throws -> FlowStore {
        switch place {
        case .file(let path):
            return try Self.existing(path)
        case .topics(let options):
            let store = try FlowStore(path: ":memory:")
            try await Self.tracker(store, try await options.connect(), console).catchUp()
            return store
        }
    }

    /// Calls `body` with a store that is kept up to date meanwhile.
    func follow(_ console: Console, _ body: @escaping @Sendable (FlowStore) async throws -> Void) async throws {
        switch place {
        case .file(let path): try await body(Self.existing(path))
        case .topics(let options):
            let store = try FlowStore(path: ":memory:")
            let tracker = Self.tracker(store, try await options.connect(), console)
            try await tracker.catchUp()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await tracker.follow() }
                group.addTask { try await body(store) }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    /// A tracker that says what cannot be read, because an answer without it is not the whole one.
    private static func tracker(_ store: FlowStore, _ cluster: Cluster, _ console: Console) -> FlowTracker {
        FlowTracker(store, kafka: cluster.configuration, namespace: cluster.namespace) { notice in
            if case .unreadable(let topic, let error) = notice { console.note(TrackCommand.unreadable(topic, error)) }
        }
    }

    private static func existing(_ path: String) throws -> FlowStore {
        guard FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure.notFound(
                "There is no flow store \(path.printable). 'troupe track --store=PATH' makes one.")
        }
        return try FlowStore(path: path, mode: .readOnly)
    }
}

extension FlowStore {
    /// The flow that was meant by its id, by the id of one of its events, or by its subject, the newest of that.
    func flow(named name: String, at now: Int64) throws -> FlowDetail {
        let id =
            try flow(ofEvent: name) ?? flows(FlowQuery(subject: name, limit: 1)).flows.first?.id
        if let flow = try flow(name, at: now) { return flow }
        if let id, let flow = try flow(id, at: now) { return flow }
        throw CommandFailure.notFound(
            "There is no flow \(name.printable): no flow or event has this id, and no flow has this subject.")
    }
}

/// The time, in milliseconds since 1970.
func nowInMilliseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
