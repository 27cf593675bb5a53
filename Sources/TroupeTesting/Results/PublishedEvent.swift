// An event that a service published.

public import KafkaClient
public import Troupe

/// An event that a service published, with its envelope.
///
/// The event's own properties are read straight from it.
@dynamicMemberLookup
public struct PublishedEvent<E: Event>: Sendable {
    /// The event.
    public let event: E
    /// Its envelope: ids, correlation, causation.
    public let envelope: EventEnvelope
    /// The record as it lies in the topic.
    public let record: KafkaRecord

    /// The value of one of the event's properties.
    public subscript<Value>(dynamicMember path: KeyPath<E, Value>) -> Value { event[keyPath: path] }
}

/// A record that a service published to one of its output topics.
public struct PublishedRecord: Sendable {
    /// The event's envelope.
    public let envelope: EventEnvelope
    /// The record as it lies in the topic.
    public let record: KafkaRecord

    /// The event in the record.
    ///
    /// - Throws: What the event's coder throws when the bytes are of something else.
    public func event<E: Event>(_ type: E.Type) throws -> E { try record.decode(type) }
}

extension KafkaRecord {
    /// The event that the value holds.
    func decode<E: Event>(_ type: E.Type) throws -> E {
        try (value.map { Array($0) } ?? []).withUnsafeBytes { try E.coder.decode($0) }
    }
}
