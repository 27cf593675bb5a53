// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012), for ids that must be the same everywhere.

/// Hashes bytes to 128 bits, the same on every machine and in every version.
struct SipHash128 {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var tail: UInt64 = 0
    private var count: UInt64 = 0

    /// Begins with a key of two little-endian words; Troupe's ids use the zero key.
    @inline(__always)
    init(key0: UInt64 = 0, key1: UInt64 = 0) {
        v0 = key0 ^ 0x736f_6d65_7073_6575
        v1 = key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
        v2 = key0 ^ 0x6c79_6765_6e65_7261
        v3 = key1 ^ 0x7465_6462_7974_6573
    }

    /// Adds bytes.
    @inline(__always)
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        var index = 0
        if count & 7 == 0 {
            // Nothing is left over: whole words go in as they are.
            while index + 8 <= bytes.count {
                compress((base + index).loadUnaligned(as: UInt64.self).littleEndian)
                index += 8
            }
            count &+= UInt64(index)
        }
        while index + 8 <= bytes.count {
            push((base + index).loadUnaligned(as: UInt64.self).littleEndian, 8)
            index += 8
        }
        if index + 4 <= bytes.count {
            push(UInt64((base + index).loadUnaligned(as: UInt32.self).littleEndian), 4)
            index += 4
        }
        while index < bytes.count {
            push(UInt64(bytes[index]), 1)
            index += 1
        }
    }

    /// The hash of the first `count` bytes of `buffer`, in one go and by whole words.
    ///
    /// The buffer has at least eight bytes more, which are overwritten.
    @inline(__always)
    static func hash(_ count: Int, of buffer: UnsafeMutableRawBufferPointer) -> (UInt64, UInt64) {
        buffer.storeBytes(of: 0, toByteOffset: count, as: UInt64.self)
        var hash = SipHash128()
        var index = 0
        while index &+ 8 <= count {
            hash.compress(buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian)
            index &+= 8
        }
        hash.tail = buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
        hash.count = UInt64(truncatingIfNeeded: count)
        return hash.finish()
    }

    /// Adds a 32-bit integer, little-endian.
    @inline(__always)
    mutating func update(_ value: UInt32) { push(UInt64(value), 4) }

    /// Adds bytes with their length before them, so that neighbouring fields cannot be mistaken for one another.
    @inline(__always)
    mutating func updateField(_ bytes: UnsafeRawBufferPointer) {
        update(UInt32(truncatingIfNeeded: bytes.count))
        update(bytes)
    }

    /// Adds text with its length before it.
    @inline(__always)
    mutating func updateField(_ text: String) {
        var text = text
        text.withUTF8 { updateField(UnsafeRawBufferPointer($0)) }
    }

    /// The hash as two words whose little-endian bytes, one after the other, are the published form.
    @inline(__always)
    consuming func finish() -> (UInt64, UInt64) {
        compress(count << 56 | tail)
        v2 ^= 0xee
        for _ in 0..<4 { round() }
        let first = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<4 { round() }
        return (first, v0 ^ v1 ^ v2 ^ v3)
    }

    @inline(__always)
    private mutating func push(_ word: UInt64, _ size: UInt64) {
        let shift = (count & 7) * 8
        count &+= size
        tail |= word << shift
        if shift + size * 8 >= 64 {
            compress(tail)
            tail = shift == 0 ? 0 : word >> (64 - shift)
        }
    }

    @inline(__always)
    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v1 = (v1 << 13 | v1 >> 51) ^ v0
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v3
        v3 = (v3 << 16 | v3 >> 48) ^ v2
        v0 &+= v3
        v3 = (v3 << 21 | v3 >> 43) ^ v0
        v2 &+= v1
        v1 = (v1 << 17 | v1 >> 47) ^ v2
        v2 = v2 << 32 | v2 >> 32
    }
}
