// Routes events to handlers.

public import KafkaClient

/// The routes of a service: which events it handles, how, and what it publishes in turn.
///
/// ```swift
/// var router = EventRouter()
/// router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, context in
///     try await stock.reserve(order.lines, for: order.orderID)
///     return StockReserved(orderID: order.orderID)
/// }
/// ```
///
/// Mistakes the compiler cannot see, such as two routes for one type, are reported when the service starts.
public struct EventRouter: Sendable {
    /// The retry policy of routes that name none.
    public var retry: RetryPolicy
    /// The time in which a route's outcome is owed when it names none: what "stuck" means.
    public var within: Duration
    /// The time a handler may take when its route names none; `nil` for no limit.
    public var timeLimit: Duration?

    private(set) var routes: [Route] = []
    private(set) var upcasts: [Upcast] = []

    /// Creates a router without routes.
    public init(retry: RetryPolicy = .standard, within: Duration = .seconds(30), timeLimit: Duration? = nil) {
        self.retry = retry
        self.within = within
        self.timeLimit = timeLimit
    }

    /// Handles events of one type and publishes what the handler returns.
    /// - Parameters:
    ///   - input: the type of event.
    ///   - publishes: what is published, and so what the handler returns.
    ///   - compensates: the type whose effect this route undoes, for people and graphs.
    ///   - retry: what happens when the handler throws; the router's policy when nothing is said.
    ///   - within: the time in which the outcome is owed; the router's when nothing is said.
    ///   - timeLimit: the time the handler may take; the router's when nothing is said.
    ///   - execution: where the handler runs, and how many of it at once.
    ///   - circuitBreaker: when events wait because what the handler depends on is down.
    ///   - rateLimit: how often the handler may start.
    ///   - fallback: runs when the handler has failed for good, instead of dead-lettering the event: it returns what is
    ///     published in the handler's stead. When it throws too the event is dead-lettered with the handler's error.
    ///   - handler: handles one event and returns what is to be published.
    public mutating func on<Input: Event, Output>(
        _ input: Input.Type, publishes: Publishes<Output>, compensates: (any Event.Type)? = nil,
        retry: RetryPolicy? = nil, within: Duration? = nil, timeLimit: Duration? = nil,
        execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil, rateLimit: RateLimit? = nil,
        fallback: Fallback<Input, Output>? = nil, _ handler: @escaping Handler<Input, Output>
    ) {
        let decode = decoding(by: input.coder)
        add(
            .event(EventDeclaration(input), accepted: input.acceptedTypes), input, publishes, compensates,
            RouteOptions(retry, within, timeLimit, execution, circuitBreaker, rateLimit), handler, fallback,
            read: { try $0.decode(decode) })
    }

    /// Handles events of one type and publishes nothing.
    @_disfavoredOverload  // So that a handler whose value would be dropped finds its refusal instead.
    public mutating func on<Input: Event>(
        _ input: Input.Type, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, fallback: Fallback<Input, Void>? = nil, _ handler: @escaping Handler<Input, Void>
    ) {
        on(
            input, publishes: .nothing, compensates: compensates, retry: retry, within: within, timeLimit: timeLimit,
            execution: execution, circuitBreaker: circuitBreaker, rateLimit: rateLimit, fallback: fallback, handler)
    }

    /// Handles events with a value of your own that is an `EventHandler`.
    public mutating func on<H: EventHandler>(
        _ handler: H, publishes: Publishes<H.Output>, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil,
        within: Duration? = nil, timeLimit: Duration? = nil, execution: HandlerExecution = .inline,
        circuitBreaker: CircuitBreaker? = nil, rateLimit: RateLimit? = nil, fallback: Fallback<H.Input, H.Output>? = nil
    ) {
        on(
            H.Input.self, publishes: publishes, compensates: compensates, retry: retry, within: within,
            timeLimit: timeLimit, execution: execution, circuitBreaker: circuitBreaker, rateLimit: rateLimit,
            fallback: fallback
        ) { try await handler.handle($0, $1) }
    }

    /// Handles events with a value of your own that is an `EventHandler` and publishes nothing.
    public mutating func on<H: EventHandler>(
        _ handler: H, compensates: (any Event.Type)? = nil, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, fallback: Fallback<H.Input, Void>? = nil
    ) where H.Output == Void {
        on(
            handler, publishes: .nothing, compensates: compensates, retry: retry, within: within, timeLimit: timeLimit,
            execution: execution, circuitBreaker: circuitBreaker, rateLimit: rateLimit, fallback: fallback)
    }

    /// Handles tombstones, which are records with a null value: what their key names was deleted.
    ///
    /// Without this route tombstones of a type that is routed are dead-lettered. A tombstone without CloudEvents
    /// headers comes here when its topic has one route for tombstones only.
    public mutating func on<Input: Event, Output>(
        tombstonesOf input: Input.Type, publishes: Publishes<Output>, retry: RetryPolicy? = nil,
        within: Duration? = nil, timeLimit: Duration? = nil, execution: HandlerExecution = .inline,
        circuitBreaker: CircuitBreaker? = nil, rateLimit: RateLimit? = nil,
        fallback: Fallback<EventKey, Output>? = nil, _ handler: @escaping Handler<EventKey, Output>
    ) {
        add(
            .tombstone(EventDeclaration(input)), EventKey.self, publishes, nil,
            RouteOptions(retry, within, timeLimit, execution, circuitBreaker, rateLimit), handler, fallback,
            read: { EventKey(of: $0.record) })
    }

    /// Handles tombstones, which are records with a null value, and publishes nothing.
    public mutating func on<Input: Event>(
        tombstonesOf input: Input.Type, retry: RetryPolicy? = nil, within: Duration? = nil, timeLimit: Duration? = nil,
        execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil, rateLimit: RateLimit? = nil,
        fallback: Fallback<EventKey, Void>? = nil, _ handler: @escaping Handler<EventKey, Void>
    ) {
        on(
            tombstonesOf: input, publishes: .nothing, retry: retry, within: within, timeLimit: timeLimit,
            execution: execution, circuitBreaker: circuitBreaker, rateLimit: rateLimit, fallback: fallback, handler)
    }

    /// Handles records of a topic that carry no CloudEvents headers.
    ///
    /// Such a record's id is `<topic>/<partition>/<offset>` and its source `/topics/<topic>`; without this route it is
    /// dead-lettered.
    /// - Parameters:
    ///   - topic: the topic.
    ///   - type: the event that is made of a record.
    ///   - read: makes the event of a record; an error dead-letters it.
    public mutating func onForeign<Input: Event, Output>(
        topic: Topic, as type: Input.Type, publishes: Publishes<Output>, retry: RetryPolicy? = nil,
        within: Duration? = nil, timeLimit: Duration? = nil, execution: HandlerExecution = .inline,
        circuitBreaker: CircuitBreaker? = nil, rateLimit: RateLimit? = nil,
        read: @escaping @Sendable (KafkaRecord) throws -> Input, fallback: Fallback<Input, Output>? = nil,
        _ handler: @escaping Handler<Input, Output>
    ) {
        add(
            .foreign(topic, EventDeclaration(type)), type, publishes, nil,
            RouteOptions(retry, within, timeLimit, execution, circuitBreaker, rateLimit), handler, fallback,
            read: { handling in
                do { return try read(handling.original) } catch {
                    throw DecodeFailure(type: Input.type, underlying: error)
                }
            })
    }

    /// Handles records of a topic that carry no CloudEvents headers, and publishes nothing.
    public mutating func onForeign<Input: Event>(
        topic: Topic, as type: Input.Type, retry: RetryPolicy? = nil, within: Duration? = nil,
        timeLimit: Duration? = nil, execution: HandlerExecution = .inline, circuitBreaker: CircuitBreaker? = nil,
        rateLimit: RateLimit? = nil, read: @escaping @Sendable (KafkaRecord) throws -> Input,
        fallback: Fallback<Input, Void>? = nil, _ handler: @escaping Handler<Input, Void>
    ) {
        onForeign(
            topic: topic, as: type, publishes: .nothing, retry: retry, within: within, timeLimit: timeLimit,
            execution: execution, circuitBreaker: circuitBreaker, rateLimit: rateLimit, read: read, fallback: fallback,
            handler)
    }

    /// Turns older events of type `Old` into events of type `New`, which a route handles.
    ///
    /// Steps can follow one another: an event is turned until a route handles it.
    public mutating func upcast<Old: Event, New: Event>(
        from old: Old.Type, to new: New.Type, _ convert: @escaping @Sendable (Old) throws -> New
    ) {
        upcasts.append(
            Upcast(
                from: EventDeclaration(old), fromType: ObjectIdentifier(old), toType: ObjectIdentifier(new),
                toName: new.type, decode: { try old.coder.decode($0) },
                convert: { event in
                    // The chain is built by type, so the cast holds; an error beats a trap if it ever does not.
                    guard let event = event as? Old else { throw UpcastMismatch(expected: Old.type) }
                    return try convert(event)
                }))
    }

    private mutating func add<Read: Sendable, Output>(
        _ input: Route.Input, _ type: Read.Type, _ publishes: Publishes<Output>, _ compensates: (any Event.Type)?,
        _ options: RouteOptions, _ handler: @escaping Handler<Read, Output>, _ fallback: Fallback<Read, Output>?,
        read: @escaping @Sendable (Handling) throws -> Read
    ) {
        routes.append(
            Route(
                input, index: routes.count, type: type, publishes: publishes, compensates: compensates,
                options: options, read: read, handler: handler, fallback: fallback))
    }
}

/// An upcast was given an event of another type.
struct UpcastMismatch: Error {
    let expected: EventType
}
