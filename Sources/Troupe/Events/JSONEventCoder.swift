// Events as JSON: by EventJSON, the usual way, or by Foundation's coders.

import EventJSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Codes events as JSON.
///
/// Dates are RFC 3339 in UTC with milliseconds, `Data` is base64, `Decimal` keeps every digit, and unknown fields
/// are ignored. Foundation's own defaults differ: a date would be seconds since 2001. Members are written in the order
/// in which the event encodes them, those of dictionaries sorted, so the same event gives the same bytes.
///
/// It is done by `EventJSON`, whose documentation lists what it does otherwise than Foundation; an event that must have
/// Foundation's results to the last detail declares `static let coder = FoundationJSONCoder<Self>()`.
public struct JSONEventCoder<Value: Codable & Sendable>: EventCoder {
    /// Creates a coder.
    public init() {}

    /// `application/json`.
    public var contentType: String { "application/json" }

    /// Returns the JSON of `value`.
    public func encode(_ value: Value) throws -> [UInt8] { try EventJSONEncoder().encode(value) }

    /// Calls `body` with the JSON of `value`, which lies in memory that is used again.
    public func withEncoded<Result>(
        _ value: Value, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result { try EventJSONEncoder().withEncodedBytes(of: value, body) }

    /// Reads a value from JSON.
    public func decode(_ bytes: UnsafeRawBufferPointer) throws -> Value {
        try EventJSONDecoder().decode(Value.self, from: bytes)
    }
}

/// Codes events as JSON by Foundation's coders, with the same rules for dates, data and decimals.
///
/// It takes several times as long as `JSONEventCoder`. Members are sorted by name.
///
/// ```swift
/// struct Imported: Event {
///     static let coder = FoundationJSONCoder<Self>()
///     ...
/// }
/// ```
public struct FoundationJSONCoder<Value: Codable & Sendable>: EventCoder {
    /// Creates a coder.
    public init() {}

    /// `application/json`.
    public var contentType: String { "application/json" }

    /// Returns the JSON of `value`.
    public func encode(_ value: Value) throws -> [UInt8] { Array(try FoundationRules.encoder.encode(value)) }

    /// Reads a value from JSON.
    public func decode(_ bytes: UnsafeRawBufferPointer) throws -> Value {
        try FoundationRules.decoder.decode(Value.self, from: Data(bytes))
    }
}

/// The rules of Troupe's JSON, for Foundation's coders.
private enum FoundationRules {
    static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        // Sorted, so that the same handling again publishes the same bytes: Foundation's own order differs by process.
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        encoder.dataEncodingStrategy = .base64
        encoder.dateEncodingStrategy = .custom { date, encoder in
            let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
            guard milliseconds.isFinite, RFC3339.range.contains(milliseconds) else {
                throw EncodingError.invalidValue(
                    date,
                    EncodingError.Context(
                        codingPath: encoder.codingPath,
                        debugDescription: "RFC 3339 holds dates of the years 0000 to 9999 only"))
            }
            var container = encoder.singleValueContainer()
            try container.encode(RFC3339.text(milliseconds: Int64(milliseconds)))
        }
        return encoder
    }()

    static let decoder: JSONDecoder = {
        let decoder = JSONDecoder()
        decoder.dataDecodingStrategy = .base64
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let milliseconds = RFC3339.milliseconds(text) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "Expected a date like 2026-11-21T11:15:00.000Z (RFC 3339)")
            }
            return Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        }
        return decoder
    }()
}
