// Makes records of events: stamps ids, correlation and trace, encodes, and checks the size.

import EventJSON
package import KafkaClient

/// What every record of one publisher has in common.
package struct PublisherIdentity: Sendable {
    /// The service's name, which is hashed into follow-on ids.
    package let service: String
    /// The CloudEvents source of what it publishes.
    package let source: String
    /// What is put before the name of each topic.
    package let namespace: String
    /// The most bytes a published record may have on the wire.
    package let maxMessageBytes: Int

    /// Values with more bytes than this are not put into their records: see `ClaimCheck`.
    package let claimThreshold: Int

    /// Describes a publisher.
    package init(
        service: String, namespace: String = "", maxMessageBytes: Int = KafkaLimits.maxMessageBytes,
        claimThreshold: Int = .max
    ) {
        self.claimThreshold = claimThreshold
        self.service = service
        self.namespace = namespace
        self.maxMessageBytes = maxMessageBytes
        source = "/services/\(service)"
    }

    /// The name of a topic on the broker.
    func brokerName(of topic: Topic) -> String { namespace.isEmpty ? topic.rawValue : namespace + topic.rawValue }
}

/// What a record takes over from what caused it.
package enum EventCause: Sendable {
    /// An event that was handled: the records follow from it.
    case parent(Handling)
    /// Nothing: the records start a flow or join one, with ids that are random or derived from an idempotency key.
    case outside(correlationID: String?, idempotencyKey: String?)
}

/// Turns events into records, in the order they are emitted.
package struct EventEmitter {
    /// The records made so far.
    package private(set) var messages: [PackedMessage] = []
    /// The id of the record made last.
    package private(set) var lastID: EventID?

    /// Values that are too large for their records, to be stored before these are published.
    package private(set) var claims: [Claim] = []

    private let publisher: PublisherIdentity
    private let parent: Handling?
    private let idempotencyKey: String?
    /// The trace of the parent, or the one that begins here.
    private let trace: TraceContext
    /// Whether the parent's part of the trace for vendors is taken over.
    private let keepsTraceState: Bool
    private let now: Int64
    private let random: FastRandom
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
            let inherited = parent.traceContext
            trace = inherited ?? TraceContext(startingWith: random)
            keepsTraceState = inherited != nil && !parent.envelope.traceState.isNull
        case .outside(let correlationID, let key):
            parent = nil
            idempotencyKey = key
            trace = TraceContext(startingWith: random)
            keepsTraceState = false
            flowID =
                correlationID
                ?? key.map {
                    EventID.derived(fromIdempotencyKey: $0, service: publisher.service, type: "", ordinal: 0).text
                }
        }
    }

    /// The flow the records belong to; `nil` before the first record of a new flow.
    package var correlationID: String? { parent?.correlationID ?? flowID }

    /// Makes the record of `event`.
    ///
    /// Throws `PublicationFailure` when the event cannot be encoded or its record would be too large.
    package mutating func emit<E: Event>(_ event: E) throws {
        let type = E.type.rawValue
        let coder = E.coder
        let topic = publisher.brokerName(of: E.topic)
        let claimThreshold = publisher.claimThreshold
        var claimed: [UInt8]?
        var message: PackedMessage
        do {
            // The coder's bytes go straight into the record.
            message = try coder.withEncoded(event) { value in
                let isClaimed = value.count > claimThreshold
                var message = PackedMessage(topic: topic, capacity: (isClaimed ? 0 : value.count) + 640)
                event.key.withBytes { message.setKey($0) }
                if isClaimed { claimed = Array(value) }
                message.setValue(isClaimed ? UnsafeRawBufferPointer(rebasing: value[..<0]) : value)
                return message
            }
        } catch {
            throw PublicationFailure(type: E.type, topic: E.topic, detail: "It cannot be encoded: \(error)")
        }
        let id = nextID(type)
        message.addHeader(HeaderName.specVersion, "1.0")
        message.addHeader(HeaderName.id, size: EventID.textBytes) { id.write(to: $0) }
        message.addHeader(HeaderName.type, type)
        message.addHeader(HeaderName.source, publisher.source)
        message.addHeader(HeaderName.time, size: RFC3339.byteCount) { RFC3339.write(now, to: $0) }
        if let subject = event.subject { message.addHeader(HeaderName.subject, subject) }
        message.addHeader(HeaderName.contentType, coder.contentType)
        if let schema = E.dataSchema { message.addHeader(HeaderName.dataSchema, schema) }
        if let parent {
            message.addHeader(HeaderName.correlationID, parent.correlation, of: parent.record)
            message.addHeader(HeaderName.causationID, parent.envelope.id, of: parent.record)
        } else {
            let flow = flowID ?? id.text
            flowID = flow
            message.addHeader(HeaderName.correlationID, flow)
        }
        let hop = trace.nextHop(random)
        message.addHeader(HeaderName.traceParent, size: TraceContext.byteCount) { hop.write(to: $0) }
        if keepsTraceState, let parent {
            message.addHeader(HeaderName.traceState, parent.envelope.traceState, of: parent.record)
        }
        let size = message.maxWireSize
        guard size <= publisher.maxMessageBytes else {
            throw PublicationFailure(
                type: E.type, topic: E.topic,
                detail: "Its record has \(size) bytes; at most \(publisher.maxMessageBytes) can be published")
        }
        if let claimed { claims.append(Claim(message: messages.count, id: id.text, value: claimed)) }
        // One record is the usual case: an array made for it is smaller than one that grows.
        if messages.isEmpty { messages = [message] } else { messages.append(message) }
        lastID = id
    }

    private mutating func nextID(_ type: String) -> EventID {
        defer { ordinal &+= 1 }
        if let parent {
            return parent.record.withUnsafeBytes(of: parent.envelope.source) { source in
                parent.record.withUnsafeBytes(of: parent.envelope.id) { id in
                    EventID.followOn(
                        parentSource: source, parentID: id, parentTime: parent.time, service: publisher.service,
                        type: type, ordinal: ordinal)
                }
            }
        }
        guard let idempotencyKey else { return EventID.flowStarter(milliseconds: now, random: random) }
        return EventID.derived(
            fromIdempotencyKey: idempotencyKey, service: publisher.service, type: type, ordinal: ordinal)
    }
}

extension PackedMessage {
    /// Appends a header whose value is copied out of a record.
    fileprivate mutating func addHeader(_ name: StaticString, _ slice: RecordSlice, of record: KafkaRecord) {
        record.withUnsafeBytes(of: slice) { addHeader(name, $0) }
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
