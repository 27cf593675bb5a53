// `troupe dlt show`: one letter with its cause, origin, attempts, headers and payload.

import Foundation
import KafkaClient
import Troupe

/// Shows one letter.
struct DeadLetterShowCommand: Command {
    static let spec = CommandSpec(
        "dlt", "show", summary: "Show one dead letter: cause, origin, attempts, headers and payload.",
        discussion: """
            Without LETTER it shows the newest letter that the options choose. A payload that is no text is shown in
            hexadecimal.
            """,
        arguments: [
            Argument("LETTER", help: "a letter as 'dlt list' names it: TOPIC/PARTITION/OFFSET", isRequired: false)
        ], options: LetterFilter.options + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe dlt show shipping.payments.dlt/2/17", "the letter at offset 17 of partition 2"),
            Example("troupe dlt show --key=order-00042", "the newest letter about order-00042"),
        ])

    private let kafka: KafkaOptions
    private let filter: LetterFilter
    private let format: OutputFormat
    private let place: LetterPlace?

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        filter = LetterFilter(input)
        format = try OutputFormat(input)
        place = try input.argument(0).map { text in
            guard let place = LetterPlace(text) else {
                throw UsageError("'\(text.printable)' is not a letter's place, TOPIC/PARTITION/OFFSET")
            }
            return place
        }
        guard place != nil || !filter.isEmpty else {
            throw UsageError("Which letter? Name its place, or choose with --service, --topic, --fingerprint or --key")
        }
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let box = DeadLetterBox(cluster: cluster)
        let letter: DeadLetter
        if let place {
            letter = try await box.letter(at: place)
        } else {
            guard let newest = try await box.letters(matching: filter).max(by: { $0.writtenAt < $1.writtenAt }) else {
                throw CommandFailure.notFound(try await box.nothingMatches(filter))
            }
            letter = newest
        }
        let mark = try await ReplayLog(cluster).read().mark(of: letter)
        try console.show(LetterDetails(letter, mark), as: format)
    }
}

/// Everything about one letter.
struct LetterDetails: Report {
    let summary: LetterRow
    let errorType: String?
    let errorMessage: String?
    let correlationID: String?
    let originPartition: Int32?
    let originOffset: Int64?
    let originTime: Date?
    let firstFailedAt: Date?
    let valueOmittedBytes: Int?
    let headers: [HeaderLine]
    let payload: Payload

    struct HeaderLine: Encodable, Sendable, Equatable {
        let name: String
        let value: Payload
    }

    init(_ letter: DeadLetter, _ mark: ReplayMark?) {
        let failure = letter.headers
        summary = LetterRow(letter, mark)
        errorType = failure.errorType
        errorMessage = failure.errorMessage
        correlationID = letter.correlationID
        originPartition = failure.originPartition
        originOffset = failure.originOffset
        originTime = failure.originTimestamp.map { Date(milliseconds: $0) }
        firstFailedAt = failure.firstFailedAt.map { Date(milliseconds: $0) }
        valueOmittedBytes = failure.valueOmitted
        headers = letter.record.headers.map { HeaderLine(name: $0.name, value: Payload($0.value)) }
        payload = Payload(letter.record.value.map(Array.init))
    }

    func lines(_ style: Style) -> [String] {
        var lines: [String] = []
        func field(_ name: String, _ value: String?) {
            guard let value else { return }
            lines.append(style.bold(name.padding(toLength: 14, withPad: " ", startingAt: 0)) + value.printable)
        }
        field("letter", summary.letter)
        field("service", summary.service)
        field("cause", summary.failure)
        field("reason", summary.reason)
        field("attempts", summary.attempts.map(String.init))
        field("first failed", firstFailedAt.map { Timestamp.text($0) })
        field("dead-lettered", Timestamp.text(summary.writtenAt))
        field("replays", summary.replayCount > 0 ? String(summary.replayCount) : nil)
        field("replayed", summary.replayedAt.map { Timestamp.text($0) } ?? "no")
        field("event", summary.eventType.map { "\($0) \(summary.eventID ?? "without id")" })
        field("correlation", correlationID)
        field("key", summary.key)
        if let topic = summary.originTopic {
            let place = [originPartition.map { "partition \($0)" }, originOffset.map { "offset \($0)" }]
            let time = originTime.map { "at \(Timestamp.text($0))" }
            field("origin", (["topic \(topic)"] + (place + [time]).compactMap { $0 }).joined(separator: ", "))
        }
        field("fingerprint", summary.fingerprint)
        if let message = errorMessage, message.contains("\n") {
            lines += ["", style.bold("error")] + message.split(separator: "\n").map { "  " + String($0).printable }
        }
        lines += ["", style.bold("headers")]
        lines += headers.map { "  \($0.name.printable): \($0.value.singleLine)" }
        lines += ["", style.bold("payload") + " (\(payload.kind))"]
        if let valueOmittedBytes {
            lines.append(
                "  left out: \(valueOmittedBytes) bytes did not fit into the letter; the origin may still have them")
        }
        return lines + payload.lines.map { "  " + $0 }
    }
}

/// Bytes as people and JSON can read them.
enum Payload: Encodable, Sendable, Equatable {
    case none
    case json([String], text: String)
    case text(String)
    case binary([UInt8])

    init(_ bytes: [UInt8]?) {
        guard let bytes else {
            self = .none
            return
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            self = .binary(bytes)
            return
        }
        if let first = text.first(where: { !$0.isWhitespace }), first == "{" || first == "[",
            let value = try? JSONSerialization.jsonObject(with: Data(bytes)),
            let pretty = try? JSONSerialization.data(
                withJSONObject: value, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        {
            let lines = String(decoding: pretty, as: UTF8.self).split(separator: "\n").map { String($0).printable }
            self = .json(lines, text: text)
        } else {
            self = .text(text)
        }
    }

    /// What the bytes are, in words.
    var kind: String {
        switch self {
        case .none: "null"
        case .json(_, let text): "JSON, \(text.utf8.count) bytes"
        case .text(let text): "text, \(text.utf8.count) bytes"
        case .binary(let bytes): "binary, \(bytes.count) bytes"
        }
    }

    /// The bytes over several lines: JSON laid out, other text as it is, binary as offset, hexadecimal and ASCII.
    var lines: [String] {
        switch self {
        case .none: []
        case .json(let lines, _): lines
        case .text(let text): text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable }
        case .binary(let bytes): HexDump.lines(bytes)
        }
    }

    /// The bytes on one line.
    var singleLine: String {
        switch self {
        case .none: "null"
        case .json(_, let text), .text(let text): text.printable
        case .binary(let bytes): "0x" + bytes.map { HexDump.digits($0) }.joined()
        }
    }

    /// Text as a string, null as null, and bytes that are no text as an object with their hexadecimal digits.
    func encode(to encoder: any Encoder) throws {
        switch self {
        case .none:
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        case .json(_, let text), .text(let text):
            var container = encoder.singleValueContainer()
            try container.encode(text)
        case .binary(let bytes):
            var container = encoder.singleValueContainer()
            try container.encode(["hex": bytes.map { HexDump.digits($0) }.joined()])
        }
    }
}

/// Bytes as hexadecimal digits.
enum HexDump {
    /// Two digits.
    static func digits(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return text.count == 2 ? text : "0" + text
    }

    /// Sixteen bytes a line, after their offset and before what is printable of them.
    static func lines(_ bytes: [UInt8]) -> [String] {
        stride(from: 0, to: bytes.count, by: 16).map { start in
            let row = bytes[start..<min(start + 16, bytes.count)]
            let offset = String(start, radix: 16)
            let hex = row.map { digits($0) }.joined(separator: " ")
            let ascii = String(decoding: row.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
            return String(repeating: "0", count: max(0, 6 - offset.count)) + offset + "  "
                + hex.padding(toLength: 47, withPad: " ", startingAt: 0) + "  " + ascii
        }
    }
}
