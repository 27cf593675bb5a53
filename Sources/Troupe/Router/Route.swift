// One route: an input, what it publishes, and what runs.

import KafkaClient

/// One route of a service, with its types erased.
package final class Route: Sendable {
    /// What a route takes.
    package enum Input: Sendable, Hashable {
        /// Events of a type and of the older types it accepts.
        case event(EventDeclaration, accepted: [EventType])
        /// Tombstones of a type.
        case tombstone(EventDeclaration)
        /// Records of a topic that carry no CloudEvents headers.
        case foreign(Topic, EventDeclaration)

        /// The topic the input comes from.
        package var topic: Topic {
            switch self {
            case .event(let event, _), .tombstone(let event): event.topic
            case .foreign(let topic, _): topic
            }
        }
    }

    /// Reads, handles and stamps: what a handling does within the middleware's reach and before it.
    typealias Perform =
        nonisolated(nonsending) @Sendable (Handling, EventContext, RecordProcessor) async throws -> Publications

    typealias PerformWithin =
        nonisolated(nonsending) @Sendable (Handling, EventContext, RecordProcessor, [any EventMiddleware]) async throws
        -> Publications

    /// Runs when the handler has failed for good.
    typealias FallBack =
        nonisolated(nonsending) @Sendable (Handling, EventContext, RecordProcessor, any Error) async throws ->
        Publications

    /// The route's place among those of its router.
    package let index: Int
    /// What the route is called in errors, logs and metrics.
    package let name: String
    /// What the route takes.
    package let input: Input
    /// What the route publishes.
    package let publishes: PublicationDeclaration
    /// The type whose effect the route undoes.
    package let compensates: EventType?
    /// The route's own retry policy; `nil` for the router's.
    package let retry: RetryPolicy?
    /// The time in which the route's outcome is owed; `nil` for the router's.
    package let within: Duration?
    /// The time a handler may take; `nil` for the router's.
    package let timeLimit: Duration?
    /// Where the handler runs, and how many of it at once.
    package let execution: HandlerExecution
    /// When events wait because what the handler depends on is down.
    package let circuitBreaker: CircuitBreaker?
    /// How often the handler may start.
    package let rateLimit: RateLimit?
    let inputType: ObjectIdentifier
    /// Without anything wrapped around the handler.
    let perform: Perform
    /// Within middleware: apart, so that a handler without pays nothing for it.
    let performWithin: PerformWithin
    let fallBack: FallBack?

    /// Whether there is anything to ask before a handling starts.
    let isGated: Bool

    init<Read: Sendable, Output>(
        _ input: Input, index: Int, type: Read.Type, publishes: Publishes<Output>, compensates: (any Event.Type)?,
        options: RouteOptions, read: @escaping @Sendable (Handling) throws -> Read,
        handler: @escaping EventRouter.Handler<Read, Output>, fallback: EventRouter.Fallback<Read, Output>?
    ) {
        self.index = index
        name =
            switch input {
            case .event(let event, _): event.type.rawValue
            case .tombstone(let event): "tombstones of \(event.type)"
            case .foreign(let topic, _): "foreign records of \(topic)"
            }
        self.input = input
        self.publishes = publishes.declaration
        self.compensates = compensates?.type
        retry = options.retry
        within = options.within
        timeLimit = options.timeLimit
        execution = options.execution
        circuitBreaker = options.circuitBreaker
        rateLimit = options.rateLimit
        isGated = execution != .inline || circuitBreaker != nil || rateLimit != nil
        inputType = ObjectIdentifier(type)
        // The parts are captured instead of the whole: less to look up at run time for each event.
        let emit = publishes.emit
        let isLeaf = publishes.declaration.cardinality == .none
        perform = { handling, context, processor in
            let isClaim = handling.envelope.claimCheck.count > 0
            let event = try read(isClaim ? try await processor.redeemed(handling) : handling)
            let output = try await handler(event, context)
            guard !isLeaf else { return .none }
            let (messages, claims) = try processor.stamp(handling) { try emit(output, &$0) }
            return claims.isEmpty ? messages : try await processor.deposited(claims, messages.all)
        }
        performWithin = { handling, context, processor, middleware in
            let isClaim = handling.envelope.claimCheck.count > 0
            let event = try read(isClaim ? try await processor.redeemed(handling) : handling)
            let result = HandlingResult()
            try await middleware.run(context) { context in
                let output = try await handler(event, context)
                guard !isLeaf else { return result.set(.none) }
                let (messages, claims) = try processor.stamp(handling) { try emit(output, &$0) }
                result.set(claims.isEmpty ? messages : try await processor.deposited(claims, messages.all))
            }
            return result.take()
        }
        if let fallback {
            fallBack = { handling, context, processor, error in
                let isClaim = handling.envelope.claimCheck.count > 0
                let event = try read(isClaim ? try await processor.redeemed(handling) : handling)
                let output = try await fallback(event, context, error)
                guard !isLeaf else { return .none }
                let (messages, claims) = try processor.stamp(handling) { try emit(output, &$0) }
                return claims.isEmpty ? messages : try await processor.deposited(claims, messages.all)
            }
        } else {
            fallBack = nil
        }
    }
}

/// What a route may say beside its input and output.
struct RouteOptions: Sendable {
    let retry: RetryPolicy?
    let within: Duration?
    let timeLimit: Duration?
    let execution: HandlerExecution
    let circuitBreaker: CircuitBreaker?
    let rateLimit: RateLimit?

    init(
        _ retry: RetryPolicy?, _ within: Duration?, _ timeLimit: Duration?, _ execution: HandlerExecution,
        _ circuitBreaker: CircuitBreaker?, _ rateLimit: RateLimit?
    ) {
        self.retry = retry
        self.within = within
        self.timeLimit = timeLimit
        self.execution = execution
        self.circuitBreaker = circuitBreaker
        self.rateLimit = rateLimit
    }
}

/// An older event's way to the type that is handled now.
struct Upcast: Sendable {
    let from: EventDeclaration
    let fromType: ObjectIdentifier
    let toType: ObjectIdentifier
    let toName: EventType
    /// Reads the older event.
    let decode: @Sendable (UnsafeRawBufferPointer) throws -> any Event
    /// Makes the newer event of the older one.
    let convert: @Sendable (any Event) throws -> any Event
}
