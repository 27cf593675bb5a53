// Lets somebody watch what becomes of each record: the testing product, which must know when everything is settled.

package import KafkaClient

/// What happened to a record of a service.
package enum ProcessingStep: Sendable {
    /// A record was read.
    case read(KafkaRecord, Classification)
    /// An attempt at an event begins.
    case began(Handling, attempt: Int)
    /// An attempt succeeded; the records are to be published.
    case handled(Handling, attempt: Int, published: [PackedMessage])
    /// An attempt failed at a time in milliseconds since 1970.
    case failed(Handling, attempt: Int, error: ErrorSummary, at: Int64, FailureAction)
    /// A record goes to the retry topic unhandled, because an earlier one of its key waits there.
    case followed(Handling, PackedMessage)
    /// A record that cannot be handled, or whose events cannot be published, goes to the dead-letter topic.
    case deadLettered(KafkaRecord, letter: PackedMessage)
}

/// Watches what becomes of the records of a service.
///
/// Called on the service's own thread: it must be quick.
package protocol ProcessingObserver: Sendable {
    /// Notes a step of a record of `service`.
    func observe(_ step: ProcessingStep, of service: String)
}
