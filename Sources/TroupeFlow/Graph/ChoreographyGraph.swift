// Services and events as a graph: what was declared joined with what was seen.

public import Troupe

/// A publication and its handling as they were seen on the topics, counted.
public struct ObservedEdge: Sendable, Hashable, Codable {
    /// The service that published.
    public var publisher: String
    /// The type of event.
    public var type: String
    /// The service that handled it; `nil` when only the publication was seen.
    public var consumer: String?
    /// How many events there were.
    public var count: Int
    /// How many of them the consumer failed to handle at first or for good.
    public var failures: Int
    /// When the newest of them was published, in milliseconds since 1970; `nil` when it is not known.
    public var lastPublishedAt: Int64?
    /// Whether an operator published them by hand, with `troupe publish`.
    public var isByOperator: Bool { publisher == PublisherIdentity.operatorSource }

    /// Describes what was seen.
    public init(
        publisher: String, type: String, consumer: String? = nil, count: Int, failures: Int = 0,
        lastPublishedAt: Int64? = nil
    ) {
        self.publisher = publisher
        self.type = type
        self.consumer = consumer
        self.count = count
        self.failures = failures
        self.lastPublishedAt = lastPublishedAt
    }
}

/// The services and events of a system, and who publishes and handles what.
///
/// A value without I/O, the same for the same declarations in any order. An edge of one service leads to an event it
/// publishes or comes from an event it handles.
public struct ChoreographyGraph: Sendable, Hashable, Codable {
    /// A service.
    public struct Service: Sendable, Hashable, Codable {
        /// Its name.
        public var name: String
        /// The versions that run side by side, sorted; empty when none says.
        public var versions: [String]
        /// Its consumer group; empty when it handles nothing.
        public var group: String
        /// Whether it has declared itself; otherwise it was only seen.
        public var isDeclared: Bool
        /// What is to be known of it, such as versions that differ.
        public var notes: [String]
        /// Whether it is no service but an operator, who publishes by hand with `troupe publish`.
        public var isOperator: Bool { name == PublisherIdentity.operatorSource }
    }

    /// A type of event.
    public struct Event: Sendable, Hashable, Codable {
        /// Its name on the wire.
        public var type: String
        /// The topic it is published to; empty when nobody has declared it.
        public var topic: String
        /// How it ends its flow; `nil` when it does not.
        public var ending: FlowEnding?
        /// The services that publish it outside of a handling, sorted: it can start a flow.
        public var startedBy: [String]
    }

    /// What a service does with an event.
    public enum Direction: String, Sendable, Hashable, Codable {
        /// The service publishes the event.
        case publishes
        /// The service handles the event.
        case handles
    }

    /// Where an edge is known from.
    public enum Provenance: String, Sendable, Hashable, Codable {
        /// A declaration says so, and it was not seen.
        case declared
        /// It was seen, and no declaration says so.
        case observed
        /// It is declared and was seen.
        case both
    }

    /// One service and one event.
    public struct Edge: Sendable, Hashable, Codable {
        /// The service.
        public var service: String
        /// The type of event.
        public var type: String
        /// What the service does with it.
        public var direction: Direction
        /// Where it is known from.
        public var provenance: Provenance
        /// The types whose effects are undone here, sorted; empty on an ordinary edge.
        public var compensates: [String]
        /// How many events were seen.
        public var count: Int
        /// How many of them failed to be handled, at first or for good.
        public var failures: Int
        /// When the newest of them was published, in milliseconds since 1970; `nil` when it is not known.
        public var lastPublishedAt: Int64?
        /// Whether it stands for what an operator published by hand, with `troupe publish`.
        public var isByOperator: Bool { service == PublisherIdentity.operatorSource }
    }

    /// One route of a service: an event and what follows from it.
    public struct Step: Sendable, Hashable, Codable {
        /// The service.
        public var service: String
        /// The route's name.
        public var route: String
        /// The type it handles.
        public var type: String
        /// How many of `publishes` follow.
        public var cardinality: RouteDeclaration.Cardinality
        /// The types that follow.
        public var publishes: [String]
        /// The type whose effect it undoes.
        public var compensates: String?
    }

    /// The services, by name.
    public var services: [Service]
    /// The types of event, by name.
    public var events: [Event]
    /// The edges, by service, direction and type.
    public var edges: [Edge]
    /// The routes, by service and type.
    public var steps: [Step]

    /// The event of a type.
    public func event(_ type: String) -> Event? { events.first { $0.type == type } }

    /// The service of a name.
    public func service(_ name: String) -> Service? { services.first { $0.name == name } }

    /// The types that start flows, by name.
    public var starts: [String] { events.filter { !$0.startedBy.isEmpty }.map(\.type) }
}
