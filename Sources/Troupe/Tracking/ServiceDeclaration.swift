// What a service declares: which events it handles, and what it publishes in turn.

/// What one version of a service says of itself on the topic `troupe.services`.
///
/// Instances of one version say the same; the topic keeps one record for each. All topics are the broker's names, with
/// the namespace before them.
public struct ServiceDeclaration: Sendable, Hashable, Codable {
    /// The service's name.
    public var service: String
    /// What the service calls its version; empty when it does not say.
    public var version: String
    /// The service's consumer group on the broker; empty when it handles nothing.
    public var group: String
    /// What the service promises of an event's effects on Kafka.
    public var delivery: String
    /// What the service handles.
    public var routes: [RouteDeclaration]
    /// Types that the service publishes outside of a handling, which start flows or join them.
    public var starts: [String]
    /// Every type of event that the service handles or publishes, once.
    public var events: [EventDescription]
    /// Whether the service reports its attempts on the topic `troupe.tasks`; `nil` is yes.
    public var reportsAttempts: Bool?

    /// Declares a service.
    public init(
        service: String, version: String, group: String, delivery: String, routes: [RouteDeclaration],
        starts: [String], events: [EventDescription], reportsAttempts: Bool? = nil
    ) {
        self.service = service
        self.version = version
        self.group = group
        self.delivery = delivery
        self.routes = routes
        self.starts = starts
        self.events = events
        self.reportsAttempts = reportsAttempts
    }
}

/// What one route of a service takes and publishes.
public struct RouteDeclaration: Sendable, Hashable, Codable {
    /// What kind of records a route takes.
    public enum Input: String, Sendable, Hashable, Codable {
        /// Events of a type.
        case event
        /// Tombstones of a type.
        case tombstone
        /// Records without CloudEvents headers.
        case foreign
    }

    /// How many of the types in `publishes` come of one handling.
    public enum Cardinality: String, Sendable, Hashable, Codable {
        /// Nothing is published.
        case none
        /// Exactly one event.
        case one
        /// One event or none.
        case optional
        /// Any number of events of one type.
        case many
        /// One event of each type.
        case all
        /// One event of one of the types.
        case oneOf
        /// Any number of events of the types.
        case manyOf
    }

    /// What the route is called in logs.
    public var name: String
    /// What kind of records it takes.
    public var input: Input
    /// The type of event it takes.
    public var type: String
    /// The older types it takes as well.
    public var acceptedTypes: [String]
    /// The topic it reads.
    public var topic: String
    /// The topic where its retries wait.
    public var retryTopic: String
    /// The topic where its dead letters end.
    public var deadLetterTopic: String
    /// How many events of `publishes` come of one handling.
    public var cardinality: Cardinality
    /// The types it publishes.
    public var publishes: [String]
    /// The type whose effect it undoes; `nil` when it undoes none.
    public var compensates: String?
    /// The milliseconds within which its outcome is owed.
    public var withinMilliseconds: Int64
    /// How many retries follow a first attempt.
    public var maxRetries: Int

    /// Declares a route.
    public init(
        name: String, input: Input, type: String, acceptedTypes: [String], topic: String, retryTopic: String,
        deadLetterTopic: String, cardinality: Cardinality, publishes: [String], compensates: String?,
        withinMilliseconds: Int64, maxRetries: Int
    ) {
        self.name = name
        self.input = input
        self.type = type
        self.acceptedTypes = acceptedTypes
        self.topic = topic
        self.retryTopic = retryTopic
        self.deadLetterTopic = deadLetterTopic
        self.cardinality = cardinality
        self.publishes = publishes
        self.compensates = compensates
        self.withinMilliseconds = withinMilliseconds
        self.maxRetries = maxRetries
    }
}

/// What is known of a type of event without an event.
public struct EventDescription: Sendable, Hashable, Codable {
    /// The type's name on the wire.
    public var type: String
    /// The topic its events are published to.
    public var topic: String
    /// How its events end their flow; `nil` when they do not.
    public var flowEnding: FlowEnding?
    /// The media type of its events' bytes.
    public var contentType: String
    /// Where its schema is found; `nil` when it does not say.
    public var dataSchema: String?
    /// Its payload as a JSON Schema document in JSON, as far as it can be derived; `nil` when it cannot.
    public var payloadSchema: String?

    /// Describes a type.
    public init(
        type: String, topic: String, flowEnding: FlowEnding?, contentType: String, dataSchema: String?,
        payloadSchema: String?
    ) {
        self.type = type
        self.topic = topic
        self.flowEnding = flowEnding
        self.contentType = contentType
        self.dataSchema = dataSchema
        self.payloadSchema = payloadSchema
    }
}
