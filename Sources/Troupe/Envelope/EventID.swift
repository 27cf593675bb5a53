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
        parentSource: UnsafeRawBufferPointer, parentID: UnsafeRawBufferPointer, parentTime: @autoclosure () -> Int64?,
        service: String, type: String, ordinal: UInt32
    ) -> EventID {
        followOn(
            parentSource: parentSource, parentID: parentID, parentTime: parentTime(),
            tail: tail(service: service, type: type), ordinal: ordinal)
    }

    /// What is hashed behind the parent's source and id: service and type, each led by its length.
    static func tail(service: String, type: String) -> [UInt8] {
        [service, type].flatMap { text in
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: text.utf8.count).littleEndian) { Array($0) }
                + Array(text.utf8)
        }
    }

    /// The id of an event that follows from another, with service and type in their prepared form.
    static func followOn(
        parentSource: UnsafeRawBufferPointer, parentID: UnsafeRawBufferPointer, parentTime: @autoclosure () -> Int64?,
        tail: [UInt8], ordinal: UInt32
    ) -> EventID {
        let (first, second) = hash(parentSource, parentID, tail, ordinal)
        return EventID(
            time: EventID(text: parentID)?.embeddedTime ?? time48(parentTime() ?? 0), first.byteSwapped,
            second.byteSwapped)
    }

    /// The hash of source and id, each led by its length, then the tail and the ordinal.
    private static func hash(
        _ source: UnsafeRawBufferPointer, _ id: UnsafeRawBufferPointer, _ tail: [UInt8], _ ordinal: UInt32
    ) -> (UInt64, UInt64) {
        let size = source.count + id.count + tail.count + 12
        guard size <= 512 else {
            var hash = SipHash128()
            hash.updateField(source)
            hash.updateField(id)
            tail.withUnsafeBytes { hash.update($0) }
            hash.update(ordinal)
            return hash.finish()
        }
        // Gathered first: then whole words are hashed, with nothing left over from one part to the next.
        return withUnsafeTemporaryAllocation(byteCount: 512 + 8, alignment: 8) { buffer in
            var end = append(UInt32(source.count), to: buffer, at: 0)
            end = append(source, to: buffer, at: end)
            end = append(UInt32(id.count), to: buffer, at: end)
            end = append(id, to: buffer, at: end)
            end = tail.withUnsafeBytes { append($0, to: buffer, at: end) }
            end = append(ordinal, to: buffer, at: end)
            return SipHash128.hash(end, of: buffer)
        }
    }

    @inline(__always)
    private static func append(
        _ bytes: UnsafeRawBufferPointer, to buffer: UnsafeMutableRawBufferPointer, at start: Int
    ) -> Int {
        UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + bytes.count]).copyMemory(from: bytes)
        return start + bytes.count
    }

    @inline(__always)
    private static func append(_ number: UInt32, to buffer: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        buffer.storeBytes(of: number.littleEndian, toByteOffset: start, as: UInt32.self)
        return start + 4
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
        guard text.count == Self.textBytes, let base = text.baseAddress, text[8] == UInt8(ascii: "-"),
            text[13] == UInt8(ascii: "-"), text[18] == UInt8(ascii: "-"), text[23] == UInt8(ascii: "-")
        else { return nil }
        // Digits 0-7, 9-12 and 14-17, 19-22 and 24-27, 28-35.
        let middle = Self.join(base + 9, base + 14)
        let late = Self.join(base + 19, base + 24)
        guard let first = Hex.value((base).loadUnaligned(as: UInt64.self).littleEndian),
            let second = Hex.value(middle), let third = Hex.value(late),
            let fourth = Hex.value((base + 28).loadUnaligned(as: UInt64.self).littleEndian)
        else { return nil }
        high = UInt64(first) << 32 | UInt64(second)
        low = UInt64(third) << 32 | UInt64(fourth)
    }

    /// Four digits, then four others, as one word.
    @inline(__always)
    private static func join(_ first: UnsafeRawPointer, _ second: UnsafeRawPointer) -> UInt64 {
        UInt64(first.loadUnaligned(as: UInt32.self).littleEndian)
            | UInt64(second.loadUnaligned(as: UInt32.self).littleEndian) << 32
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
        guard let base = buffer.baseAddress, buffer.count >= Self.textBytes else { return 0 }
        let middle = Hex.digits(UInt32(truncatingIfNeeded: high))
        let late = Hex.digits(UInt32(truncatingIfNeeded: low >> 32))
        base.storeBytes(of: Hex.digits(UInt32(truncatingIfNeeded: high >> 32)).littleEndian, as: UInt64.self)
        (base + 9).storeBytes(of: UInt32(truncatingIfNeeded: middle).littleEndian, as: UInt32.self)
        (base + 14).storeBytes(of: UInt32(truncatingIfNeeded: middle >> 32).littleEndian, as: UInt32.self)
        (base + 19).storeBytes(of: UInt32(truncatingIfNeeded: late).littleEndian, as: UInt32.self)
        (base + 24).storeBytes(of: UInt32(truncatingIfNeeded: late >> 32).littleEndian, as: UInt32.self)
        (base + 28).storeBytes(of: Hex.digits(UInt32(truncatingIfNeeded: low)).littleEndian, as: UInt64.self)
        buffer[8] = UInt8(ascii: "-")
        buffer[13] = UInt8(ascii: "-")
        buffer[18] = UInt8(ascii: "-")
        buffer[23] = UInt8(ascii: "-")
        return Self.textBytes
    }

    /// The 36 lower-case characters.
    package var text: String {
        String(unsafeUninitializedCapacity: Self.textBytes) { write(to: UnsafeMutableRawBufferPointer($0)) }
    }

    package var description: String { text }
}
