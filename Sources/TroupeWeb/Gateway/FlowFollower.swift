// Who waits for which flow, and the table of flows they wait on: one lock around both, so that no news is missed.

import Synchronization
import Troupe

/// The flows that a gateway follows, and who waits for news of them.
final class FlowFollower: Sendable {
    /// What a request waits for.
    enum Condition: Sendable, Hashable {
        /// It can be said what became of the flow.
        case tellable
        /// Something new has happened since this version.
        case newer(than: Int)
        /// The flow is over.
        case over

        fileprivate func isMet(by table: FlowTable, _ id: String) -> Bool {
            switch self {
            case .tellable: table.isTellable(id)
            case .newer(let version): table.version(id).map { $0 > version } ?? true
            case .over: table.isOver(id)
            }
        }
    }

    fileprivate struct Waiter {
        var number: Int
        var condition: Condition
        var deadline: ContinuousClock.Instant
        var continuation: UnsafeContinuation<Void, Never>
    }

    fileprivate struct State {
        var table: FlowTable
        var waiters: [String: [Waiter]] = [:]
        var next = 0
        /// Whoever waits is sent home: the gateway stops.
        var isEnding = false
    }

    private let state: Mutex<State>

    init(_ memory: FlowMemory) { state = Mutex(State(table: FlowTable(memory))) }

    /// How many requests wait.
    var waiterCount: Int { state.withLock { $0.waiters.values.reduce(0) { $0 + $1.count } } }
    /// How many flows are remembered.
    var flowCount: Int { state.withLock { $0.table.count } }

    func hold(_ id: String) { state.withLock { $0.table.hold(id) } }
    func hold(_ id: String, digest: Int?) -> Bool { state.withLock { $0.table.hold(id, digest: digest) } }
    func release(_ id: String) { state.withLock { $0.table.release(id) } }
    func confirm(_ id: String, isNew: Bool) { change(id) { $0.confirm(id, isNew: isNew) } }
    func noteAsked(_ id: String, at now: ContinuousClock.Instant) {
        state.withLock { $0.table.noteAsked(id, at: now) }
    }
    func snapshot(_ id: String) -> FlowSnapshot? { state.withLock { $0.table.snapshot(id) } }
    func contains(event: String, of id: String) -> Bool {
        state.withLock { $0.table.contains(event: event, of: id) }
    }

    /// Takes an event that was read, and wakes whom it concerns.
    func add(_ event: FlowEvent) {
        guard let id = event.envelope.correlationID else { return }
        change(id) { _ = $0.add(event) }
    }

    /// Which types of events end a flow.
    var endings: [String: FlowEnding] { state.withLock { $0.table.endings } }

    /// Learns which types of events end a flow, in place of what was known.
    func learn(_ endings: [String: FlowEnding]) {
        let woken = state.withLock { state in
            state.table.learn(endings).flatMap { state.takeMet($0) }
        }
        for continuation in woken { continuation.resume() }
    }

    private func change(_ id: String, _ body: (inout FlowTable) -> Void) {
        let woken = state.withLock { state in
            body(&state.table)
            return state.takeMet(id)
        }
        for continuation in woken { continuation.resume() }
    }

    /// Waits until a condition is met; at most until `deadline`, until the task is cancelled, or the gateway stops.
    func wait(for condition: Condition, of id: String, until deadline: ContinuousClock.Instant) async {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.isEnding || Task.isCancelled || condition.isMet(by: state.table, id) { return true }
                    state.waiters[id, default: []].append(
                        Waiter(number: number, condition: condition, deadline: deadline, continuation: continuation))
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { $0.take(number, of: id) }
            waiter?.resume()
        }
    }

    /// Sends those home whose time is up, and tells how many wait on.
    func expire(at now: ContinuousClock.Instant) {
        let expired = state.withLock { state -> [UnsafeContinuation<Void, Never>] in
            var expired: [UnsafeContinuation<Void, Never>] = []
            for (id, waiters) in state.waiters where waiters.contains(where: { $0.deadline <= now }) {
                expired += waiters.lazy.filter { $0.deadline <= now }.map(\.continuation)
                let rest = waiters.filter { $0.deadline > now }
                state.waiters[id] = rest.isEmpty ? nil : rest
            }
            return expired
        }
        for continuation in expired { continuation.resume() }
    }

    /// Sends everybody home, now and from now on.
    func end() {
        let waiting = state.withLock { state in
            state.isEnding = true
            defer { state.waiters = [:] }
            return state.waiters.values.flatMap { $0.map(\.continuation) }
        }
        for continuation in waiting { continuation.resume() }
    }
}

extension FlowFollower.State {
    /// Takes out those of a flow's waiters whose condition is met.
    fileprivate mutating func takeMet(_ id: String) -> [UnsafeContinuation<Void, Never>] {
        guard let waiting = waiters[id] else { return [] }
        let rest = waiting.filter { !$0.condition.isMet(by: table, id) }
        guard rest.count < waiting.count else { return [] }
        waiters[id] = rest.isEmpty ? nil : rest
        return waiting.filter { $0.condition.isMet(by: table, id) }.map(\.continuation)
    }

    fileprivate mutating func take(_ number: Int, of id: String) -> UnsafeContinuation<Void, Never>? {
        guard let index = waiters[id]?.firstIndex(where: { $0.number == number }) else { return nil }
        let waiter = waiters[id]?.remove(at: index)
        if waiters[id]?.isEmpty == true { waiters[id] = nil }
        return waiter?.continuation
    }
}
