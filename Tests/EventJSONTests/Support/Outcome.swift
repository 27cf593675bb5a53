// What a coder made of a document, in a form that two coders can be compared by.

import EventJSON
import Foundation
import Testing

/// What decoding a document came to.
enum Outcome: Equatable, CustomStringConvertible {
    /// The value, described down to the sign of zero.
    case value(String)
    /// The bytes are no JSON.
    case syntax
    /// The kind of the error and where it was.
    case failure(String)

    var description: String {
        switch self {
        case .value(let text): text
        case .syntax: "a syntax error"
        case .failure(let text): text
        }
    }

    init(_ decode: () throws -> Any) {
        do {
            self = .value(String(reflecting: try decode()))
        } catch let error as DecodingError {
            self = Self.of(error)
        } catch {
            self = .failure("\(type(of: error))")
        }
    }

    private static func of(_ error: DecodingError) -> Outcome {
        switch error {
        case .typeMismatch(_, let context): .failure("type mismatch at \(path(context))")
        case .valueNotFound(_, let context): .failure("no value at \(path(context))")
        case .keyNotFound(let key, let context): .failure("no key \(key.stringValue) at \(path(context))")
        // Foundation says the same of bytes that are no JSON and of numbers that do not fit, in a few forms.
        case .dataCorrupted: .syntax
        @unknown default: .failure("\(error)")
        }
    }

    private static func path(_ context: DecodingError.Context) -> String {
        context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: "/")
    }
}

/// A kind of value that both coders decode from a document.
struct Target: Sendable, CustomTestStringConvertible {
    let name: String
    let byEventJSON: @Sendable ([UInt8]) -> Outcome
    let byFoundation: @Sendable ([UInt8]) -> Outcome

    var testDescription: String { name }

    init<Value: Decodable & SendableMetatype>(_ type: Value.Type, _ describe: @escaping @Sendable (Value) -> Any = { $0 }) {
        name = "\(type)"
        byEventJSON = { bytes in Outcome { describe(try EventJSONDecoder().decode(Value.self, from: bytes)) } }
        byFoundation = { bytes in Outcome { describe(try JSONDecoder().decode(Value.self, from: Data(bytes))) } }
    }
}

/// Where Foundation is more lenient than RFC 8259, and this module is not.
enum Leniency {
    /// Whether a document has one of the forms that only Foundation accepts.
    static func isIn(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) || bytes.prefix(4).contains(0) || bytes.starts(with: [0xFE, 0xFF])
            || bytes.starts(with: [0xFF, 0xFE]) || bytes.last == 0 || hasTrailingComma(bytes)
    }

    private static func hasTrailingComma(_ bytes: [UInt8]) -> Bool {
        var inString = false
        var isEscaped = false
        var afterComma = false
        for byte in bytes {
            if inString {
                if isEscaped { isEscaped = false } else if byte == UInt8(ascii: "\\") { isEscaped = true } else {
                    inString = byte != UInt8(ascii: "\"")
                }
                continue
            }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): continue
            case UInt8(ascii: "}"), UInt8(ascii: "]"): if afterComma { return true }
            case UInt8(ascii: "\""): inString = true
            default: break
            }
            afterComma = byte == UInt8(ascii: ",")
        }
        return false
    }
}
