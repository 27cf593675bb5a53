// What is said about a failure in a log line.

/// A failure in one line, and its parts for structured logs.
package struct FailureSummary: Sendable, Hashable, CustomStringConvertible {
    package var service: String
    package var route: String?
    package var eventID: String?
    package var topic: String
    package var partition: Int32
    package var offset: Int64
    package var attempt: Int
    package var reason: FailureReason
    package var error: ErrorSummary

    /// What failed where, and why.
    package var description: String {
        let what = route.map { "\($0) " } ?? ""
        let attempts = attempt > 0 ? ", attempt \(attempt)" : ""
        return
            "\(what)at \(topic)[\(partition)] offset \(offset)\(attempts): \(reason): \(error.type): \(error.message)"
    }

    /// The parts, by the keys of logs.
    package var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKey.service: service, LogKey.topic: topic, LogKey.partition: String(partition),
            LogKey.offset: String(offset), LogKey.attempt: String(attempt), LogKey.reason: reason.rawValue,
            LogKey.errorType: error.type, LogKey.error: error.message, LogKey.fingerprint: error.fingerprint,
        ]
        metadata[LogKey.route] = route
        metadata[LogKey.eventID] = eventID
        return metadata
    }
}
