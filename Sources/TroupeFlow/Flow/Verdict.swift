// How a flow stands and why, and why a step is not done.

/// How a flow stands and why.
public struct Verdict: Sendable, Hashable, Codable {
    /// How the flow stands.
    public var status: FlowStatus
    /// One sentence for people, such as `STUCK 4 min: inventory has not handled shop.order.placed; its group has no
    /// members; lag 312`.
    public var sentence: String
    /// Since when it stands so, in milliseconds since 1970; `nil` when nothing says it.
    public var since: Int64?
    /// The service that has to do something next; `nil` when none has.
    public var service: String?
    /// The event it has to handle.
    public var event: String?
    /// Why it has not.
    public var delay: StepDelay?

    /// Describes how a flow stands.
    public init(
        status: FlowStatus, sentence: String, since: Int64? = nil, service: String? = nil, event: String? = nil,
        delay: StepDelay? = nil
    ) {
        self.status = status
        self.sentence = sentence
        self.since = since
        self.service = service
        self.event = event
        self.delay = delay
    }
}

/// Why a step is not done.
public struct StepDelay: Sendable, Hashable, Codable {
    /// The kinds of reasons.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// No instance of the service is alive.
        case noMembers = "no-members"
        /// Instances are alive, and none owns the event's partition.
        case unowned
        /// The service has records before the event to handle.
        case lag
        /// The handler failed, and the event waits in memory for its next attempt.
        case retrying
        /// The event waits in the service's retry topic.
        case inRetryTopic = "in-retry-topic"
        /// The event is in the service's dead-letter topic.
        case inDeadLetterTopic = "in-dead-letter-topic"
        /// The route's circuit breaker keeps its events waiting.
        case breakerOpen = "breaker-open"
        /// The instance cannot go on reading or publishing.
        case trouble
        /// Handlers of the instance that owns the partition are under way.
        case running
        /// Nothing that is known explains it.
        case unknown
    }

    /// The kind of reason.
    public var kind: Kind
    /// The reason as a clause for people, such as `its group has no members`.
    public var text: String
    /// The instance it is about.
    public var instance: String?
    /// The topic the event waits in.
    public var topic: String?
    /// Until when it waits, in milliseconds since 1970.
    public var until: Int64?
    /// How many records the service has to handle, where it is known.
    public var lag: Int?

    /// Describes a reason.
    public init(
        _ kind: Kind, _ text: String, instance: String? = nil, topic: String? = nil, until: Int64? = nil,
        lag: Int? = nil
    ) {
        self.kind = kind
        self.text = text
        self.instance = instance
        self.topic = topic
        self.until = until
        self.lag = lag
    }
}
