// What is wrong with bytes that are no JSON, and where.

/// Bytes are not the JSON of RFC 8259, or beyond a limit.
///
/// It is the `underlyingError` of the `DecodingError.dataCorrupted` that `EventJSONDecoder` throws.
public struct JSONSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the document lacks or breaks.
    public enum Kind: String, Sendable, Hashable {
        /// The document ends before it is complete.
        case unexpectedEnd
        /// A byte cannot stand where it does.
        case unexpectedByte
        /// Something follows the document.
        case trailingBytes
        /// A string holds a control character, a wrong escape or half a surrogate pair.
        case invalidString
        /// A string is not UTF-8.
        case invalidUTF8
        /// A number is not written as JSON asks.
        case invalidNumber
        /// Objects and arrays are nested deeper than the decoder's `maxDepth`.
        case tooDeep
        /// There are more bytes than the decoder's `maxBytes`.
        case tooLarge
    }

    /// What kind of fault it is.
    public let kind: Kind
    /// The byte it was found at, counted from 0.
    public let byteOffset: Int
    /// What was expected and found, in words.
    public let description: String

    init(_ kind: Kind, at offset: Int, _ text: String) {
        self.kind = kind
        byteOffset = offset
        description = "\(text) at byte \(offset)"
    }
}

/// A fault as the tokenizer throws it: no text is made before somebody asks.
struct SyntaxFault: Error {
    let kind: JSONSyntaxError.Kind
    let offset: Int
    let expected: StaticString

    init(_ kind: JSONSyntaxError.Kind, at offset: Int, expected: StaticString) {
        self.kind = kind
        self.offset = offset
        self.expected = expected
    }

    /// The fault in words, with what `bytes` have at its place.
    func error(in bytes: UnsafeRawBufferPointer) -> JSONSyntaxError {
        switch kind {
        case .tooDeep, .tooLarge: return JSONSyntaxError(kind, at: offset, "\(expected)")
        case .unexpectedEnd: return JSONSyntaxError(kind, at: offset, "Expected \(expected), but the JSON ends")
        default:
            guard offset < bytes.count else {
                return JSONSyntaxError(.unexpectedEnd, at: offset, "Expected \(expected), but the JSON ends")
            }
            return JSONSyntaxError(kind, at: offset, "Expected \(expected), but found \(Self.name(of: offset, bytes))")
        }
    }

    private static func name(of offset: Int, _ bytes: UnsafeRawBufferPointer) -> String {
        let byte = bytes[offset]
        if bytes[offset...].starts(with: [0xEF, 0xBB, 0xBF]) { return "a byte order mark" }
        guard byte > 0x20, byte < 0x7F else { return "the byte 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))" }
        return "'\(Character(UnicodeScalar(byte)))'"
    }
}
