// JSON by Foundation's coders, behind Troupe's rules for dates, data and decimals.

import EventJSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Codes events as JSON.
///
/// Dates are RFC 3339 in UTC with milliseconds, `Data` is base64, `Decimal` keeps every digit, and unknown fields
/// are ignored. Foundation's own defaults differ: a date would be seconds since 2001.
public struct JSONEventCoder<Value: Codable & Sendable>: EventCoder {
    /// Creates a coder.
    public init() {}

    /// `application/json`.
    public var contentType: String { "application/json" }

    /// Returns the JSON of `value`.
    public func encode(_ value: Value) throws -> [UInt8] { Array(try JSONRules.encoder.encode(value)) }

    /// Reads a value from JSON.
    public func decode(_ bytes: UnsafeRawBufferPointer) throws -> Value {
        try JSONRules.decoder.decode(Value.self, from: Data(bytes))
    }
}

/// The rules of Troupe's JSON, shared by whatever reads or writes it.
enum JSONRules {
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
