// Work that is waited for no longer than a while.

import KafkaClient

/// Work took longer than it was waited for.
struct TimeLimitExceeded: Error {}

/// Runs `work`, and waits for its end no longer than `limit`.
///
/// Work that is not waited for any more, because of the limit or because the caller was cancelled, is cancelled; what it does
/// then is its own affair.
///
/// - Throws: What `work` throws, `TimeLimitExceeded`, or `CancellationError`.
@discardableResult
func withTimeLimit<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let outcome = Promise<Value>()
    let running = Task {
        do { outcome.resolve(.success(try await work())) } catch { outcome.resolve(.failure(error)) }
    }
    let timer = Task {
        try await Task.sleep(for: limit)
        outcome.resolve(.failure(TimeLimitExceeded()))
    }
    defer {
        running.cancel()
        timer.cancel()
    }
    return try await outcome.value()
}
