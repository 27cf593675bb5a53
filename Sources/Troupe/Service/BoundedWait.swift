// Waits for a task's end, but not for ever.

/// Waits until `task` has ended, `timeout` at most; no less when the caller is cancelled.
func waitForEnd(of task: Task<Void, Never>, within timeout: Duration) async {
    let (over, end) = AsyncStream.makeStream(of: Void.self)
    let limit = Task {
        try? await Task.sleep(for: timeout)
        end.finish()
    }
    Task {
        await task.value
        end.finish()
    }
    // A task of its own: a stream ends for one that is cancelled.
    await Task { for await _ in over {} }.value
    limit.cancel()
}
