// Where handlers under way say that they have something to do: from within the simulation, or from outside.

import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where handlers under way say that they have something to do.
///
/// What a job of the simulation causes is kept apart from what comes from other threads: the first comes at the same
/// moment in every run of one seed, the second at any.
final class HandlerInbox: Sendable {
    private struct State {
        /// The thread that runs a job of the simulation now.
        var driver: UInt?
        var inside: [HandlerRun] = []
        var outside: [HandlerRun] = []
        var waiter: CheckedContinuation<Void, Never>?
        /// Counts the waits, so that a timer ends no other wait than its own.
        var wait = 0
        /// Whether nobody takes anything any more.
        var isClosed = false
    }

    private let state = Mutex(State())

    private static var currentThread: UInt {
        #if canImport(Darwin)
            UInt(bitPattern: pthread_self())
        #else
            UInt(pthread_self())
        #endif
    }

    /// Runs a job of the simulation on the calling thread.
    func driving(_ body: () -> Void) {
        state.withLock { $0.driver = Self.currentThread }
        body()
        state.withLock { $0.driver = nil }
    }

    func add(_ run: HandlerRun) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.isClosed else { return nil }
            if state.driver == Self.currentThread {
                state.inside.append(run)
                return nil
            }
            state.outside.append(run)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Forgets the runs that were added, and takes no more: they hold the inbox, and would be held by it for ever.
    func close() {
        let forgotten = state.withLock { state in
            state.isClosed = true
            defer { (state.inside, state.outside) = ([], []) }
            return state.inside + state.outside
        }
        // Let go outside of the lock.
        _ = forgotten
    }

    /// Takes the runs that were added by jobs of the simulation.
    func takeInside() -> [HandlerRun] {
        state.withLock { state in
            defer { state.inside = [] }
            return state.inside
        }
    }

    /// Takes the runs that were added by other threads.
    func takeOutside() -> [HandlerRun] {
        state.withLock { state in
            defer { state.outside = [] }
            return state.outside
        }
    }

    /// Waits, in real time, until a run is added from outside, `timeout` has passed or the task is cancelled.
    func wait(for timeout: Duration) async {
        let (wait, earlier) = state.withLock { state in
            state.wait += 1
            defer { state.waiter = nil }
            return (state.wait, state.waiter)
        }
        earlier?.resume()
        let timer = Task.detached {
            try await Task.sleep(for: timeout)
            self.end(wait)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    guard state.outside.isEmpty, !Task.isCancelled, state.wait == wait else { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            end(wait)
        }
        timer.cancel()
    }

    private func end(_ wait: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.wait == wait else { return nil }
            // A wait that has not begun yet must not begin any more.
            state.wait += 1
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
