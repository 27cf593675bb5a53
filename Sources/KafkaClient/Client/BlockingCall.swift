// Runs librdkafka's blocking calls off the cooperative threads.

import Synchronization

/// Runs `body`, which may block, on a thread of its own, and returns what it returns.
///
/// A cancelled caller gets `CancellationError` at once; the call goes on in its thread to its own time-out.
func runBlocking<Value: Sendable>(
    named name: String, _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    let promise = Promise<Value>()
    try startThread(named: name) { promise.resolve(Result(catching: body)) }
    return try await promise.value
}

/// A value that is given once and awaited once or more often.
///
/// It can be resolved from any thread. What is awaited ends at the latest with the awaiting task's cancellation.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case pending([Int: UnsafeContinuation<Value, any Error>], cancelled: Set<Int>, next: Int)
        case resolved(Result<Value, any Error>)
    }

    private let state = Mutex<State>(.pending([:], cancelled: [], next: 0))

    /// Gives the value; later calls have no effect.
    func resolve(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state -> [UnsafeContinuation<Value, any Error>] in
            guard case .pending(let waiting, _, _) = state else { return [] }
            state = .resolved(result)
            return Array(waiting.values)
        }
        for continuation in waiting { continuation.resume(with: result) }
    }

    /// The value, as soon as it is given.
    var value: Value {
        get async throws {
            let id = state.withLock { state -> Int in
                guard case .pending(let waiting, let cancelled, let next) = state else { return 0 }
                state = .pending(waiting, cancelled: cancelled, next: next + 1)
                return next
            }
            return try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation { continuation in register(continuation, id) }
            } onCancel: {
                cancel(id)
            }
        }
    }

    private func register(_ continuation: UnsafeContinuation<Value, any Error>, _ id: Int) {
        let result = state.withLock { state -> Result<Value, any Error>? in
            switch state {
            case .resolved(let result): return result
            case .pending(var waiting, var cancelled, let next):
                if cancelled.remove(id) != nil {
                    state = .pending(waiting, cancelled: cancelled, next: next)
                    return .failure(CancellationError())
                }
                waiting[id] = continuation
                state = .pending(waiting, cancelled: cancelled, next: next)
                return nil
            }
        }
        if let result { continuation.resume(with: result) }
    }

    private func cancel(_ id: Int) {
        let continuation = state.withLock { state -> UnsafeContinuation<Value, any Error>? in
            guard case .pending(var waiting, var cancelled, let next) = state else { return nil }
            let continuation = waiting.removeValue(forKey: id)
            // Cancelled before it could register: remembered until it does.
            if continuation == nil { cancelled.insert(id) }
            state = .pending(waiting, cancelled: cancelled, next: next)
            return continuation
        }
        continuation?.resume(throwing: CancellationError())
    }
}
