// Hexadecimal digits, eight at a time.

/// Turns numbers into lower-case hexadecimal digits and back without loops: each of the eight bytes of a word is a digit.
enum Hex {
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// The eight digits of `value`; the first one is the word's lowest byte.
    @inline(__always)
    static func digits(_ value: UInt32) -> UInt64 {
        var word = UInt64(value)
        word = (word | word << 16) & 0x0000_ffff_0000_ffff
        word = (word | word << 8) & 0x00ff_00ff_00ff_00ff
        word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f
        return text(word.byteSwapped)
    }

    /// The number that eight digits of either case say, the first one in the word's lowest byte; `nil` for other bytes.
    @inline(__always)
    static func value(_ digits: UInt64) -> UInt32? {
        // A letter has bit 6 set; its lower four bits are 9 less than what it says.
        let letters = (digits >> 6) & ones
        let nibbles = (digits & 0x0f0f_0f0f_0f0f_0f0f) &+ letters &* 9
        guard nibbles & 0xf0f0_f0f0_f0f0_f0f0 == 0, text(nibbles) == digits | letters << 5 else { return nil }
        var word = nibbles.byteSwapped
        word = (word | word >> 4) & 0x00ff_00ff_00ff_00ff
        word = (word | word >> 8) & 0x0000_ffff_0000_ffff
        return UInt32(truncatingIfNeeded: word | word >> 16)
    }

    /// Whether each byte of the word is a digit, letters in lower case.
    @inline(__always)
    static func isLowerCase(_ digits: UInt64) -> Bool {
        let letters = (digits >> 6) & ones
        let nibbles = (digits & 0x0f0f_0f0f_0f0f_0f0f) &+ letters &* 9
        return nibbles & 0xf0f0_f0f0_f0f0_f0f0 == 0 && text(nibbles) == digits
    }

    /// The digit of each byte, which is below 16.
    @inline(__always)
    private static func text(_ nibbles: UInt64) -> UInt64 {
        // Adding 0x76 sets bit 7 of the bytes that are 10 and more; those are letters, 0x27 further on.
        let letters = ((nibbles &+ 0x7676_7676_7676_7676) >> 7) & ones
        return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }

    /// The 16 digits of `value`.
    static func text(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            write(value, to: UnsafeMutableRawBufferPointer(buffer), at: 0)
            return 16
        }
    }

    /// Writes the 16 digits of `value` at `start` of `buffer`, which must hold them.
    @inline(__always)
    static func write(_ value: UInt64, to buffer: UnsafeMutableRawBufferPointer, at start: Int) {
        let first = digits(UInt32(truncatingIfNeeded: value >> 32)).littleEndian
        let second = digits(UInt32(truncatingIfNeeded: value)).littleEndian
        buffer.storeBytes(of: first, toByteOffset: start, as: UInt64.self)
        buffer.storeBytes(of: second, toByteOffset: start + 8, as: UInt64.self)
    }

    /// The digits of some bytes, two each.
    static func text(of bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            let pair = digits(UInt32(byte)) >> 48
            text.append(UInt8(truncatingIfNeeded: pair))
            text.append(UInt8(truncatingIfNeeded: pair >> 8))
        }
        return String(decoding: text, as: UTF8.self)
    }
}
