// A value that is given once, from any thread, and awaited.

import Synchronization

/// A value that is given once and awaited once or more often.
///
/// It can be resolved from any thread. Awaiting ends at the latest with the awaiting task's cancellation.
package final class Promise<Value: Sendable>: Sendable {
    private typealias Waiter = UnsafeContinuation<Value, any Error>

    private enum State {
        case pending
        case awaited(Waiters)
        case resolved(Result<Value, any Error>)
    }

    /// Who waits, by number; a waiter that was cancelled before it could register is remembered until it does.
    private struct Waiters {
        var waiting: [Int: Waiter] = [:]
        var cancelled: Set<Int> = []
        var next = 0
    }

    private let state = Mutex<State>(.pending)

    /// Creates a promise without a value.
    package init() {}

    /// Gives the value; later calls have no effect.
    package func resolve(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state -> [Int: Waiter] in
            defer { if case .resolved = state {} else { state = .resolved(result) } }
            guard case .awaited(let waiters) = state else { return [:] }
            return waiters.waiting
        }
        for waiter in waiting.values { waiter.resume(with: result) }
    }

    /// The value, as soon as it is given.
    ///
    /// It runs where its caller runs, and does not suspend when it is there.
    package nonisolated(nonsending) func value() async throws -> Value {
        let (resolved, id) = state.withLock { state -> (Result<Value, any Error>?, Int) in
            var waiters = Waiters()
            switch state {
            case .resolved(let result): return (result, 0)
            case .awaited(let known): waiters = known
            case .pending: break
            }
            waiters.next += 1
            state = .awaited(waiters)
            return (nil, waiters.next)
        }
        if let resolved { return try resolved.get() }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { register($0, id) }
        } onCancel: {
            cancel(id)
        }
    }

    private func register(_ waiter: Waiter, _ id: Int) {
        let result = state.withLock { state -> Result<Value, any Error>? in
            switch state {
            case .resolved(let result): return result
            case .pending: return .failure(CancellationError())  // Not reached: value() has left .pending.
            case .awaited(var waiters):
                if waiters.cancelled.remove(id) == nil { waiters.waiting[id] = waiter }
                let isCancelled = waiters.waiting[id] == nil
                state = .awaited(waiters)
                return isCancelled ? .failure(CancellationError()) : nil
            }
        }
        if let result { waiter.resume(with: result) }
    }

    private func cancel(_ id: Int) {
        let waiter = state.withLock { state -> Waiter? in
            guard case .awaited(var waiters) = state else { return nil }
            let waiter = waiters.waiting.removeValue(forKey: id)
            if waiter == nil { waiters.cancelled.insert(id) }
            state = .awaited(waiters)
            return waiter
        }
        waiter?.resume(throwing: CancellationError())
    }
}
