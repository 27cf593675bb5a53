// What a handler is told about the event it handles.

public import KafkaClient

/// What a handler may want to know beyond the event: ids, attempt, place.
///
/// Cheap to pass and to copy.
public struct EventContext: Sendable {
    package let handling: Handling
    private let processor: RecordProcessor
    /// Which attempt at this event this is, from 1.
    public let attempt: Int
    /// When the event failed for the first time, in milliseconds since 1970; `nil` while it has not.
    public let firstFailedAt: Int64?

    init(_ handling: Handling, _ processor: RecordProcessor, attempt: Int, firstFailedAt: Int64?) {
        self.handling = handling
        self.processor = processor
        self.attempt = attempt
        self.firstFailedAt = firstFailedAt
    }

    /// The event's envelope.
    public var envelope: EventEnvelope { EventEnvelope(handling.envelope, in: handling.record) }
    /// The event's id: the same in every attempt, so it tells a repeated event from a new one.
    public var eventID: String { handling.eventID }
    /// The flow the event belongs to: its correlation id, or its own id when it has none.
    public var correlationID: String { handling.correlationID }
    /// The id of the event that caused this one; `nil` for an event that started a flow.
    public var causationID: String? { handling.record.text(of: handling.envelope.causationID) }
    /// The record's key.
    public var key: EventKey { EventKey(of: handling.record) }
    /// The name of the service that handles the event.
    public var service: String { processor.service }
    /// The route that handles the event.
    public var routeName: String { handling.route.name }
    /// Whether an operator sent the event again after it was dead-lettered.
    public var isReplay: Bool { handling.replayCount > 0 }
    /// How many times the event was sent again after it was dead-lettered.
    public var replayCount: Int { handling.replayCount }
    /// The topic the event was published to, also when this attempt comes from the retry topic.
    public var topic: String { handling.origin.topic }
    /// The partition of `topic` the event was published to.
    public var partition: Int32 { handling.origin.partition }
    /// The event's offset in its partition of `topic`.
    public var offset: Int64 { handling.origin.offset }
    /// The timestamp of the record as it was published.
    public var timestamp: KafkaTimestamp { handling.origin.timestamp }
    /// The record as it was read, with all its headers.
    public var record: KafkaRecord { handling.original }

    /// A logger whose lines name the service, the event and its place.
    public var logger: Logger {
        var logger = processor.settings.logger
        logger[metadataKey: LogKey.service] = service
        logger[metadataKey: LogKey.route] = routeName
        logger[metadataKey: LogKey.eventID] = eventID
        logger[metadataKey: LogKey.correlationID] = correlationID
        logger[metadataKey: LogKey.topic] = topic
        logger[metadataKey: LogKey.partition] = String(partition)
        logger[metadataKey: LogKey.offset] = String(offset)
        if attempt > 1 { logger[metadataKey: LogKey.attempt] = String(attempt) }
        return logger
    }
}
