// The events of the chaos runs: a chain of four topics, one for each hop.

import Troupe

/// What every event of the chain carries.
protocol ChainEvent: Event {
    /// What the event is about: its order is kept.
    var name: String { get }
    /// The event's number, which it has on every topic of the chain.
    var sequence: Int { get }
    /// What happens to it at each service: a character each, see `Fate`.
    var plan: String { get }
    init(name: String, sequence: Int, plan: String)
}

extension ChainEvent {
    var key: EventKey { EventKey(name) }
    /// The sequence number stands in a header, where a reader finds it without decoding anything.
    var subject: String? { String(sequence) }
}

/// What the loader publishes and the service `a` handles.
struct First: ChainEvent {
    static let type: EventType = "chaos.first"
    static let topic: Topic = "first"
    var name: String
    var sequence: Int
    var plan: String
}

/// What `a` publishes and `b` handles.
struct Second: ChainEvent {
    static let type: EventType = "chaos.second"
    static let topic: Topic = "second"
    var name: String
    var sequence: Int
    var plan: String
}

/// What `b` publishes and `c` handles.
struct Third: ChainEvent {
    static let type: EventType = "chaos.third"
    static let topic: Topic = "third"
    var name: String
    var sequence: Int
    var plan: String
}

/// What `c` publishes: the end of the chain.
struct Fourth: ChainEvent {
    static let type: EventType = "chaos.fourth"
    static let topic: Topic = "fourth"
    var name: String
    var sequence: Int
    var plan: String
}
