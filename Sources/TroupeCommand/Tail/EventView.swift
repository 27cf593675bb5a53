// One record of a topic, as people and programs read it: place, envelope, headers, payload.

import Foundation
import KafkaClient
import Troupe

/// A record, decoded as far as it can be.
struct EventView: Encodable, Sendable, Equatable {
    let topic: String
    let partition: Int32
    let offset: Int64
    let timestamp: Date?
    let key: Payload?
    let eventType: String?
    let eventID: String?
    let source: String?
    let time: Date?
    let subject: String?
    let correlationID: String?
    let causationID: String?
    let contentType: String?
    let traceParent: String?
    /// Why the record is no event; `nil` when it is one.
    let problem: String?
    let headers: [LetterDetails.HeaderLine]
    let payload: DecodedPayload

    init(_ record: KafkaRecord) {
        topic = record.topic
        partition = record.partition
        offset = record.offset
        timestamp = record.timestamp.kind == .none ? nil : Date(milliseconds: record.timestamp.milliseconds)
        key = record.key.map { Payload(Array($0)) }
        var envelope: EventEnvelope?
        var problem: String?
        do throws(EnvelopeFailure) { envelope = try EventEnvelope(record) } catch { problem = error.detail }
        self.problem = problem
        // Of a record that is no proper event, what there is of it helps all the same.
        eventType = envelope?.type.rawValue ?? record.header("ce_type")
        eventID = envelope?.id ?? record.header("ce_id")
        source = envelope?.source ?? record.header("ce_source")
        time = envelope?.time.map { Date(milliseconds: $0) }
        subject = envelope?.subject
        correlationID = envelope?.correlationID ?? record.header("ce_correlationid")
        causationID = envelope?.causationID
        contentType = envelope?.contentType ?? record.header("content-type")
        traceParent = envelope?.traceParent
        headers = record.headers.map { LetterDetails.HeaderLine(name: $0.name, value: Payload($0.value)) }
        payload = DecodedPayload(record.value.map(Array.init))
    }

    /// How the payload is shown to people.
    enum PayloadForm: String, Sendable, CaseIterable {
        /// On one line.
        case line
        /// JSON laid out over several lines.
        case pretty
        /// Offsets, hexadecimal digits and ASCII.
        case hex
        /// Not at all.
        case none
    }

    /// The event for people: a line for place and type, one for the ids, and the payload.
    func lines(_ style: Style, headers showsHeaders: Bool, payload form: PayloadForm) -> [String] {
        let at = timestamp.map { Timestamp.text($0) } ?? "without time"
        let place = "\(topic)/\(partition)/\(offset)"
        var lines = [
            [
                style.dim(at), style.cyan(place), style.bold((eventType ?? "-").printable),
                key.map { "key=\($0.singleLine)" } ?? "without key",
            ].joined(separator: "  ")
        ]
        let ids = [("id", eventID), ("flow", correlationID), ("cause", causationID), ("from", source)]
            .compactMap { name, value in value.map { "\(style.dim(name)) \($0.printable)" } }
        if !ids.isEmpty { lines.append("  " + ids.joined(separator: "  ")) }
        if let problem { lines.append("  " + style.yellow("no event: \(problem.printable)")) }
        if showsHeaders { lines += headers.map { "  \(style.dim($0.name.printable + ":")) \($0.value.singleLine)" } }
        switch form {
        case .none: break
        case .line: lines.append("  " + payload.payload.singleLine)
        case .pretty: lines += payload.payload.lines.map { "  " + $0 }
        case .hex: lines += HexDump.lines(payload.bytes).map { "  " + $0 }
        }
        return lines
    }
}

/// A payload whose JSON, in the output of a program, is JSON again and not a string.
struct DecodedPayload: Encodable, Sendable, Equatable {
    let payload: Payload
    let bytes: [UInt8]

    init(_ bytes: [UInt8]?) {
        payload = Payload(bytes)
        self.bytes = bytes ?? []
    }

    func encode(to encoder: any Encoder) throws {
        if case .json(_, let text) = payload,
            let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        {
            try value.encode(to: encoder)
        } else {
            try payload.encode(to: encoder)
        }
    }
}
