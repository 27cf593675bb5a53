// The members of a JSON object without decoding them, so that data can be handed on byte for byte.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Walks over the members of one JSON object (RFC 8259).
///
/// Depth is bounded; anything malformed is an error.
struct JSONMembers {
    /// What is wrong with the JSON, and at which byte.
    struct Malformed: Error, CustomStringConvertible {
        let what: String
        let position: Int
        var description: String { "\(what) at byte \(position)" }
    }

    /// How deep objects and arrays may be nested.
    static let maxDepth = 512

    private let bytes: UnsafeRawBufferPointer
    private var index = 0
    private var isFirst = true

    /// Begins at the object's start.
    ///
    /// The bytes must outlive the walk.
    init(_ bytes: UnsafeRawBufferPointer) throws {
        self.bytes = bytes
        skipSpace()
        try expect(UInt8(ascii: "{"))
    }

    /// The next member: its name, and the bytes of its value.
    ///
    /// `nil` after the last.
    mutating func next() throws -> (name: String, value: UnsafeRawBufferPointer)? {
        skipSpace()
        if take(UInt8(ascii: "}")) {
            skipSpace()
            guard index == bytes.count else { throw malformed("Something follows the object") }
            return nil
        }
        if !isFirst {
            try expect(UInt8(ascii: ","))
            skipSpace()
        }
        isFirst = false
        let nameStart = index
        try skipString()
        let name = try Self.string(UnsafeRawBufferPointer(rebasing: bytes[nameStart..<index]))
        skipSpace()
        try expect(UInt8(ascii: ":"))
        skipSpace()
        let start = index
        try skipValue()
        return (name, UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
    }

    /// The text of a JSON string, quotes and escapes resolved.
    static func string(_ json: UnsafeRawBufferPointer) throws -> String {
        guard json.first == UInt8(ascii: "\"") else { throw Malformed(what: "Expected a string", position: 0) }
        return try JSONDecoder().decode(String.self, from: Data(json))
    }

    // A stack of closing brackets instead of recursion: hostile nesting cannot overflow the thread's stack.
    private mutating func skipValue() throws {
        var open: [UInt8] = []
        while true {
            skipSpace()
            guard index < bytes.count else { throw malformed("The JSON ends too early") }
            var ended = true
            switch bytes[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let close = bytes[index] == UInt8(ascii: "{") ? UInt8(ascii: "}") : UInt8(ascii: "]")
                guard open.count < Self.maxDepth else { throw malformed("The JSON is nested too deeply") }
                index += 1
                skipSpace()
                if !take(close) {
                    open.append(close)
                    if close == UInt8(ascii: "}") { try skipName() }
                    ended = false
                }
            case UInt8(ascii: "\""): try skipString()
            default: try skipScalar()
            }
            while ended {
                guard let close = open.last else { return }
                skipSpace()
                if take(close) {
                    open.removeLast()
                } else {
                    try expect(UInt8(ascii: ","))
                    skipSpace()
                    if close == UInt8(ascii: "}") { try skipName() }
                    ended = false
                }
            }
        }
    }

    private mutating func skipName() throws {
        try skipString()
        skipSpace()
        try expect(UInt8(ascii: ":"))
    }

    private mutating func skipString() throws {
        try expect(UInt8(ascii: "\""))
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return
            case UInt8(ascii: "\\"): index += 2
            case 0..<0x20: throw malformed("A control character stands in a string")
            default: index += 1
            }
        }
        throw malformed("A string does not end")
    }

    // Numbers, true, false, null: taken to the next delimiter; the coder that reads the data judges numbers.
    private mutating func skipScalar() throws {
        let start = index
        scan: while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "E"),
                UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                index += 1
            default: break scan
            }
        }
        let word = UnsafeRawBufferPointer(rebasing: bytes[start..<index])
        let isNumber = word.first.map { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) } ?? false
        guard isNumber || word.equals("true") || word.equals("false") || word.equals("null") else {
            throw malformed("Expected a value")
        }
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0a, 0x0d: index += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws {
        guard take(byte) else { throw malformed("Expected `\(Character(Unicode.Scalar(byte)))`") }
    }

    private func malformed(_ what: String) -> Malformed { Malformed(what: what, position: min(index, bytes.count)) }
}
