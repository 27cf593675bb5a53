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
            self = .value(Self.canonical(try decode()))
        } catch let error as DecodingError {
            self = Self.of(error)
        } catch {
            self = .failure("\(type(of: error))")
        }
    }

    /// A description in which dictionaries have an order.
    private static func canonical(_ value: Any) -> String {
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .dictionary:
            return "[" + mirror.children.map { canonical($0.value) }.sorted().joined(separator: ", ") + "]"
        case .some(.struct), .some(.enum), .some(.tuple), .some(.collection), .some(.optional):
            guard !mirror.children.isEmpty else { return String(reflecting: value) }
            return "\(mirror.subjectType)("
                + mirror.children.map { "\($0.label ?? ""): \(canonical($0.value))" }.joined(separator: ", ") + ")"
        default: return String(reflecting: value)
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
    /// Whether numbers are tried as integers.
    var readsIntegers: Bool { name.contains("Int") || name == "AnyJSON" || name == "Mixed" }
    /// Foundation reads the members of dictionaries in an order of their own, and so finds another error first.
    private var hasAnyOrder: Bool { name.contains("Dictionary") || name == "Mixed" || name == "AnyJSON" }

    /// What the two coders make of a document, if it is not the same; `nil` when it is.
    ///
    /// Foundation looks at strings and numbers only when they are asked for. So where this module finds no JSON,
    /// Foundation may find another error, or none; but reading all of the document it finds one as well.
    func difference(on document: [UInt8]) -> String? {
        let ours = byEventJSON(document)
        let foundations = byFoundation(document)
        guard ours != foundations else { return nil }
        switch (ours, foundations) {
        case (.failure(let text), .failure(let other)):
            // Of null for a Bool Foundation says that the type is another.
            if hasAnyOrder || text.replacing("no value", with: "type mismatch") == other { return nil }
        case (.failure, .syntax): if hasAnyOrder { return nil }
        case (.syntax, _):
            if case .failure = foundations, hasAnyOrder { return nil }
            if Leniency.isIn(document) { return nil }
            guard case .value = Self.everything.byFoundation(document), Self.isWellFormed(document) else { return nil }
        default: break
        }
        if Misreading.ofZero(document) || readsIntegers && Misreading.ofLongNumber(document) { return nil }
        return "\(name) of \(String(decoding: document, as: UTF8.self)): \(ours), but by Foundation \(foundations)"
    }

    /// Whether Foundation finds no fault either when it reads what nobody asks for, such as a second member of one name.
    private static func isWellFormed(_ document: [UInt8]) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(document), options: .fragmentsAllowed)) != nil
    }

    /// A target that reads all of a document.
    private static let everything = Target(AnyJSON.self)

    init<Value: Decodable & SendableMetatype>(
        _ type: Value.Type, _ describe: @escaping @Sendable (Value) -> Any = { $0 }
    ) {
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
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else {
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

/// Numbers that Foundation misreads, and this module does not: `ParityTests` has them one by one.
enum Misreading {
    /// Zero with a capital exponent, such as `0E1`: Foundation refuses it as a Double.
    static func ofZero(_ bytes: [UInt8]) -> Bool {
        numbers(bytes).contains {
            $0.contains(UInt8(ascii: "E"))
                && $0.prefix { $0 | 0x20 != UInt8(ascii: "e") }.allSatisfy { !(0x31...0x39).contains($0) }
        }
    }

    /// More digits than a Double holds, and a fraction or an exponent: as integers Foundation rounds or cuts them.
    static func ofLongNumber(_ bytes: [UInt8]) -> Bool {
        numbers(bytes).contains { number in
            number.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
                && number.count > 12
        }
    }

    private static func numbers(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split { byte in
            !((0x30...0x39).contains(byte) || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
                || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-"))
        }
    }
}
