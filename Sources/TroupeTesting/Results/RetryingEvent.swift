// An event that waits for its next attempt.

public import Troupe

/// An event that failed and waits for its next attempt.
public struct RetryingEvent: Sendable {
    /// The service that failed.
    public let service: String
    /// The topic the event was published to.
    public let topic: String
    /// The partition it was published to.
    public let partition: Int32
    /// Its offset there.
    public let offset: Int64
    /// The event's envelope; `nil` when the headers do not make one.
    public let envelope: EventEnvelope?
    /// How many attempts were made.
    public let attempts: Int
    /// When the next attempt is due, in milliseconds since 1970; never made earlier.
    public let due: Int64
    /// Whether the event waits in the retry topic; else it waits in place, at the head of its key.
    public let isInRetryTopic: Bool
    /// The type of the last error.
    public let errorType: String
    /// The text of the last error.
    public let errorMessage: String
}
