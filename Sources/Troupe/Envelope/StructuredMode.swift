// CloudEvents in Kafka's structured mode: the whole event is the record's value.

package import KafkaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Brings records into binary mode, so that everything after it knows one form only.
package enum StructuredMode {
    static let mediaType: StaticString = "application/cloudevents"

    /// The record in binary mode: itself, unless its content type says that it is structured.
    package static func normalized(_ record: KafkaRecord) throws(EnvelopeFailure) -> KafkaRecord {
        let envelope = RawEnvelope(scanning: record)
        return isStructured(envelope, record) ? try binary(record, envelope) : record
    }

    /// Whether the content type begins with `application/cloudevents`, in any case.
    static func isStructured(_ envelope: RawEnvelope, _ record: KafkaRecord) -> Bool {
        guard envelope.contentType.count >= mediaType.utf8CodeUnitCount else { return false }
        return record.withUnsafeBytes(of: envelope.contentType) { bytes in
            // What tells it from other kinds of application data.
            guard bytes[12] | 0x20 == UInt8(ascii: "c") else { return false }
            // Setting bit 5 makes letters lower-case and keeps the slash.
            return (0..<mediaType.utf8CodeUnitCount).allSatisfy { bytes[$0] | 0x20 == mediaType.utf8Start[$0] | 0x20 }
        }
    }

    /// The record in binary mode, made of a structured one.
    static func binary(_ record: KafkaRecord, _ envelope: RawEnvelope) throws(EnvelopeFailure) -> KafkaRecord {
        let contentType = (record.text(of: envelope.contentType) ?? "").lowercased()
        let format = contentType.prefix { $0 != ";" }
        guard format.trimmed() == "application/cloudevents+json" else {
            throw EnvelopeFailure(
                .malformedStructure,
                "Of structured events only application/cloudevents+json is read, one event to a record")
        }
        guard let value = record.value else {
            throw EnvelopeFailure(.malformedStructure, "The structured event has a null value")
        }
        var parts = StructuredParts()
        do { try value.withUnsafeBytes { try parts.read($0) } } catch let failure as EnvelopeFailure {
            throw failure
        } catch { throw EnvelopeFailure(.malformedStructure, "The structured event is no valid JSON object: \(error)") }
        // The trace headers and any others stand beside the event; attributes come from the event alone.
        var headers = record.headers.filter { !$0.name.hasPrefix("ce_") && $0.name != HeaderName.contentType.text }
        headers += parts.attributes
        headers.append(KafkaHeader(HeaderName.contentType.text, parts.contentType ?? "application/json"))
        return KafkaRecord(
            topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp,
            key: record.key.map { Array($0) }, value: parts.data, headers: headers)
    }
}

/// The attributes and the data of a structured event.
private struct StructuredParts {
    var attributes: [KafkaHeader] = []
    var contentType: String?
    var data: [UInt8]?

    mutating func read(_ json: UnsafeRawBufferPointer) throws {
        var members = try JSONMembers(json)
        var rawData: UnsafeRawBufferPointer?
        var base64: String?
        var seen: Set<String> = []
        while let (name, value) = try members.next() {
            guard seen.insert(name).inserted else {
                throw EnvelopeFailure(.malformedStructure, "The structured event has a member twice")
            }
            switch name {
            case "data": rawData = value.isJSONNull ? nil : value
            case "data_base64": base64 = value.isJSONNull ? nil : try JSONMembers.string(value)
            case "datacontenttype": contentType = value.isJSONNull ? nil : try JSONMembers.string(value)
            default: try addAttribute(name, value)
            }
        }
        guard rawData == nil || base64 == nil else {
            throw EnvelopeFailure(.malformedStructure, "The structured event has both data and data_base64")
        }
        if let base64 {
            guard let bytes = Data(base64Encoded: base64) else {
                throw EnvelopeFailure(.malformedStructure, "The member data_base64 is no base64")
            }
            data = Array(bytes)
        } else if let rawData {
            // Data that is no JSON stands in a JSON string (CloudEvents JSON format, section 3.1.1).
            data =
                isJSON || rawData.first != UInt8(ascii: "\"")
                ? Array(rawData) : Array(try JSONMembers.string(rawData).utf8)
        }
    }

    private var isJSON: Bool {
        guard let type = contentType?.lowercased().prefix(while: { $0 != ";" }).trimmed() else { return true }
        return type.hasSuffix("/json") || type.hasSuffix("+json")
    }

    private mutating func addAttribute(_ name: String, _ value: UnsafeRawBufferPointer) throws {
        guard !value.isJSONNull else { return }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw EnvelopeFailure(.malformedStructure, "The structured event has an attribute without a proper name")
        }
        let text: String
        switch value.first {
        case UInt8(ascii: "\""): text = try JSONMembers.string(value)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            throw EnvelopeFailure(.malformedStructure, "An attribute of the structured event is an object or an array")
        default: text = String(decoding: value, as: UTF8.self)
        }
        // Trace context travels in bare headers; as an attribute it is CloudEvents' tracing extension.
        let bare = name == HeaderName.traceParent.text || name == HeaderName.traceState.text
        attributes.append(KafkaHeader(bare ? name : "ce_\(name)", text))
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var isJSONNull: Bool { equals("null") }
}

extension StringProtocol {
    /// The text without spaces and tabs around it.
    fileprivate func trimmed() -> SubSequence {
        var text = self[...]
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return text.drop { $0 == " " || $0 == "\t" }
    }
}
