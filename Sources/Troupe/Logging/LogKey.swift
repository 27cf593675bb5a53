// The key of every structured value Troupe logs, in one place.

/// The keys of the values in log lines.
public enum LogKey {
    /// The service's name.
    public static let service = "service"
    /// The route that handled the event.
    public static let route = "route"
    /// The event's type.
    public static let eventType = "event_type"
    /// The event's id.
    public static let eventID = "event_id"
    /// The flow the event belongs to.
    public static let correlationID = "correlation_id"
    /// The topic of a record.
    public static let topic = "topic"
    /// The partition of a record.
    public static let partition = "partition"
    /// The offset of a record.
    public static let offset = "offset"
    /// Which attempt at an event, from 1.
    public static let attempt = "attempt"
    /// The error, in one line.
    public static let error = "error"
    /// The error's type.
    public static let errorType = "error_type"
    /// The fingerprint by which equal failures are grouped.
    public static let fingerprint = "fingerprint"
    /// Why a record was dead-lettered or skipped.
    public static let reason = "reason"
    /// How long something took, in milliseconds.
    public static let durationMilliseconds = "duration_ms"
    /// How long until the next attempt, in milliseconds.
    public static let delayMilliseconds = "delay_ms"
    /// How many of something.
    public static let count = "count"
    /// Partitions, as `topic[partition]` separated by spaces.
    public static let partitions = "partitions"
    /// librdkafka's name of what a line of its log concerns.
    public static let facility = "facility"
    /// The consumer group.
    public static let group = "group"
}
