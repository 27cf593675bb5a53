// One flow with everything that is known of it: its events, who did what with them, and who owes what.

public import Troupe

/// One flow with everything that is known of it.
///
/// It is computed when it is asked for, so that what is late is late by the reader's clock.
public struct FlowDetail: Sendable, Hashable, Codable {
    /// The flow as a line of a list, with the status of this moment.
    public var summary: FlowSummary
    /// How it stands and why, in a sentence.
    public var verdict: Verdict
    /// Its events by time; those that others cause stand behind their causes.
    public var events: [FlowEvent]
    /// What services did with the events, and what they owe: by event, then by service.
    ///
    /// Steps with the status `owed` and `waiting` are those that should have happened and have not.
    public var steps: [FlowStep]
    /// Whether the flow has more events or attempts than are given here.
    public var isTruncated: Bool

    /// Describes a flow.
    public init(
        summary: FlowSummary, verdict: Verdict, events: [FlowEvent], steps: [FlowStep], isTruncated: Bool = false
    ) {
        self.summary = summary
        self.verdict = verdict
        self.events = events
        self.steps = steps
        self.isTruncated = isTruncated
    }
}

/// An event of a flow, without its payload; `FlowStore.payload(ofEvent:inFlow:)` has that.
public struct FlowEvent: Sendable, Hashable, Codable, Identifiable {
    /// The event's id.
    public var id: String
    /// Its type.
    public var type: String
    /// Who published it, such as `/services/inventory`.
    public var source: String
    /// The topic it was read from.
    public var topic: String
    /// The partition of `topic`.
    public var partition: Int32
    /// The offset in the partition.
    public var offset: Int64
    /// When it happened, in milliseconds since 1970.
    public var time: Int64
    /// Its subject.
    public var subject: String?
    /// The id of the event that caused it; `nil` for one that starts a flow.
    public var causationID: String?
    /// Whether it has no payload, which compaction takes as "deleted".
    public var isTombstone: Bool
    /// How it ends its flow, as some service declared; `nil` when it does not.
    public var ending: FlowEnding?

    /// Describes an event.
    public init(
        id: String, type: String, source: String, topic: String, partition: Int32, offset: Int64, time: Int64,
        subject: String? = nil, causationID: String? = nil, isTombstone: Bool = false, ending: FlowEnding? = nil
    ) {
        self.id = id
        self.type = type
        self.source = source
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.time = time
        self.subject = subject
        self.causationID = causationID
        self.isTombstone = isTombstone
        self.ending = ending
    }
}

/// What one service did with one event, or owes it.
public struct FlowStep: Sendable, Hashable, Codable {
    /// The service.
    public var service: String
    /// The event's id.
    public var event: String
    /// The event's type.
    public var type: String
    /// How the service stands with the event.
    public var status: StepStatus
    /// The types that come of handling the event, as the service declares.
    public var publishes: [String]
    /// How many of `publishes` come; `nil` when the service declares no route for the event any more.
    public var cardinality: RouteDeclaration.Cardinality?
    /// The type whose effect the step undoes; `nil` when it undoes none.
    public var compensates: String?
    /// Until when the step is to be done, in milliseconds since 1970; `nil` when it is done or nobody declared it.
    public var owedAt: Int64?
    /// Why it is not done; `nil` when it is.
    public var delay: StepDelay?
    /// When the first attempt began, in milliseconds since 1970; `nil` before that.
    public var startedAt: Int64?
    /// When the last attempt ended, in milliseconds since 1970; `nil` when another is to come.
    public var endedAt: Int64?
    /// The attempts in their order.
    public var attempts: [FlowAttempt]
    /// The ids of the events that came of it.
    public var published: [String]

    /// Describes a step.
    public init(
        service: String, event: String, type: String, status: StepStatus, publishes: [String] = [],
        cardinality: RouteDeclaration.Cardinality? = nil, compensates: String? = nil, owedAt: Int64? = nil,
        delay: StepDelay? = nil, startedAt: Int64? = nil, endedAt: Int64? = nil, attempts: [FlowAttempt] = [],
        published: [String] = []
    ) {
        self.service = service
        self.event = event
        self.type = type
        self.status = status
        self.publishes = publishes
        self.cardinality = cardinality
        self.compensates = compensates
        self.owedAt = owedAt
        self.delay = delay
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.attempts = attempts
        self.published = published
    }
}

/// One attempt of a service at an event.
public struct FlowAttempt: Sendable, Hashable, Codable {
    /// The number of the attempt, from 1; 0 for an event that followed an earlier one of its key unhandled.
    public var number: Int
    /// How many times an operator had sent the event again.
    public var replays: Int
    /// The instance that made it.
    public var instance: String
    /// How it ended.
    public var outcome: TaskReport.Outcome
    /// When it began, in milliseconds since 1970.
    public var startedAt: Int64
    /// How long it took, in microseconds.
    public var microseconds: Int64
    /// Before when the next attempt is not made, in milliseconds since 1970.
    public var notBefore: Int64?
    /// What it failed by.
    public var failure: TaskReport.Failure?
    /// The ids of the events it published.
    public var published: [String]
    /// The retry or dead-letter topic it sent the event to; `nil` when it sent it to neither, or did not say so.
    public var sentTo: String?

    /// Describes an attempt.
    public init(
        number: Int, replays: Int, instance: String, outcome: TaskReport.Outcome, startedAt: Int64,
        microseconds: Int64, notBefore: Int64? = nil, failure: TaskReport.Failure? = nil, published: [String] = [],
        sentTo: String? = nil
    ) {
        self.number = number
        self.replays = replays
        self.instance = instance
        self.outcome = outcome
        self.startedAt = startedAt
        self.microseconds = microseconds
        self.notBefore = notBefore
        self.failure = failure
        self.published = published
        self.sentTo = sentTo
    }

    /// When it ended, in milliseconds since 1970.
    public var endedAt: Int64 { startedAt.addingSaturated(microseconds / 1_000) }
}

extension FlowEvent {
    /// The service that publishes with this source; `nil` for a source that is no service.
    static func service(ofSource source: String) -> String? {
        let path = "/services/"
        guard source.hasPrefix(path), source.utf8.count > path.utf8.count else { return nil }
        return String(source.dropFirst(path.count))
    }
}

/// The payload of an event, as far as it is kept.
public struct StoredPayload: Sendable, Hashable {
    /// The first bytes of the payload, all of them unless `isTruncated`; `nil` for a tombstone.
    public var bytes: [UInt8]?
    /// The media type of the bytes.
    public var contentType: String?
    /// How many bytes the payload has.
    public var byteCount: Int

    /// Describes a payload.
    public init(bytes: [UInt8]?, contentType: String?, byteCount: Int) {
        self.bytes = bytes
        self.contentType = contentType
        self.byteCount = byteCount
    }

    /// Whether only the beginning is kept.
    public var isTruncated: Bool { byteCount > bytes?.count ?? 0 }
}
