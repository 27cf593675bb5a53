// One run of a handler, and a record that came to none.

public import KafkaClient
public import Troupe

/// One run of a handler.
public struct HandlingAttempt: Sendable {
    /// What came of an attempt.
    public enum Outcome: Sendable, Hashable {
        /// The handler returned; so many events were published.
        case succeeded(published: Int)
        /// The handler threw, or its event could not be decoded or published.
        case failed(errorType: String, errorMessage: String)
    }

    /// The service.
    public let service: String
    /// The route's name: its type on the wire, for routes of events.
    public let route: String
    /// The event's envelope.
    public let envelope: EventEnvelope
    /// The number of the attempt, from 1.
    public let number: Int
    /// When the attempt ended, in milliseconds since 1970.
    public let time: Int64
    /// What came of it.
    public let outcome: Outcome

    /// Whether the handler returned.
    public var succeeded: Bool {
        if case .succeeded = outcome { true } else { false }
    }
}

/// A record that a service skipped because no route names its type.
public struct SkippedRecord: Sendable {
    /// The service that skipped it.
    public let service: String
    /// The record.
    public let record: KafkaRecord

    /// The record's type on the wire; `nil` when it has none.
    public var type: EventType? { record.header(HeaderName.type.text).map { EventType($0) } }
}
