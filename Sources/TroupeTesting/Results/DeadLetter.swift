// A record in a dead-letter topic.

public import KafkaClient
public import Troupe

/// A record in a dead-letter topic: the original, and what happened to it.
public struct DeadLetter: Sendable {
    /// The service that failed.
    public let service: String
    /// The topic the record was published to.
    public let topic: String
    /// The partition it was published to.
    public let partition: Int32
    /// Its offset there.
    public let offset: Int64
    /// Why it is here.
    public let reason: FailureReason
    /// How many attempts were made; 0 when the record never came to a handler.
    public let attempts: Int
    /// The type of the last error, such as `Shipping.CountryUnknown`.
    public let errorType: String
    /// The text of the last error.
    public let errorMessage: String
    /// When it failed for the first time, in milliseconds since 1970.
    public let firstFailedAt: Int64?
    /// How many times it was sent again before.
    public let replayCount: Int
    /// The original's key.
    public let key: [UInt8]?
    /// The original's value; `nil` for a tombstone and when it was left out because it did not fit.
    public let value: [UInt8]?
    /// The original's headers, in order.
    public let headers: [KafkaHeader]
    /// The event's envelope; `nil` when the headers do not make one.
    public let envelope: EventEnvelope?
    /// The letter itself, with all its headers.
    public let letter: KafkaRecord

    /// The event in the letter.
    ///
    /// - Throws: What the event's coder throws when the bytes are of something else.
    public func event<E: Event>(_ type: E.Type) throws -> E { try letter.decode(type) }

    init(_ letter: KafkaRecord, topic: String, service: String) {
        let failure = FailureHeaders(letter)
        self.service = failure.service ?? service
        self.topic = topic
        partition = failure.originPartition ?? -1
        offset = failure.originOffset ?? -1
        reason = failure.reason ?? FailureReason(rawValue: "")
        attempts = failure.attempt ?? 0
        errorType = failure.errorType ?? ""
        errorMessage = failure.errorMessage ?? ""
        firstFailedAt = failure.firstFailedAt
        replayCount = failure.replayCount ?? 0
        key = letter.key.map { Array($0) }
        value = letter.value.map { Array($0) }
        let own = Set(FailureHeaderName.all.map(\.text))
        headers = letter.headers.filter { !own.contains($0.name) }
        envelope = try? EventEnvelope(letter)
        self.letter = letter
    }
}
