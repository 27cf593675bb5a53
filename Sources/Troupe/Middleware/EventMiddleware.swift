// What can be wrapped around every handling.

/// Something done around every handling of a service: before it, after it, or instead of it.
///
/// The first middleware of a service is the outermost. Throwing fails the handling; returning without calling `next`
/// counts the event as handled, with nothing published.
public protocol EventMiddleware: Sendable {
    /// The rest of the handling.
    typealias Next = nonisolated(nonsending) @Sendable (EventContext) async throws -> Void

    /// Does something around the handling, which is `next(context)`.
    nonisolated(nonsending) func handle(_ context: EventContext, next: @escaping Next) async throws
}

extension Array where Element == any EventMiddleware {
    /// Runs `body` inside all of them.
    nonisolated(nonsending) func run(_ context: EventContext, _ body: @escaping EventMiddleware.Next) async throws {
        try await run(from: 0, context, body)
    }

    private nonisolated(nonsending) func run(
        from index: Int, _ context: EventContext, _ body: @escaping EventMiddleware.Next
    ) async throws {
        guard index < count else { return try await body(context) }
        try await self[index].handle(context) { try await run(from: index + 1, $0, body) }
    }
}
