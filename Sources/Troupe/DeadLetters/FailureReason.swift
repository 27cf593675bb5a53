// Why a record is in a retry or dead-letter topic.

/// Why a record was sent to the retry or the dead-letter topic: the header `troupe-reason`.
public struct FailureReason: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The name as it stands in the header.
    public let rawValue: String

    /// Names a reason.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The handler failed and is to be tried again.
    public static let retry = FailureReason(rawValue: "retry")
    /// The handler failed and no retries are left.
    public static let retriesExhausted = FailureReason(rawValue: "retries-exhausted")
    /// The handler failed with an error that is not retried.
    public static let notRetryable = FailureReason(rawValue: "not-retryable")
    /// The value cannot be decoded.
    public static let undecodable = FailureReason(rawValue: "undecodable")
    /// The value is null and no route handles tombstones.
    public static let tombstone = FailureReason(rawValue: "tombstone")
    /// No route handles the type, and the service does not skip such events.
    public static let unrouted = FailureReason(rawValue: "unrouted")
    /// What the handler returned cannot be published.
    public static let unpublishable = FailureReason(rawValue: "unpublishable")
    /// The record went after an earlier one of its key to keep their order.
    public static let follower = FailureReason(rawValue: "follower")
    /// An operator sent the record again.
    public static let replay = FailureReason(rawValue: "replay")

    /// The reason of a defect of the envelope.
    static func envelope(_ reason: EnvelopeFailure.Reason) -> FailureReason { FailureReason(rawValue: reason.rawValue) }

    /// The name.
    public var description: String { rawValue }
}

/// Why a record cannot be handled, found before any handler ran.
package struct RecordFailure: Error, Sendable, Hashable {
    /// The kind of failure.
    package var reason: FailureReason
    /// The error as headers hold it.
    package var error: ErrorSummary

    /// Describes a failure.
    package init(_ reason: FailureReason, _ error: ErrorSummary) {
        self.reason = reason
        self.error = error
    }

    init(_ failure: EnvelopeFailure) {
        self.init(.envelope(failure.reason), ErrorSummary(failure))
    }
}

/// The value of an event cannot be decoded.
///
/// Never retried: the same bytes would fail again.
public struct DecodeFailure: Error, Sendable, CustomStringConvertible {
    /// The event's type.
    public let type: EventType
    /// What the coder said.
    public let underlying: any Error

    /// Which type cannot be decoded, and why.
    public var description: String {
        "The value cannot be decoded as \(type): \((underlying as? DecodingError)?.plainText ?? "\(underlying)")"
    }
}
