// Writes JSON whose parts are at hand as text or as JSON already.

import EventJSON

/// A JSON object that is written member by member.
struct JSONText: Sendable {
    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    /// Adds a member whose value is text; leaves it out when it is `nil`.
    mutating func add(_ name: String, _ value: String?) {
        guard let value else { return }
        begin(name)
        append(value)
    }

    /// Adds a member whose value is a whole number.
    mutating func add(_ name: String, _ value: some BinaryInteger) {
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    /// Adds a member whose value is JSON, which must be valid.
    mutating func add(_ name: String, json: some Sequence<UInt8>) {
        begin(name)
        bytes.append(contentsOf: json)
    }

    /// Adds a member whose value is a list of JSON values, which must be valid.
    mutating func add(_ name: String, list: [[UInt8]]) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        bytes.append(contentsOf: list.joined(separator: [UInt8(ascii: ",")]))
        bytes.append(UInt8(ascii: "]"))
    }

    /// The whole object.
    var finished: [UInt8] { bytes + [UInt8(ascii: "}")] }

    private mutating func begin(_ name: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        append(name)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Appends text in quotes, escaped by RFC 8259.
    private mutating func append(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0a: bytes.append(contentsOf: "\\n".utf8)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(Self.digit(byte >> 4))
                bytes.append(Self.digit(byte & 0xf))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// Whether bytes are one valid JSON value.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        (try? EventJSONDecoder().decode(Anything.self, from: bytes)) != nil
    }

    /// Any JSON value: that the document was read is all there is to know.
    private struct Anything: Decodable {
        init(from decoder: any Decoder) {}
    }
}
