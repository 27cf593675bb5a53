// The key of an event: what it is about.

package import KafkaClient

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What an event is about, such as an order's number: the record's key.
///
/// Events of one key on one topic are kept in order. A key is text on the wire, or bytes where it was made from bytes
/// that are no text. Two keys are equal when their bytes are. Texts of up to 15 bytes need no allocation.
public struct EventKey: Sendable {
    private enum Storage: Sendable {
        case none
        case text(String)
        /// Bytes that are not valid UTF-8.
        case bytes([UInt8])
    }

    private let storage: Storage

    /// No key: the record has no order and goes to any partition.
    public static let none = EventKey(storage: .none)

    private init(storage: Storage) { self.storage = storage }

    /// A key of text.
    public init(_ text: String) { storage = .text(text) }

    /// A key of a UUID, written as 36 lower-case characters.
    public init(_ uuid: UUID) { storage = .text(EventID(uuid).text) }

    /// A key of an integer, written in decimal.
    public init(_ integer: some BinaryInteger) { storage = .text(String(integer)) }

    /// A key of bytes.
    ///
    /// Bytes that are valid UTF-8 make the same key as their text.
    public init(bytes: some Collection<UInt8>) {
        if let text = String(validating: bytes, as: UTF8.self) {
            storage = .text(text)
        } else {
            storage = .bytes(Array(bytes))
        }
    }

    /// A key of a record: `nil` bytes make `.none`.
    package init(recordKey bytes: RecordBytes?) {
        self = bytes.map { EventKey(bytes: $0) } ?? .none
    }

    /// The key of a record.
    init(of record: KafkaRecord) {
        let key = record.keySlice
        guard !key.isNull else {
            self = .none
            return
        }
        storage = record.withUnsafeBytes(of: key) { bytes in
            if let text = String(ascii: bytes) { return .text(text) }
            return String(validating: bytes, as: UTF8.self).map { .text($0) } ?? .bytes(Array(bytes))
        }
    }

    /// The key's text; `nil` when there is no key or when it is bytes that are no text.
    public var text: String? {
        if case .text(let text) = storage { text } else { nil }
    }

    /// Whether there is no key.
    public var isNone: Bool {
        if case .none = storage { true } else { false }
    }

    /// The key's bytes on the wire; `nil` when there is no key.
    public var bytes: [UInt8]? { withBytes { $0.map { Array($0) } } }

    /// Calls `body` with the key's bytes, or `nil` when there is no key.
    ///
    /// They are valid only during the call.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer?) throws -> Result) rethrows -> Result {
        switch storage {
        case .none: return try body(nil)
        case .text(var text): return try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
        case .bytes(let bytes): return try bytes.withUnsafeBytes { try body($0) }
        }
    }
}

extension EventKey: Hashable {
    /// Compares the bytes on the wire.
    public static func == (a: EventKey, b: EventKey) -> Bool {
        switch (a.storage, b.storage) {
        case (.none, .none): true
        case (.text(let a), .text(let b)): a.utf8.elementsEqual(b.utf8)
        case (.bytes(let a), .bytes(let b)): a == b
        default: false
        }
    }

    /// Hashes the bytes on the wire.
    public func hash(into hasher: inout Hasher) {
        withBytes { bytes in
            if let bytes { hasher.combine(bytes: bytes) }
        }
    }
}

extension EventKey: Codable {
    /// Reads a plain string; null is `.none`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = container.decodeNil() ? .none : EventKey(try container.decode(String.self))
    }

    /// Writes a plain string, and null for `.none`.
    ///
    /// Throws `EncodingError` when the key is bytes that are no text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch storage {
        case .none: try container.encodeNil()
        case .text(let text): try container.encode(text)
        case .bytes:
            throw EncodingError.invalidValue(
                self,
                EncodingError.Context(codingPath: encoder.codingPath, debugDescription: "The key's bytes are no text"))
        }
    }
}

extension EventKey: ExpressibleByStringLiteral, CustomStringConvertible {
    /// A key of literal text.
    public init(stringLiteral value: String) { self.init(value) }

    /// The text, bytes as `0x` and hexadecimal digits, or nothing for `.none`.
    public var description: String {
        switch storage {
        case .none: ""
        case .text(let text): text
        case .bytes(let bytes): "0x" + Hex.text(of: bytes)
        }
    }
}
