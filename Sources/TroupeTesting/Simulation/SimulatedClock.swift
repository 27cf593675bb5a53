// The simulation's clock: time passes when the test says so.

import Synchronization
import Troupe

/// A clock that stands still until it is set, with what is due at which time.
final class SimulatedClock: Sendable {
    /// What becomes due.
    enum Due: Sendable {
        /// The lane of this number goes on.
        case lane(Int)
        /// Somebody sleeps until then.
        case sleeper(Int)
    }

    fileprivate struct Timer {
        let due: Duration
        let event: Due
    }

    fileprivate struct State {
        var elapsed = Duration.zero
        /// By due time; what was added first comes first.
        var timers: [Timer] = []
        var nextSleeper = 0
        var sleepers: [Int: CheckedContinuation<Void, any Error>] = [:]
        var cancelled: Set<Int> = []
    }

    /// 2026-01-01T00:00:00Z, in milliseconds since 1970.
    static let start: Int64 = 1_767_225_600_000

    private let state = Mutex(State())

    /// How long the simulation has gone on.
    var elapsed: Duration { state.withLock { $0.elapsed } }

    /// Milliseconds since 1970.
    ///
    /// A part of a millisecond has not passed yet.
    var now: Int64 { Self.start + Int64(elapsed / .milliseconds(1)) }

    /// How long the simulation has gone on, in nanoseconds.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = elapsed.components
        return UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: attoseconds / 1_000_000_000)
    }

    /// The next time at which something is due.
    var nextDue: Duration? { state.withLock { $0.timers.first?.due } }

    /// Notes something that is due at a time since the start; what is past is due now.
    func add(_ event: Due, at due: Duration) { state.withLock { $0.add(event, at: due) } }

    /// Sets the clock forward.
    ///
    /// Returns what became due, in order; sleepers are woken already.
    func move(to time: Duration) -> [Int] {
        let (lanes, sleepers) = state.withLock { state in
            state.elapsed = max(state.elapsed, time)
            var lanes: [Int] = []
            var sleepers: [CheckedContinuation<Void, any Error>] = []
            while let timer = state.timers.first, timer.due <= state.elapsed {
                state.timers.removeFirst()
                switch timer.event {
                case .lane(let lane): lanes.append(lane)
                case .sleeper(let id):
                    if let sleeper = state.sleepers.removeValue(forKey: id) { sleepers.append(sleeper) }
                }
            }
            return (lanes, sleepers)
        }
        for sleeper in sleepers { sleeper.resume() }
        return lanes
    }

    /// Sleeps until the clock was set forward by `duration`; throws `CancellationError` when the task is cancelled.
    func sleep(for duration: Duration) async throws {
        let id = state.withLock { state in
            state.nextSleeper += 1
            return state.nextSleeper
        }
        HandlerRun.current?.clockSleepers.add(1, ordering: .relaxed)
        defer { HandlerRun.current?.clockSleepers.subtract(1, ordering: .relaxed) }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    state.sleepers[id] = continuation
                    state.add(.sleeper(id), at: state.elapsed + max(duration, .zero))
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> CheckedContinuation<Void, any Error>? in
                guard let sleeper = state.sleepers.removeValue(forKey: id) else {
                    state.cancelled.insert(id)
                    return nil
                }
                state.timers.removeAll { if case .sleeper(id) = $0.event { true } else { false } }
                return sleeper
            }
            sleeper?.resume(throwing: CancellationError())
        }
    }
}

extension SimulatedClock.State {
    fileprivate mutating func add(_ event: SimulatedClock.Due, at due: Duration) {
        let place = timers.lastIndex { $0.due <= due }.map { $0 + 1 } ?? 0
        timers.insert(SimulatedClock.Timer(due: due, event: event), at: place)
    }
}
