// One record on its way to a handler: what classification found out about it.

import EventJSON
package import KafkaClient

/// A record that a route handles.
///
/// Made once by `RecordProcessor.classify`; every attempt uses it.
package final class Handling: Sendable {
    /// The record as it was read.
    package let original: KafkaRecord
    /// The route that handles it.
    package let route: Route
    /// Where the record was published: where it was read, unless that is a retry topic.
    package let origin: RecordOrigin
    /// Whether the record was read from a retry topic.
    package let isFromRetryTopic: Bool
    /// Milliseconds since 1970 before which the record must not be handled; `nil` for at once.
    package let notBefore: Int64?
    /// The number of the first attempt to make, from 1.
    package let attempt: Int
    /// When the event failed for the first time, in milliseconds since 1970; `nil` while it has not.
    package let firstFailedAt: Int64?
    /// How many times an operator sent the event again.
    package let replayCount: Int

    /// The record in binary mode, whose bytes the envelope points into; usually `original`.
    let record: KafkaRecord
    let envelope: RawEnvelope
    let upcasts: [Upcast]

    init(
        original: KafkaRecord, record: KafkaRecord, envelope: RawEnvelope, route: Route, upcasts: [Upcast],
        origin: RecordOrigin, failure: FailureHeaders?, notBefore: Int64?
    ) {
        self.original = original
        self.record = record
        self.envelope = envelope
        self.route = route
        self.upcasts = upcasts
        self.origin = origin
        self.notBefore = notBefore
        isFromRetryTopic = failure != nil
        attempt = (failure?.attempt ?? 0) + 1
        firstFailedAt = failure?.firstFailedAt
        replayCount = failure?.replayCount ?? 0
    }

    /// How long the record still has to wait at the wall clock's time `now`, both in milliseconds; zero when it is due.
    ///
    /// Never longer than its writer meant it to wait, by the record's own timestamp: a clock that was set back since
    /// then must not make a delay of a second one of an hour. A clock that was set forward cannot be told from time
    /// that has passed.
    package func delay(now: Int64) -> Int64 {
        guard let notBefore else { return 0 }
        guard notBefore > now else { return 0 }
        let (difference, overflow) = notBefore.subtractingReportingOverflow(now)
        let left = overflow ? .max : difference
        let written = original.timestamp
        guard written.kind == .createTime, 0 <= written.milliseconds, written.milliseconds <= notBefore else {
            return left
        }
        return min(left, notBefore - written.milliseconds)
    }

    /// The event's attributes.
    package var eventEnvelope: EventEnvelope { EventEnvelope(envelope, in: record) }
    /// The event's id.
    package var eventID: String { record.text(of: envelope.id) ?? "" }
    /// The event's type on the wire; empty for records that have none.
    package var eventType: String { record.text(of: envelope.type) ?? "" }
    /// The flow's id: the correlation id, or the event's own id when it has none.
    package var correlationID: String { record.text(of: correlation) ?? "" }
    /// Where the flow's id lies in `record`.
    var correlation: RecordSlice { envelope.correlationID.count > 0 ? envelope.correlationID : envelope.id }
    /// The event's time in milliseconds since 1970.
    var time: Int64? { record.withUnsafeBytes(of: envelope.time) { RFC3339.milliseconds($0) } }
    /// The trace the event belongs to; `nil` when it is missing or invalid.
    var traceContext: TraceContext? { record.withUnsafeBytes(of: envelope.traceParent) { TraceContext($0) } }

    /// The same handling with another record in place of the one its event is read from.
    func with(_ record: KafkaRecord) -> Handling {
        Handling(self, record)
    }

    private init(_ other: Handling, _ record: KafkaRecord) {
        original = other.original
        self.record = record
        envelope = RawEnvelope(scanning: record)
        route = other.route
        upcasts = other.upcasts
        origin = other.origin
        notBefore = other.notBefore
        isFromRetryTopic = other.isFromRetryTopic
        attempt = other.attempt
        firstFailedAt = other.firstFailedAt
        replayCount = other.replayCount
    }

    /// Decodes the value.
    func decode<Input: Event>(_ decode: (UnsafeRawBufferPointer) throws -> Input) throws -> Input {
        do {
            guard upcasts.isEmpty else { return try upcasted() }
            return try record.withUnsafeBytes(of: record.valueSlice, decode)
        } catch { throw DecodeFailure(type: EventType(eventType), underlying: error) }
    }

    /// Decodes an older event and turns it into what the route handles.
    private func upcasted<Input: Event>() throws -> Input {
        var event = try record.withUnsafeBytes(of: record.valueSlice) { bytes in try upcasts[0].decode(bytes) }
        for upcast in upcasts { event = try upcast.convert(event) }
        guard let event = event as? Input else { throw UpcastMismatch(expected: Input.type) }
        return event
    }
}
