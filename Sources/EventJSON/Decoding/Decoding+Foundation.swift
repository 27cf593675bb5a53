// Foundation's types that JSON has a fixed form for: dates, data, decimals, URLs.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Decoding {
    /// The text of a string, or a type mismatch.
    @inline(__always) private func textOfString(
        _ at: Int, _ type: any Any.Type, _ expected: String
    ) throws -> UnsafeBufferPointer<UInt8> {
        let word = word(at)
        guard word.tag == Tag.string || word.tag == Tag.unescapedString else { throw mismatch(at, type, expected) }
        return text(word)
    }

    @inline(never) func date(_ at: Int) throws -> Date {
        let text = try textOfString(at, Date.self, "a date in a string")
        guard let milliseconds = RFC3339.milliseconds(UnsafeRawBufferPointer(text)) else {
            throw corrupted(at, "Expected a date like 2026-11-21T11:15:00.000Z (RFC 3339)")
        }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }

    @inline(never) func data(_ at: Int) throws -> Data {
        let text = try textOfString(at, Data.self, "base64 in a string")
        guard let data = Data(base64Encoded: String(decoding: text, as: UTF8.self)) else {
            throw corrupted(at, "Expected base64 (RFC 4648)")
        }
        return data
    }

    @inline(never) func url(_ at: Int) throws -> URL {
        let text = try textOfString(at, URL.self, "a URL in a string")
        guard let url = URL(string: String(decoding: text, as: UTF8.self)) else {
            throw corrupted(at, "Expected a URL (RFC 3986)")
        }
        return url
    }

    /// Every digit of the text, up to the 38 that a Decimal holds.
    @inline(never) func decimal(_ at: Int) throws -> Decimal {
        switch tag(at) {
        case Tag.int: return Decimal(Int64(bitPattern: word(at &+ 1)))
        case Tag.unsigned: return Decimal(word(at &+ 1))
        case Tag.double, Tag.unreadNumber: break
        default: throw mismatch(at, Decimal.self, "a number")
        }
        if let decimal = Self.shortDecimal(text(word(at))) { return decimal }
        guard let decimal = Decimal(string: numberText(at), locale: nil), decimal.isFinite else {
            throw corrupted(at, "The number \(numberText(at, maxBytes: 40)) is out of the range of Decimal")
        }
        return decimal
    }

    /// A decimal of at most nineteen digits and a small exponent.
    private static func shortDecimal(_ text: UnsafeBufferPointer<UInt8>) -> Decimal? {
        guard text.count <= 24 else { return nil }
        var scan = DecimalText(text)
        var mantissa: UInt64 = 0
        var digits = 0
        while let digit = scan.next() {
            mantissa = mantissa &* 10 &+ UInt64(digit)
            digits += 1
        }
        let exponent = scan.integerDigits - digits
        guard digits <= 19, (-64...64).contains(exponent) else { return nil }
        return Decimal(
            sign: scan.isNegative && mantissa != 0 ? .minus : .plus, exponent: exponent, significand: Decimal(mantissa))
    }
}
