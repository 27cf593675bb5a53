// The flows a gateway remembers: bounded, the one without news for longest is forgotten first. No I/O.

import Troupe

/// What a gateway may remember.
public struct FlowMemory: Sendable, Hashable {
    /// The most flows.
    public var flows = 50_000
    /// The most events of one flow; of further ones only their number is known, and the one that ends it.
    public var eventsPerFlow = 100
    /// The most bytes of all events together, as they were on the topics.
    public var bytes = 64 << 20

    /// The usual bounds: about as many flows as begin in a minute at 1,000 a second.
    public init() {}
}

/// The flows a gateway remembers.
struct FlowTable {
    /// What an event was to the table.
    enum Change: Sendable, Hashable {
        /// Nothing: it was known already.
        case none
        /// Its flow went on.
        case progressed
        /// Its flow is over.
        case ended
    }

    private struct Entry {
        var events: [FlowEvent] = []
        var outcome: FlowEnding?
        var ending: FlowEvent?
        var omitted = 0
        var bytes = 0
        var version = 0
        /// How many requests care for the flow: it is not forgotten meanwhile.
        var holders = 0
        /// What tells the body it began with from others; `nil` when it did not begin here.
        var digest: Int?
        /// Whether anything at all is known of it, or somebody only expects it.
        var isKnown = false
        /// Whether it is known from its beginning; else its end may have been missed.
        var isWhole = false
        /// Whether its id was made here, for it alone: then it did not begin before.
        var isNew = false
        /// When the archive said last that it knows no end of it.
        var askedAt: ContinuousClock.Instant?
        /// When it had news last, as a number that grows.
        var stamp = 0
    }

    /// The bytes an event takes beside its own.
    private static let overhead = 400

    let memory: FlowMemory
    private var entries: [String: Entry] = [:]
    private var bytes = 0
    /// Which types of events end a flow.
    private(set) var endings: [String: FlowEnding] = [:]
    /// Flows in the order of their news, with outdated places among them.
    private var order: [(id: String, stamp: Int)] = []
    private var first = 0
    private var stamp = 0

    init(_ memory: FlowMemory = FlowMemory()) { self.memory = memory }

    /// How many flows are remembered.
    var count: Int { entries.count }
    /// The bytes of all their events.
    var byteCount: Int { bytes }
    /// How many places the order has, outdated ones among them.
    var placeCount: Int { order.count }

    /// Learns which types of events end a flow, in place of what was known; returns the flows of which that makes an end.
    ///
    /// Flows that are over stay so: who asked was told.
    mutating func learn(_ endings: [String: FlowEnding]) -> [String] {
        let new = endings.filter { self.endings[$0.key] != $0.value }
        self.endings = endings
        guard !new.isEmpty else { return [] }
        var ended: [String] = []
        for (id, entry) in entries where entry.outcome == nil {
            guard let event = entry.events.first(where: { new[$0.envelope.type.rawValue] != nil }) else { continue }
            entries[id]?.outcome = new[event.envelope.type.rawValue]
            entries[id]?.ending = event
            entries[id]?.version += 1
            ended.append(id)
        }
        return ended
    }

    /// Keeps a flow from being forgotten, and makes room for it when it is not there yet.
    mutating func hold(_ id: String) {
        touch(id)
        entries[id]?.holders += 1
    }

    /// Holds a flow for a request that starts it, or repeats the one that did.
    ///
    /// - Parameter digest: What tells the request's body from others; `nil` where there cannot be another request.
    /// - Returns: Whether it is held: not when it is known to have begun with another body.
    mutating func hold(_ id: String, digest: Int?) -> Bool {
        let known = entries[id]
        if let digest, let first = known?.digest, first != digest { return false }
        hold(id)
        // What was read before began elsewhere, with whatever body.
        if known?.events.isEmpty ?? true { entries[id]?.digest = digest }
        return true
    }

    /// Ends one `hold`; a flow of which nothing came is forgotten with the last of them.
    mutating func release(_ id: String) {
        guard var entry = entries[id] else { return }
        entry.holders = max(0, entry.holders - 1)
        if entry.holders == 0, !entry.isKnown {
            entries[id] = nil
        } else {
            entries[id] = entry
            shrink()
        }
    }

    /// Notes that a flow was started here, though no event of it may have been read yet.
    ///
    /// - Parameter isNew: Whether its id was made for it alone. One that follows from a key may have begun before.
    mutating func confirm(_ id: String, isNew: Bool) {
        touch(id)
        entries[id]?.isKnown = true
        entries[id]?.isWhole = true
        entries[id]?.isNew = isNew
    }

    /// Notes that the archive knows no end of a flow.
    mutating func noteAsked(_ id: String, at now: ContinuousClock.Instant) { entries[id]?.askedAt = now }

    /// Whether an event of a flow was read.
    func contains(event: String, of id: String) -> Bool {
        entries[id]?.events.contains { $0.envelope.id == event } ?? false
    }

    /// Takes an event that was read.
    mutating func add(_ event: FlowEvent) -> Change {
        guard let id = event.envelope.correlationID, !id.isEmpty else { return .none }
        touch(id)
        guard var entry = entries.removeValue(forKey: id) else { return .none }
        defer {
            entries[id] = entry
            shrink()
        }
        entry.isKnown = true
        // What nothing caused began the flow.
        if event.envelope.causationID?.isEmpty ?? true { entry.isWhole = true }
        // The same event published again has the same id, elsewhere on the topic.
        let isRepeated = entry.events.contains {
            $0.envelope.id == event.envelope.id && $0.envelope.source == event.envelope.source
        }
        guard !isRepeated else { return .none }
        entry.version += 1
        if entry.events.count < memory.eventsPerFlow {
            entry.events.append(event)
            let size = (event.data?.count ?? 0) + Self.overhead
            entry.bytes += size
            bytes += size
        } else {
            entry.omitted += 1
        }
        guard entry.outcome == nil, let outcome = endings[event.envelope.type.rawValue] else { return .progressed }
        entry.outcome = outcome
        entry.ending = event
        return .ended
    }

    /// What is known of a flow; `nil` when nothing is.
    func snapshot(_ id: String) -> FlowSnapshot? {
        guard let entry = entries[id], entry.isKnown else { return nil }
        var snapshot = FlowSnapshot(
            id: id, outcome: entry.outcome, ending: entry.ending, events: entry.events, omittedEvents: entry.omitted)
        snapshot.version = entry.version
        snapshot.isWhole = entry.isWhole
        snapshot.isNew = entry.isNew
        snapshot.askedAt = entry.askedAt
        return snapshot
    }

    /// Whether a flow is over.
    func isOver(_ id: String) -> Bool { entries[id]?.outcome != nil }

    /// Whether it can be said what became of a flow: it is known from its beginning, or its end is.
    func isTellable(_ id: String) -> Bool {
        guard let entry = entries[id] else { return false }
        return entry.isWhole || entry.outcome != nil
    }

    /// The number that grows with everything that happens to a flow; `nil` when it is neither known nor held.
    func version(_ id: String) -> Int? { entries[id]?.version }

    // MARK: Order

    private mutating func touch(_ id: String) {
        stamp += 1
        entries[id, default: Entry()].stamp = stamp
        order.append((id, stamp))
        if order.count > 2 * entries.count + 1024 {
            order = order[first...].filter { entries[$0.id]?.stamp == $0.stamp }
            first = 0
        }
    }

    /// Forgets flows until the rest is within the bounds, or all of it is held.
    private mutating func shrink() {
        let end = order.count
        while entries.count > memory.flows || bytes > memory.bytes, first < end {
            let (id, known) = order[first]
            first += 1
            guard let entry = entries[id], entry.stamp == known else { continue }
            if entry.holders > 0 {
                // It counts as having news, so that the next one to be forgotten is not looked for behind it again.
                stamp += 1
                entries[id]?.stamp = stamp
                order.append((id, stamp))
            } else {
                bytes -= entry.bytes
                entries[id] = nil
            }
        }
    }
}
