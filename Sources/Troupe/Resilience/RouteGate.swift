// Whether a handling of a route may start now, and if not, when to ask again. Pure, over a clock that is passed in.

/// What a handling that was let through hands back when it ends.
package struct RoutePass: Sendable {
    fileprivate var generation: UInt64
}

/// The bulkhead, the circuit breaker and the rate limit of one route.
package struct RouteGate {
    /// Whether a handling may start.
    package enum Admission: Equatable {
        /// It starts.
        case admitted
        /// Not before this monotonic time.
        case later(UInt64)
        /// Not before another handling of the route has ended.
        case afterAnother
    }

    private let maxConcurrent: Int
    private var bucket: TokenBucket?
    private var circuit: Circuit?
    /// Handlings under way.
    private(set) var underWay = 0

    init(maxConcurrent: Int?, rateLimit: RateLimit?, circuitBreaker: CircuitBreaker?) {
        self.maxConcurrent = maxConcurrent ?? .max
        bucket = rateLimit.map(TokenBucket.init)
        circuit = circuitBreaker.map(Circuit.init)
    }

    /// The gate of a route; `nil` for one without bounds of its own.
    package init?(of route: Route) {
        guard route.isGated else { return nil }
        self.init(
            maxConcurrent: route.execution.maxConcurrent, rateLimit: route.rateLimit,
            circuitBreaker: route.circuitBreaker)
    }

    /// The state of the breaker; `nil` without one.
    package var circuitState: CircuitState? { circuit?.state }

    /// Whether a handling may start at `now`.
    package func admission(at now: UInt64) -> Admission {
        guard underWay < maxConcurrent else { return .afterAnother }
        var due = now
        if let circuit {
            guard let start = circuit.nextStart(at: now) else { return .afterAnother }
            due = start
        }
        if let bucket { due = max(due, bucket.nextStart(at: now)) }
        return due > now ? .later(due) : .admitted
    }

    /// A handling starts, which `admission` must have allowed.
    package mutating func start(at now: UInt64) -> RoutePass {
        underWay += 1
        bucket?.take(at: now)
        return RoutePass(generation: circuit?.began(at: now) ?? 0)
    }

    /// A handling ended.
    package mutating func end(_ pass: RoutePass, _ outcome: CallOutcome, took duration: UInt64, at now: UInt64) {
        underWay -= 1
        circuit?.ended(outcome, took: duration, generation: pass.generation, at: now)
    }
}
