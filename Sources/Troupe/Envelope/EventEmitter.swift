// Makes records of events: stamps ids, correlation and trace, encodes, and checks the size.

import EventJSON
package import KafkaClient

/// What a record takes over from what caused it.
package enum EventCause: Sendable {
    /// An event that was handled: the records follow from it.
    case parent(Handling)
    /// Nothing: the records start a flow or join one, with ids that are random or derived from an idempotency key.
    case outside(correlationID: String?, idempotencyKey: String?)
}

/// Turns events into records, in the order they are emitted.
package struct EventEmitter: ~Copyable {
    private var publications = Publications.none
    /// The records made so far.
    package var messages: [PackedMessage] { publications.all }
    /// The id of the record made last.
    package private(set) var lastID: EventID?

    /// Values that are too large for their records, to be stored before these are published.
    package private(set) var claims: [Claim] = []

    private let publisher: PublisherIdentity
    private let parent: Handling?
    private let idempotencyKey: String?
    private let now: Int64
    private let random: FastRandom
    /// The trace that begins here, for records without a parent or whose parent has none.
    private var newTrace: TraceContext?
    private var flowID: String?
    private var ordinal: UInt32 = 0

    /// Begins a run of records.
    /// - Parameter now: milliseconds since 1970, the `ce_time` of all of them.
    package init(publisher: PublisherIdentity, cause: EventCause, now: Int64, random: FastRandom) {
        self.publisher = publisher
        self.now = now
        self.random = random
        switch cause {
        case .parent(let parent):
            self.parent = parent
            idempotencyKey = nil
        case .outside(let correlationID, let key):
            parent = nil
            idempotencyKey = key
            flowID =
                correlationID
                ?? key.map {
                    EventID.derived(fromIdempotencyKey: $0, service: publisher.service, type: "", ordinal: 0).text
                }
        }
    }

    /// Ends the run and hands out its records, with the values that are too large for them.
    consuming func finish() -> (Publications, [Claim]) { (publications, claims) }

    /// The flow the records belong to; `nil` before the first record of a new flow.
    package var correlationID: String? { parent?.correlationID ?? flowID }

    /// Makes the record of `event`.
    ///
    /// Throws `PublicationFailure` when the event cannot be encoded or its record would be too large.
    package mutating func emit<E: Event>(_ event: E) throws {
        let coder = E.coder
        try emit(event) { try coder.withEncoded($0, $1) }
    }

    /// Makes the record of `event`, which `encode` encodes: the coder's bytes go straight into the record.
    mutating func emit<E: Event>(
        _ event: E, _ encode: (E, (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        let stationery = publisher.stationery(of: E.self)
        do {
            try encode(event) { bytes in
                let isClaimed = bytes.count > publisher.claimThreshold
                let value = isClaimed ? UnsafeRawBufferPointer(rebasing: bytes[..<0]) : bytes
                let message = event.subject.withBytes { subject in
                    event.key.withBytes { key in
                        if let parent {
                            followOn(parent, stationery, key: key, value: value, subject: subject)
                        } else {
                            beginning(stationery, key: key, value: value, subject: subject)
                        }
                    }
                }
                ordinal &+= 1
                guard let message else { throw Unpublishable("Its record is larger than what can be kept") }
                let size = message.maxWireSize
                guard size <= publisher.maxMessageBytes else {
                    throw Unpublishable(
                        "Its record has \(size) bytes; at most \(publisher.maxMessageBytes) can be published")
                }
                if isClaimed, let lastID {
                    claims.append(Claim(message: publications.count, id: lastID.text, value: Array(bytes)))
                }
                publications.append(message)
            }
        } catch let unpublishable as Unpublishable {
            throw PublicationFailure(type: E.type, topic: E.topic, detail: unpublishable.reason)
        } catch {
            throw PublicationFailure(type: E.type, topic: E.topic, detail: "It cannot be encoded: \(error)")
        }
    }

    /// Why a record was not made of what was encoded.
    private struct Unpublishable: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// The bytes of the headers that every record has and that are not prepared, and of all fields' lengths.
    private static let fixedRoom =
        PackedWriter.room(0) * 9 + EventID.textBytes + RFC3339.byteCount + TraceContext.byteCount
        + [
            HeaderName.id, HeaderName.time, HeaderName.subject, HeaderName.correlationID, HeaderName.causationID,
            HeaderName.traceParent, HeaderName.traceState,
        ].reduce(0) { $0 + $1.utf8CodeUnitCount }

    /// The record of an event that follows from `parent`.
    private mutating func followOn(
        _ parent: Handling, _ stationery: EventStationery, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer,
        subject: UnsafeRawBufferPointer?
    ) -> PackedMessage? {
        let envelope = parent.envelope
        let record = parent.record
        return record.withUnsafeBytes(of: envelope.id) { parentID in
            let id = record.withUnsafeBytes(of: envelope.source) { source in
                EventID.followOn(
                    parentSource: source, parentID: parentID, parentTime: parent.time, tail: stationery.idTail,
                    ordinal: ordinal)
            }
            lastID = id
            let correlation = parent.correlation
            let capacity =
                Self.fixedRoom + stationery.headers.room + (key?.count ?? 0) + value.count + (subject?.count ?? 0)
                + correlation.count + parentID.count + envelope.traceState.count
            let isTraced = record.withUnsafeBytes(of: envelope.traceParent) { TraceContext.isValid($0) }
            if !isTraced, newTrace == nil { newTrace = TraceContext(startingWith: random) }
            return PackedMessage(topic: stationery.topic, capacity: capacity) { writer in
                writer.setKey(key)
                writer.setValue(value)
                writer.addHeaders(stationery.headers)
                writer.addHeader(HeaderName.id, size: EventID.textBytes) { id.write(to: $0) }
                writer.addHeader(HeaderName.time, size: RFC3339.byteCount) { RFC3339.write(now, to: $0) }
                if let subject { writer.addHeader(HeaderName.subject, subject) }
                record.withUnsafeBytes(of: correlation) { writer.addHeader(HeaderName.correlationID, $0) }
                writer.addHeader(HeaderName.causationID, parentID)
                if let newTrace, !isTraced {
                    let hop = newTrace.nextHop(random)
                    writer.addHeader(HeaderName.traceParent, size: TraceContext.byteCount) { hop.write(to: $0) }
                    return
                }
                record.withUnsafeBytes(of: envelope.traceParent) { trace in
                    writer.addHeader(HeaderName.traceParent, size: TraceContext.byteCount) {
                        TraceContext.writeNextHop(of: trace, span: random.next() | 1, to: $0)
                    }
                }
                guard !envelope.traceState.isNull else { return }
                record.withUnsafeBytes(of: envelope.traceState) { writer.addHeader(HeaderName.traceState, $0) }
            }
        }
    }

    /// The record of an event that no other event caused.
    private mutating func beginning(
        _ stationery: EventStationery, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer,
        subject: UnsafeRawBufferPointer?
    ) -> PackedMessage? {
        let id =
            idempotencyKey.map {
                EventID.derived(
                    fromIdempotencyKey: $0, service: publisher.service, type: stationery.type, ordinal: ordinal)
            } ?? EventID.flowStarter(milliseconds: now, random: random)
        lastID = id
        let flow = flowID ?? id.text
        flowID = flow
        let trace = newTrace ?? TraceContext(startingWith: random)
        newTrace = trace
        let hop = trace.nextHop(random)
        let capacity =
            Self.fixedRoom + stationery.headers.room + (key?.count ?? 0) + value.count + (subject?.count ?? 0)
            + flow.utf8.count
        return flow.withBytes { flow in
            PackedMessage(topic: stationery.topic, capacity: capacity) { writer in
                writer.setKey(key)
                writer.setValue(value)
                writer.addHeaders(stationery.headers)
                writer.addHeader(HeaderName.id, size: EventID.textBytes) { id.write(to: $0) }
                writer.addHeader(HeaderName.time, size: RFC3339.byteCount) { RFC3339.write(now, to: $0) }
                if let subject { writer.addHeader(HeaderName.subject, subject) }
                writer.addHeader(HeaderName.correlationID, flow)
                writer.addHeader(HeaderName.traceParent, size: TraceContext.byteCount) { hop.write(to: $0) }
            }
        }
    }
}

extension String {
    /// Calls `body` with the text's bytes, which are valid only during the call.
    @inline(__always)
    fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var text = self
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

extension String? {
    /// Calls `body` with the text's bytes, or with `nil` when there is none.
    ///
    /// They are valid only during the call.
    @inline(__always)
    fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
        guard let self else { return body(nil) }
        return self.withBytes { body($0) }
    }
}

/// A handler's event could not be made into a record.
///
/// It is not retried: the same handling would fail again.
public struct PublicationFailure: Error, Sendable, CustomStringConvertible {
    /// The event's type.
    public let type: EventType
    /// The topic it was to be published to.
    public let topic: Topic
    /// What is wrong.
    public let detail: String

    /// What could not be published where, and why.
    public var description: String { "The event \(type) cannot be published to the topic \(topic). \(detail)" }
}

/// Limits of Kafka's.
package enum KafkaLimits {
    /// The most bytes of a record when nothing else is configured: librdkafka's default `message.max.bytes`.
    package static let maxMessageBytes = 1_000_000
    /// The most bytes of a batch when nothing else is configured: librdkafka's default `batch.size`.
    package static let batchBytes = 1_000_000
    /// The room a dead letter gets beyond its input, for its failure headers.
    package static let failureHeadroom = 64 * 1024
    /// The longest name of a topic.
    package static let maxTopicNameBytes = 249
}

extension PackedMessage {
    /// The most bytes the record can take on the wire: its contents, the record's own fields (36 bytes at most), the
    /// lengths of each header's name and value (10), and the batch's fields (61).
    ///
    /// From Kafka's message format, version 2.
    package var maxWireSize: Int { byteCount + headerCount * 10 + 97 }
}
