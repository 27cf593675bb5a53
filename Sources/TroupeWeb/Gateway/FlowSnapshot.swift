// What is known of a flow at one moment.

public import KafkaClient
public import Troupe

/// One event of a flow.
public struct FlowEvent: Sendable, Hashable {
    /// The event's attributes.
    public var envelope: EventEnvelope
    /// The event's bytes; `nil` for a null value.
    public var data: [UInt8]?
    /// The partition it lies in.
    public var partition: TopicPartition
    /// Its offset in the partition.
    public var offset: Int64

    /// Describes an event.
    public init(envelope: EventEnvelope, data: [UInt8]?, partition: TopicPartition, offset: Int64) {
        self.envelope = envelope
        self.data = data
        self.partition = partition
        self.offset = offset
    }
}

extension FlowEvent {
    /// Takes an event out of its record; `nil` when the record is no event of a flow.
    init?(_ record: KafkaRecord) {
        guard let record = try? StructuredMode.normalized(record), let envelope = try? EventEnvelope(record),
            envelope.correlationID?.isEmpty == false
        else { return nil }
        self.init(
            envelope: envelope, data: record.value.map { Array($0) }, partition: record.topicPartition,
            offset: record.offset)
    }
}

/// What is known of a flow at one moment.
public struct FlowSnapshot: Sendable, Hashable {
    /// The flow's id, which its events carry as `ce_correlationid`.
    public var id: String
    /// How it ended; `nil` while it runs, as far as is known.
    public var outcome: FlowEnding?
    /// The event that ended it.
    public var ending: FlowEvent?
    /// Its events, in the order in which they were read.
    public var events: [FlowEvent]
    /// How many more events there were than are remembered.
    public var omittedEvents: Int
    /// A number that grows with everything that happens to the flow.
    var version = 0
    /// Whether it is known from its beginning: that it runs can only be said then.
    var isWhole = false
    /// Whether it cannot have begun before: what is not read of it here has not happened.
    ///
    /// The event with which a flow begins is published again where a request is repeated, maybe long after the flow's end.
    var isNew = false
    /// When the archive said last that it knows no end of it.
    var askedAt: ContinuousClock.Instant?

    /// Describes a flow.
    public init(
        id: String, outcome: FlowEnding? = nil, ending: FlowEvent? = nil, events: [FlowEvent] = [],
        omittedEvents: Int = 0
    ) {
        self.id = id
        self.outcome = outcome
        self.ending = ending
        self.events = events
        self.omittedEvents = omittedEvents
    }

    /// `running`, `completed` or `failed`.
    var status: String { outcome?.rawValue ?? "running" }

    /// This flow, as an archive knows it, with what was read of it since.
    func joined(with news: FlowSnapshot?) -> FlowSnapshot {
        guard let news else { return self }
        var flow = self
        flow.version = news.version
        flow.omittedEvents = max(omittedEvents, news.omittedEvents)
        flow.events += news.events.filter { event in
            !events.contains { $0.envelope.id == event.envelope.id && $0.envelope.source == event.envelope.source }
        }
        if outcome == nil {
            flow.outcome = news.outcome
            flow.ending = news.ending
        }
        return flow
    }
}

/// Answers for flows that a gateway does not remember itself, such as a flow store.
///
/// A gateway remembers the flows that it has read from their beginning lately. It asks the archive for others, for those
/// without an end that may have begun before, since a request with an `Idempotency-Key` may be repeated long after its
/// flow's end, and once more when the time is up that somebody waited for the end of one.
public protocol FlowArchive: Sendable {
    /// What is known of a flow, the events of each partition in the order of their offsets; `nil` when it is unknown.
    func flow(_ id: String) async throws -> FlowSnapshot?
}
