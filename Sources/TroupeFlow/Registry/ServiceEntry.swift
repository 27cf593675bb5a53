// A service of the registry: what its versions declare and how its instances are.

public import Troupe

/// A service of the registry, as the topic `troupe.services` tells.
public struct ServiceEntry: Sendable, Hashable, Codable, Identifiable {
    /// The kinds of entries.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// Instances of it handle events, or did.
        case service
        /// It only publishes: a gateway, or whoever else has an `EventPublisher`.
        ///
        /// A publisher has no heartbeat, so nobody can say whether it runs: it tells of itself when it starts, and every hour
        /// in which it publishes.
        case publisher
    }

    /// The service's name.
    public var name: String
    /// What it declares: the declarations its live instances work by, the newest first; without live instances the one
    /// that was told last.
    public var declarations: [DeclarationEntry]
    /// Its instances by name, also those that stopped or fell silent.
    public var instances: [InstanceEntry]
    /// When something was heard of it last, in milliseconds since 1970.
    public var lastSeen: Int64
    /// How many records its group has to handle; `nil` when it is not known.
    public var lag: Int?

    /// Describes a service.
    public init(
        name: String, declarations: [DeclarationEntry], instances: [InstanceEntry], lastSeen: Int64, lag: Int?
    ) {
        self.name = name
        self.declarations = declarations
        self.instances = instances
        self.lastSeen = lastSeen
        self.lag = lag
    }

    /// The service's name.
    public var id: String { name }

    /// Whether it is a service or only publishes.
    public var kind: Kind {
        let isOfPublisher = !declarations.isEmpty && declarations.allSatisfy(\.isOfPublisher)
        return instances.isEmpty && isOfPublisher ? .publisher : .service
    }

    /// How many instances are alive.
    public var liveCount: Int { instances.count { $0.state == .live } }

    /// The versions its live instances have, or that its declarations name when none is alive, sorted.
    public var versions: [String] {
        let live = Set(instances.filter { $0.state == .live }.map(\.heartbeat.version))
        return (live.isEmpty ? Set(declarations.map(\.declaration.version)) : live).sorted()
    }

    /// Writes the entry, with its kind.
    public func encode(to encoder: any Encoder) throws {
        enum Member: String, CodingKey { case name, kind, declarations, instances, lastSeen, lag }
        var entry = encoder.container(keyedBy: Member.self)
        try entry.encode(name, forKey: .name)
        try entry.encode(kind, forKey: .kind)
        try entry.encode(declarations, forKey: .declarations)
        try entry.encode(instances, forKey: .instances)
        try entry.encode(lastSeen, forKey: .lastSeen)
        try entry.encodeIfPresent(lag, forKey: .lag)
    }
}

/// One declaration of a service and its fingerprint.
public struct DeclarationEntry: Sendable, Hashable, Codable {
    /// The fingerprint by which instances name it.
    public var fingerprint: String
    /// What the service declares.
    public var declaration: ServiceDeclaration
    /// When it was told last, in milliseconds since 1970.
    public var lastSeen: Int64

    /// Describes a declaration.
    public init(fingerprint: String, declaration: ServiceDeclaration, lastSeen: Int64) {
        self.fingerprint = fingerprint
        self.declaration = declaration
        self.lastSeen = lastSeen
    }

    /// Whether it tells of an `EventPublisher`: what is published outside of handlings.
    public var isOfPublisher: Bool { declaration.routes.isEmpty && declaration.group.isEmpty }
}

/// One instance of a service.
public struct InstanceEntry: Sendable, Hashable, Codable, Identifiable {
    /// How an instance is.
    public enum State: String, Sendable, Hashable, Codable {
        /// It tells of itself.
        case live
        /// It said nothing for three of its heartbeats' intervals.
        case stale
        /// It said that it stopped.
        case stopped
    }

    /// What it said last.
    public var heartbeat: InstanceHeartbeat
    /// How it is.
    public var state: State

    /// Describes an instance.
    public init(heartbeat: InstanceHeartbeat, state: State) {
        self.heartbeat = heartbeat
        self.state = state
    }

    /// The instance's name.
    public var id: String { heartbeat.instance }
}
