// The plain protocol beneath the closure routes.

/// Handles events of one type.
///
/// A closure given to `EventRouter.on` is the short form.
public protocol EventHandler<Input, Output>: Sendable {
    /// The event handled.
    associatedtype Input: Event
    /// What the handling publishes; `Void` for nothing.
    associatedtype Output

    /// Handles one event and returns what is to be published.
    ///
    /// When it throws, nothing has been published and the route's retry policy decides. The same event may come more
    /// than once.
    nonisolated(nonsending) func handle(_ event: Input, _ context: EventContext) async throws -> Output
}

extension EventRouter {
    /// A closure that handles events of type `Input` and returns what is to be published.
    public typealias Handler<Input, Output> =
        nonisolated(nonsending) @Sendable (Input, EventContext) async throws -> Output

    /// A closure that runs when the handler of an event has failed for good, with the handler's last error.
    ///
    /// It returns what is to be published in the handler's stead, under the same rules.
    public typealias Fallback<Input, Output> =
        nonisolated(nonsending) @Sendable (Input, EventContext, any Error) async throws -> Output
}
