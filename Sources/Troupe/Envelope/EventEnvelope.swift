// The attributes of an event as people read them.

import EventJSON
public import KafkaClient

/// The envelope of an event: the attributes of CloudEvents 1.0, the correlation extension and the trace context.
public struct EventEnvelope: Sendable, Hashable {
    /// The event's id, unique within its source (`ce_id`).
    public var id: String
    /// Who published the event (`ce_source`), such as `/services/inventory`.
    public var source: String
    /// The event's type (`ce_type`).
    public var type: EventType
    /// When the event happened, in milliseconds since 1970 (`ce_time`); `nil` when it is missing or no RFC 3339 time.
    public var time: Int64?
    /// The business key people search for (`ce_subject`).
    public var subject: String?
    /// Where the schema of the bytes is found (`ce_dataschema`).
    public var dataSchema: String?
    /// The flow the event belongs to (`ce_correlationid`).
    public var correlationID: String?
    /// The id of the event that caused this one (`ce_causationid`); `nil` for an event that starts a flow.
    public var causationID: String?
    /// The media type of the bytes (`content-type`).
    public var contentType: String?
    /// The trace context of the last hop (`traceparent`), when it is valid by W3C Trace Context.
    public var traceParent: String?
    /// The vendors' part of the trace context (`tracestate`).
    public var traceState: String?

    /// Reads the envelope of a record in binary or structured mode.
    ///
    /// Throws `EnvelopeFailure` when the headers do not make an event.
    public init(_ record: KafkaRecord) throws(EnvelopeFailure) {
        let record = try StructuredMode.normalized(record)
        let raw = RawEnvelope(scanning: record)
        guard !raw.isForeign else {
            throw EnvelopeFailure(.notCloudEvent, "The record has no CloudEvents headers")
        }
        try raw.checkType(in: record, isKnown: false)
        try raw.check(in: record)
        self.init(raw, in: record)
    }

    /// Makes text of checked places.
    init(_ raw: RawEnvelope, in record: KafkaRecord) {
        id = record.text(of: raw.id) ?? ""
        source = record.text(of: raw.source) ?? ""
        type = EventType(record.text(of: raw.type) ?? "")
        time = record.withUnsafeBytes(of: raw.time) { RFC3339.milliseconds($0) }
        subject = record.text(of: raw.subject)
        dataSchema = record.text(of: raw.dataSchema)
        correlationID = record.text(of: raw.correlationID)
        causationID = record.text(of: raw.causationID)
        contentType = record.text(of: raw.contentType)
        let trace = record.withUnsafeBytes(of: raw.traceParent) { TraceContext($0) }
        traceParent = trace?.text
        traceState = trace == nil ? nil : record.text(of: raw.traceState)
    }
}

extension EventEnvelope {
    /// The most bytes an attribute may have: an event with a longer one is not read.
    package static var maxAttributeBytes: Int { RawEnvelope.maxAttributeBytes }
}
