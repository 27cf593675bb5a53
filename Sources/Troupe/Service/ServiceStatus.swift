// What a service has done and is doing, as a value.

/// What a service has done since it started and what it is doing now.
public struct ServiceStatus: Sendable, Hashable, Codable {
    /// Where a service is in its life.
    public enum Phase: String, Sendable, Hashable, Codable {
        /// Joining its group.
        case starting
        /// Handling what comes.
        case running
        /// Finishing what is under way.
        case stopping
        /// Ended.
        case stopped
    }

    /// The service's name.
    public var service = ""
    /// Where the service is in its life.
    public var phase = Phase.starting
    /// Handlings that succeeded.
    public var handled = 0
    /// Records skipped because no route names their type.
    public var skipped = 0
    /// Handlings that failed and were tried again in place.
    public var retriedInPlace = 0
    /// Records sent to the retry topic.
    public var redirected = 0
    /// Records sent to the dead-letter topic.
    public var deadLettered = 0
    /// Failures dropped because the policy says so.
    public var ignored = 0
    /// Follow-on events that were acknowledged.
    public var published = 0
    /// Attempts that were not reported, or perhaps not, because the topic of tasks was not there or could not be
    /// written.
    public var unreported = 0
    /// Records taken and not done.
    public var inFlight = 0
    /// Records of `inFlight` that wait for their retry.
    public var waiting = 0
    /// Handlers under way.
    public var running = 0
    /// Records that are not done, over all partitions this instance owns; `nil` before it is known of all of them.
    public var lag: Int?
    /// The routes with bounds of their own: an execution bound, a circuit breaker or a rate limit.
    public var routes: [RouteStatus] = []
    /// Partitions this instance owns.
    public var partitions = 0
    /// The median time from a record's timestamp to its handling's end, in milliseconds.
    public var latencyMedian: Double?
    /// The 99th percentile of that time, in milliseconds.
    public var latency99: Double?
    /// Why the service cannot go on publishing or reading now, if something is wrong.
    public var trouble: String?

    /// Creates an empty status.
    public init() {}
}

/// What a route with bounds of its own is doing.
public struct RouteStatus: Sendable, Hashable, Codable {
    /// The route's name, by default its event type.
    public var route: String
    /// Its handlers under way.
    public var running: Int
    /// Its events that are next in their lanes and wait for the route to let them start.
    public var waiting: Int
    /// Its events in flight, all together.
    public var inFlight: Int
    /// The state of its circuit breaker; `nil` without one.
    public var circuit: CircuitState?

    /// Describes a route.
    public init(route: String, running: Int, waiting: Int, inFlight: Int, circuit: CircuitState?) {
        self.route = route
        self.running = running
        self.waiting = waiting
        self.inFlight = inFlight
        self.circuit = circuit
    }
}
