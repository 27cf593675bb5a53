// What became of one attempt at an event: the records of the topic troupe.tasks.

/// What an instance of a service did, many handlings to a record of the topic `troupe.tasks`.
///
/// Reads both forms a record may have: with every member of each report, as it is encoded here, and without those that
/// follow from the report before or are as usual, as services write it.
public struct TaskBatch: Sendable, Hashable, Codable {
    /// The service's name.
    public var service: String
    /// The instance's name.
    public var instance: String
    /// What it did, in the order in which it ended.
    public var tasks: [TaskReport]

    /// Collects reports.
    public init(service: String, instance: String, tasks: [TaskReport]) {
        self.service = service
        self.instance = instance
        self.tasks = tasks
    }
}

/// What became of one attempt at an event by one service.
///
/// A report is acknowledged before the offset of its record is committed, so a handling that is done is never unknown.
/// After a crash one attempt may be reported twice: it has the same event, service and attempt.
public struct TaskReport: Sendable, Hashable, Codable {
    /// How an attempt ended.
    public enum Outcome: String, Sendable, Hashable, Codable {
        /// The handler succeeded.
        case handled
        /// The fallback took the handler's place.
        case fellBack = "fell-back"
        /// The handler failed, and the event waits in place for its next attempt.
        case retrying
        /// The event went to the retry topic: it failed, or it follows an earlier event of its key that did.
        case redirected
        /// The event went to the dead-letter topic.
        case deadLettered = "dead-lettered"
        /// The handler failed, and the policy says to go on.
        case ignored
    }

    /// What an attempt failed by.
    public struct Failure: Sendable, Hashable, Codable {
        /// The error's type.
        public var type: String
        /// What it says, at most 256 bytes.
        public var message: String

        /// Describes an error.
        public init(type: String, message: String) {
            self.type = type
            self.message = message
        }
    }

    /// The event's id; empty for a record that has none.
    public var event: String
    /// The flow's id; empty for a record that has none.
    public var flow: String
    /// The event's type; empty for a record that has none.
    public var type: String
    /// The topic the event was published to.
    public var topic: String
    /// The partition of `topic`.
    public var partition: Int32
    /// The offset in the partition.
    public var offset: Int64
    /// The number of the attempt, from 1; 0 when no handler saw the event, because it followed an earlier one or could
    /// not be read.
    public var attempt: Int
    /// How many times an operator sent the event again.
    public var replays: Int
    /// How the attempt ended.
    public var outcome: Outcome
    /// When the attempt began, in milliseconds since 1970.
    public var startedAt: Int64
    /// How long it took, in microseconds.
    public var microseconds: Int64
    /// The ids of the events it published, the first 500 of them; none where even those make the record too large.
    public var published: [String]
    /// Before when the next attempt will not be made, in milliseconds since 1970; `nil` when none is due.
    public var notBefore: Int64?
    /// What the attempt failed by; `nil` when it did not.
    public var failure: Failure?
    /// The retry or dead-letter topic the event was sent to; `nil` when it was sent to neither, and from services older than
    /// this member.
    public var sentTo: String?

    /// Describes an attempt.
    public init(
        event: String, flow: String, type: String, topic: String, partition: Int32, offset: Int64, attempt: Int,
        replays: Int, outcome: Outcome, startedAt: Int64, microseconds: Int64, published: [String], notBefore: Int64?,
        failure: Failure?, sentTo: String? = nil
    ) {
        self.event = event
        self.flow = flow
        self.type = type
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.attempt = attempt
        self.replays = replays
        self.outcome = outcome
        self.startedAt = startedAt
        self.microseconds = microseconds
        self.published = published
        self.notBefore = notBefore
        self.failure = failure
        self.sentTo = sentTo
    }
}
