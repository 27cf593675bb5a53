// Catches the handler that returns an event its route does not declare.
//
// Swift lets a closure of one expression drop its value where `Void` is asked for, so such a handler would compile as
// a leaf and its event would be lost. These overloads take it instead. An unavailable overload would not: the compiler
// prefers any available one, with a warning only. So they are deprecated, which says what to do, and they throw, which
// makes the call without `try` an error. Whoever adds `try` gets the error when the router is built.

/// A handler returns events, but its route declares nothing that it publishes.
public struct UndeclaredPublication: Error, Sendable, Hashable, CustomStringConvertible {
    /// The type the route handles.
    public let input: EventType

    /// Which handler returns what its route does not declare, and what to do.
    public var description: String {
        "The handler of \(input) returns events, but its route publishes nothing. Say what it publishes: `publishes:`"
    }
}

extension EventRouter {
    /// Refuses a handler that returns an event without `publishes:`.
    @available(
        *, deprecated,
        message: "The handler returns an event, but its route publishes nothing. Add publishes: .one(...)"
    )
    public mutating func on<Input: Event, Output: Event>(
        _ input: Input.Type, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, _ handler: @escaping Handler<Input, Output>
    ) throws(UndeclaredPublication) { throw UndeclaredPublication(input: input.type) }

    /// Refuses a handler that returns an event or none without `publishes:`.
    @available(
        *, deprecated,
        message: "The handler returns an event, but its route publishes nothing. Add publishes: .optional(...)"
    )
    @_disfavoredOverload  // Less fitting than the one above where both fit.
    public mutating func on<Input: Event, Output: Event>(
        _ input: Input.Type, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, _ handler: @escaping Handler<Input, Output?>
    ) throws(UndeclaredPublication) { throw UndeclaredPublication(input: input.type) }

    /// Refuses a handler that returns several events without `publishes:`.
    @available(
        *, deprecated,
        message: "The handler returns events, but its route publishes nothing. Add publishes: .many(...)"
    )
    public mutating func on<Input: Event, Output: Event>(
        _ input: Input.Type, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, _ handler: @escaping Handler<Input, [Output]>
    ) throws(UndeclaredPublication) { throw UndeclaredPublication(input: input.type) }

    /// Refuses a handler that returns one event of several types without `publishes:`.
    @available(
        *, deprecated,
        message: "The handler returns an event, but its route publishes nothing. Add publishes: .oneOf(...)"
    )
    public mutating func on<Input: Event, each Output: Event>(
        _ input: Input.Type, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, _ handler: @escaping Handler<Input, OneOf<repeat each Output>>
    ) throws(UndeclaredPublication) { throw UndeclaredPublication(input: input.type) }

    /// Refuses a handler that returns events of several types without `publishes:`.
    @available(
        *, deprecated,
        message: "The handler returns events, but its route publishes nothing. Add publishes: .all(...)"
    )
    public mutating func on<Input: Event, First: Event, Second: Event, each Output: Event>(
        _ input: Input.Type, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, _ handler: @escaping Handler<Input, (First, Second, repeat each Output)>
    ) throws(UndeclaredPublication) { throw UndeclaredPublication(input: input.type) }

    /// Refuses a handler of tombstones that returns an event without `publishes:`.
    @available(
        *, deprecated,
        message: "The handler returns an event, but its route publishes nothing. Add publishes: .one(...)"
    )
    public mutating func on<Input: Event, Output: Event>(
        tombstonesOf input: Input.Type, retry: RetryPolicy? = nil, within: Duration? = nil, timeLimit: Duration? = nil,
        execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil, rateLimit: RateLimit? = nil,
        _ handler: @escaping Handler<EventKey, Output>
    ) throws(UndeclaredPublication) { throw UndeclaredPublication(input: input.type) }
}
