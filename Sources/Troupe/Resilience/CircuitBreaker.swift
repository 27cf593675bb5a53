// Keeps events waiting while what their handler depends on is down. A pure state machine over a clock passed in.

/// Says when a route stops trying because what it depends on is down, and when it tries again.
///
/// While the breaker is open the route's events wait where they are: in their lanes, in order, with nothing sent through
/// the retry topic and no attempt used up. What they hold is bounded, reading of their partitions stops, and other
/// routes go on. After `openDuration` a few probes are let through; when they succeed the route goes on, and when one
/// fails it waits again. Each instance of a service has its own breaker.
///
/// A failure that the route's retry policy would not retry, an event that cannot be decoded or an invalid order, says
/// nothing of a dependency and is not counted.
///
/// ```swift
/// router.on(OrderPlaced.self, circuitBreaker: CircuitBreaker(failureRate: 0.5, openDuration: .seconds(15))) { ... }
/// ```
public struct CircuitBreaker: Sendable, Hashable {
    /// What counts as a call that took too long, and how many of them open the breaker.
    public struct SlowCalls: Sendable, Hashable {
        /// A handling that takes at least this long is slow, also when it succeeds.
        public var threshold: Duration
        /// The share of slow calls, above 0 and up to 1, at which the breaker opens.
        public var rate: Double

        /// Opens the breaker when `rate` of the calls take `threshold` or longer.
        public init(threshold: Duration, rate: Double) {
            self.threshold = threshold
            self.rate = rate
        }
    }

    /// The share of failed calls, above 0 and up to 1, at which the breaker opens.
    public var failureRate: Double
    /// What counts as a slow call; `nil` when time does not matter.
    public var slowCalls: SlowCalls?
    /// How many of the last calls are looked at, 1 to 10,000.
    public var window: Int
    /// How many calls there must have been before their rate counts; no more than `window`.
    public var minimumCalls: Int
    /// How long nothing is tried once the breaker has opened.
    public var openDuration: Duration
    /// How many calls are tried after that, all of which must succeed before the route goes on.
    public var probes: Int

    /// Creates a breaker; see the properties for what each value means.
    public init(
        failureRate: Double = 0.5, slowCalls: SlowCalls? = nil, window: Int = 100, minimumCalls: Int = 20,
        openDuration: Duration = .seconds(10), probes: Int = 3
    ) {
        self.failureRate = failureRate
        self.slowCalls = slowCalls
        self.window = window
        self.minimumCalls = minimumCalls
        self.openDuration = openDuration
        self.probes = probes
    }
}

/// The state of a route's breaker.
public enum CircuitState: String, Sendable, Hashable, Codable {
    /// Calls go through.
    case closed
    /// Nothing is tried.
    case open
    /// A few calls are tried.
    case halfOpen = "half-open"
}

/// How a call ended, as far as a breaker is concerned.
package enum CallOutcome {
    /// It succeeded.
    case succeeded
    /// It failed as something does that may succeed later.
    case failed
    /// It says nothing of the dependency.
    case irrelevant
}

/// The breaker of one route.
///
/// A call asks `nextStart` and tells `began`, then `ended` with what `began` returned: a call that began before the
/// breaker opened says nothing when it ends after that.
struct Circuit {
    private struct Call {
        var failed = false
        var slow = false
    }

    private let settings: CircuitBreaker
    private let minimum: Int
    private let window: Int
    private let probes: Int
    private let slowAfter: UInt64
    /// The last calls, a ring once it is full.
    private var calls: [Call] = []
    private var next = 0
    private var failures = 0
    private var slowCalls = 0
    private var reopensAt: UInt64 = 0
    private var probesBegun = 0
    private var probesSucceeded = 0
    /// Counts the changes of state.
    private(set) var generation: UInt64 = 0
    private(set) var state = CircuitState.closed

    init(_ settings: CircuitBreaker) {
        self.settings = settings
        window = min(max(settings.window, 1), 10_000)
        minimum = min(max(settings.minimumCalls, 1), window)
        probes = max(settings.probes, 1)
        slowAfter = settings.slowCalls?.threshold.nanoseconds ?? .max
    }

    /// When a call may begin: `now` or later; `nil` when the end of another call decides.
    func nextStart(at now: UInt64) -> UInt64? {
        switch state {
        case .closed: now
        case .open: max(now, reopensAt)
        case .halfOpen: probesBegun < probes ? now : nil
        }
    }

    /// A call begins, which `nextStart` must have allowed.
    ///
    /// Returns what `ended` wants to know.
    mutating func began(at now: UInt64) -> UInt64 {
        if state == .open { enter(.halfOpen) }
        if state == .halfOpen { probesBegun += 1 }
        return generation
    }

    /// A call that `began` in `generation` ended.
    mutating func ended(_ outcome: CallOutcome, took duration: UInt64, generation began: UInt64, at now: UInt64) {
        guard began == generation else { return }
        let isSlow = duration >= slowAfter
        switch (state, outcome) {
        case (.open, _): break
        // Another probe takes its place.
        case (.halfOpen, .irrelevant): probesBegun -= 1
        case (.halfOpen, .failed): open(at: now)
        case (.halfOpen, .succeeded) where isSlow: open(at: now)
        case (.halfOpen, .succeeded):
            probesSucceeded += 1
            if probesSucceeded == probes { enter(.closed) }
        case (.closed, .irrelevant): break
        case (.closed, let outcome):
            count(Call(failed: outcome == .failed, slow: isSlow))
            if isTooBad { open(at: now) }
        }
    }

    private mutating func count(_ call: Call) {
        if calls.count < window {
            calls.append(call)
        } else {
            if calls[next].failed { failures -= 1 }
            if calls[next].slow { slowCalls -= 1 }
            calls[next] = call
            next = (next + 1) % window
        }
        if call.failed { failures += 1 }
        if call.slow { slowCalls += 1 }
    }

    private var isTooBad: Bool {
        guard calls.count >= minimum else { return false }
        let count = Double(calls.count)
        if failures > 0, Double(failures) >= settings.failureRate * count { return true }
        guard slowCalls > 0, let slow = settings.slowCalls else { return false }
        return Double(slowCalls) >= slow.rate * count
    }

    private mutating func open(at now: UInt64) {
        enter(.open)
        reopensAt = now + settings.openDuration.nanoseconds
    }

    private mutating func enter(_ new: CircuitState) {
        state = new
        generation += 1
        calls.removeAll(keepingCapacity: true)
        next = 0
        failures = 0
        slowCalls = 0
        probesBegun = 0
        probesSucceeded = 0
    }
}
