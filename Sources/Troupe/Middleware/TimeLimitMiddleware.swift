// A bound on how long a handler may take.

/// A handler took longer than its route allows.
///
/// It is retried like any other failure.
public struct HandlerTimedOut: Error, Sendable, Hashable, CustomStringConvertible {
    /// The route.
    public let route: String
    /// The time it may take.
    public let limit: Duration

    /// Which route took longer than what.
    public var description: String { "The handler of \(route) took longer than its time limit of \(limit)" }
}

/// Cancels a handler that takes longer than a limit, and fails the handling with `HandlerTimedOut`.
///
/// Cancellation in Swift is a request: a handler that does not heed it is waited for, because its event's order could
/// not be kept otherwise.
public struct TimeLimitMiddleware: EventMiddleware {
    private let limit: Duration
    private let sleep: @Sendable (Duration) async throws -> Void

    /// Creates a middleware that allows each handling `limit`.
    public init(_ limit: Duration) { self.init(limit) { try await Task.sleep(for: $0) } }

    /// Creates a middleware that measures time by `sleep`.
    package init(_ limit: Duration, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.limit = limit
        self.sleep = sleep
    }

    /// Runs the handling beside a timer.
    public nonisolated(nonsending) func handle(_ context: EventContext, next: @escaping Next) async throws {
        let (limit, sleep) = (limit, sleep)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await next(context) }
            group.addTask {
                try await sleep(limit)
                throw HandlerTimedOut(route: context.routeName, limit: limit)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
