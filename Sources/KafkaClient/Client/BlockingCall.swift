// Runs calls that block, librdkafka's above all, off the cooperative threads.

/// Runs `body`, which may block, on a thread of its own, and returns what it returns.
///
/// A cancelled caller gets `CancellationError` at once; the call goes on in its thread to its own time-out.
package nonisolated(nonsending) func runBlocking<Value: Sendable>(
    named name: String, _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    let promise = Promise<Value>()
    try startThread(named: name) { promise.resolve(Result(catching: body)) }
    return try await promise.value()
}
