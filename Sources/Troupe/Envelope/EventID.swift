// The ids of events: UUIDv7 for what starts a flow, UUIDv8 for what follows from another event (RFC 9562).

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A UUID as two words, made and written without allocating.
package struct EventID: Sendable, Hashable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    /// The bytes of the text form.
    static let textBytes = 36

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Takes a UUID of Foundation's.
    init(_ uuid: UUID) {
        (high, low) = withUnsafeBytes(of: uuid.uuid) {
            (
                UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    /// The id of an event that starts a flow: a UUIDv7 of `milliseconds` since 1970 and 74 random bits.
    package static func flowStarter(milliseconds: Int64, random: FastRandom) -> EventID {
        EventID(
            high: time48(milliseconds) << 16 | 0x7000 | random.next() & 0x0fff,
            low: 0x8000_0000_0000_0000 | random.next() >> 2)
    }

    /// The id of an event that follows from another: the parent's time, then a hash of what makes it this event.
    ///
    /// The same handling, run again, gives the same ids.
    /// - Parameter parentTime: the parent's `ce_time` in milliseconds since 1970, used when the parent's id is no
    ///   UUID of version 7 or 8.
    static func followOn(
        parentSource: UnsafeRawBufferPointer, parentID: UnsafeRawBufferPointer, parentTime: Int64?,
        service: String, type: String, ordinal: UInt32
    ) -> EventID {
        var hash = SipHash128()
        hash.updateField(parentSource)
        hash.updateField(parentID)
        hash.updateField(service)
        hash.updateField(type)
        hash.update(ordinal)
        let (first, second) = hash.finish()
        return EventID(
            time: EventID(text: parentID)?.embeddedTime ?? time48(parentTime ?? 0), first.byteSwapped,
            second.byteSwapped)
    }

    /// The source that stands in a hash for "derived from an idempotency key".
    static let idempotencySource = "idempotency-key"

    /// The id derived from a caller's idempotency key: a follow-on of the key itself.
    ///
    /// The flow's id is the one of the empty type and ordinal 0.
    package static func derived(
        fromIdempotencyKey key: String, service: String, type: String, ordinal: UInt32
    ) -> EventID {
        var source = idempotencySource
        var key = key
        return source.withUTF8 { source in
            key.withUTF8 { key in
                followOn(
                    parentSource: UnsafeRawBufferPointer(source), parentID: UnsafeRawBufferPointer(key),
                    parentTime: nil, service: service, type: type, ordinal: ordinal)
            }
        }
    }

    /// A UUIDv8 of a 48-bit time and the first bits of a hash whose bytes are `first` and `second`, big-endian.
    private init(time: UInt64, _ first: UInt64, _ second: UInt64) {
        // Bytes 0-1 of the hash lie beside the version, bytes 2-9 beside the variant.
        high = time << 16 | 0x8000 | (first >> 48) & 0x0fff
        low = 0x8000_0000_0000_0000 | (first << 16 | second >> 48) & 0x3fff_ffff_ffff_ffff
    }

    private static func time48(_ milliseconds: Int64) -> UInt64 {
        UInt64(max(milliseconds, 0)) & 0xffff_ffff_ffff
    }

    /// The 48-bit time of a version 7 or 8; `nil` for other versions.
    var embeddedTime: UInt64? {
        let version = high >> 12 & 0xf
        guard version == 7 || version == 8, low >> 62 == 2 else { return nil }
        return high >> 16
    }

    /// Reads the 36 characters of a UUID, in either case; `nil` for anything else.
    init?(text: UnsafeRawBufferPointer) {
        guard text.count == Self.textBytes, text[8] == UInt8(ascii: "-"), text[13] == UInt8(ascii: "-"),
            text[18] == UInt8(ascii: "-"), text[23] == UInt8(ascii: "-")
        else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for index in 0..<Self.textBytes where index != 8 && index != 13 && index != 18 && index != 23 {
            guard let digit = Hex.value(text[index]) else { return nil }
            if digits < 16 { words.0 = words.0 << 4 | digit } else { words.1 = words.1 << 4 | digit }
            digits += 1
        }
        (high, low) = words
    }

    /// Reads the text of a UUID; `nil` for anything else.
    package init?(_ text: String) {
        var text = text
        guard let id = text.withUTF8({ EventID(text: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = id
    }

    /// Writes the 36 characters to `buffer`, which must hold them, and returns their count.
    @discardableResult
    func write(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        var index = 0
        for shift in stride(from: 60, through: 0, by: -4) {
            if index == 8 || index == 13 { index = put(UInt8(ascii: "-"), index, buffer) }
            index = put(Hex.digit(high >> UInt64(shift)), index, buffer)
        }
        for shift in stride(from: 60, through: 0, by: -4) {
            if index == 18 || index == 23 { index = put(UInt8(ascii: "-"), index, buffer) }
            index = put(Hex.digit(low >> UInt64(shift)), index, buffer)
        }
        return index
    }

    @inline(__always)
    private func put(_ byte: UInt8, _ index: Int, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        buffer[index] = byte
        return index + 1
    }

    /// The 36 lower-case characters.
    package var text: String {
        String(unsafeUninitializedCapacity: Self.textBytes) { write(to: UnsafeMutableRawBufferPointer($0)) }
    }

    package var description: String { text }
}

/// Hexadecimal digits.
enum Hex {
    @inline(__always)
    static func digit(_ value: UInt64) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: value & 0xf)
        return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }

    @inline(__always)
    static func value(_ digit: UInt8) -> UInt64? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(digit - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(digit - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    static func text(of bytes: some Collection<UInt8>) -> String {
        var digits: [UInt8] = []
        for byte in bytes {
            digits.append(digit(UInt64(byte >> 4)))
            digits.append(digit(UInt64(byte)))
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
