// What a record tells: pure decoding, no state.

internal import EventJSON
import KafkaClient
internal import Troupe

/// What a record of an event topic or of a system topic tells.
enum Observation: Sendable {
    /// An event.
    case event(ObservedEvent)
    /// What handlings did, and whether some of the reports cannot be read.
    case tasks(TaskBatch, isPartial: Bool)
    /// A service's declaration; `nil` where it was taken back.
    case declaration(service: String, fingerprint: String, ServiceDeclaration?)
    /// An instance's heartbeat; `nil` where it was taken back.
    case instance(service: String, instance: String, InstanceHeartbeat?)
    /// Nothing of a flow: a record that is no event, or that cannot be read.
    case nothing

    /// Reads a record.
    init(_ record: KafkaRecord, _ topics: SystemTopics) {
        switch record.topic {
        case topics.services: self = Self.registry(record)
        case topics.tasks:
            self = record.value?.withUnsafeBytes { Self.tasks($0) } ?? .nothing
        default:
            guard let envelope = try? EventEnvelope(record) else {
                self = .nothing
                return
            }
            self = .event(ObservedEvent(envelope, record))
        }
    }

    /// Reads reports; those of a newer service that cannot be read are left out, and the others count.
    private static func tasks(_ bytes: UnsafeRawBufferPointer) -> Observation {
        let decoder = EventJSONDecoder()
        if let batch = try? decoder.decode(TaskBatch.self, from: bytes) { return .tasks(batch, isPartial: false) }
        guard let readable = try? decoder.decode(ReadableTaskBatch.self, from: bytes) else { return .nothing }
        return .tasks(readable.batch, isPartial: readable.isPartial)
    }

    private static func registry(_ record: KafkaRecord) -> Observation {
        func decode<Value: Decodable>(_ type: Value.Type) -> Value? {
            record.value?.withUnsafeBytes { try? EventJSONDecoder().decode(type, from: $0) }
        }
        switch (record.key?.text).flatMap({ RegistryKey($0) }) {
        case .declaration(let service, let fingerprint):
            if record.isTombstone { return .declaration(service: service, fingerprint: fingerprint, nil) }
            // The key and the value must agree: the key is what compaction goes by.
            guard let declaration = decode(ServiceDeclaration.self), declaration.service == service else {
                return .nothing
            }
            return .declaration(service: service, fingerprint: fingerprint, declaration)
        case .instance(let service, let instance):
            if record.isTombstone { return .instance(service: service, instance: instance, nil) }
            guard let heartbeat = decode(InstanceHeartbeat.self), heartbeat.service == service,
                heartbeat.instance == instance
            else { return .nothing }
            return .instance(service: service, instance: instance, heartbeat)
        case nil: return .nothing
        }
    }
}

/// An event as it was read.
struct ObservedEvent: Sendable {
    /// The most bytes of a payload that are kept.
    static let maxPayloadBytes = 64 << 10

    /// The flow it belongs to: its correlation id, or its own id when it has none.
    var flow: String
    var event: FlowEvent
    var contentType: String?
    var byteCount: Int
    var payload: [UInt8]?

    init(_ envelope: EventEnvelope, _ record: KafkaRecord) {
        let correlation = envelope.correlationID ?? ""
        flow = correlation.isEmpty ? envelope.id : correlation
        event = FlowEvent(
            id: envelope.id, type: envelope.type.rawValue, source: envelope.source, topic: record.topic,
            partition: record.partition, offset: record.offset,
            time: envelope.time ?? max(0, record.timestamp.milliseconds), subject: envelope.subject,
            causationID: envelope.causationID, isTombstone: record.isTombstone)
        // The bytes are the record's, and so is what says how to read them: an event in structured mode is kept whole.
        contentType = record.header("content-type") ?? envelope.contentType
        byteCount = record.value?.count ?? 0
        payload = record.value.map { Array($0.prefix(Self.maxPayloadBytes)) }
    }
}
