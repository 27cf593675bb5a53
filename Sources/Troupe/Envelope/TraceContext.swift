// The W3C trace context of one hop.

/// A trace id, a span id and flags, read from and written to a `traceparent` header (W3C Trace Context, level 1).
struct TraceContext: Sendable, Hashable {
    var traceHigh: UInt64
    var traceLow: UInt64
    var spanID: UInt64
    var flags: UInt8

    /// The bytes of `00-<32 digits>-<16 digits>-<2 digits>`.
    static let byteCount = 55

    /// Reads a header; `nil` when it is invalid, which a receiver must treat as missing.
    init?(_ text: UnsafeRawBufferPointer) {
        guard text.count >= Self.byteCount, text[2] == UInt8(ascii: "-"), text[35] == UInt8(ascii: "-"),
            text[52] == UInt8(ascii: "-"), let version = Self.byte(text, 0), version != 0xff,
            // Later versions may append fields; version 00 may not.
            version == 0
                ? text.count == Self.byteCount
                : text.count == Self.byteCount || text[Self.byteCount] == UInt8(ascii: "-"),
            let high = Self.word(text, 3), let low = Self.word(text, 19), high | low != 0,
            let span = Self.word(text, 36), span != 0, let flags = Self.byte(text, 53)
        else { return nil }
        traceHigh = high
        traceLow = low
        spanID = span
        self.flags = flags
    }

    /// Begins a trace.
    init(startingWith random: FastRandom) {
        traceHigh = random.next()
        traceLow = random.next() | 1
        spanID = random.next() | 1
        flags = 1
    }

    /// The same trace with a new span: the next hop.
    func nextHop(_ random: FastRandom) -> TraceContext {
        var next = self
        next.spanID = random.next() | 1
        return next
    }

    /// Writes the 55 bytes of the header to `buffer`, which must hold them, and returns their count.
    @discardableResult
    func write(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        buffer[0] = UInt8(ascii: "0")
        buffer[1] = UInt8(ascii: "0")
        buffer[2] = UInt8(ascii: "-")
        Hex.write(traceHigh, to: buffer, at: 3)
        Hex.write(traceLow, to: buffer, at: 19)
        buffer[35] = UInt8(ascii: "-")
        Hex.write(spanID, to: buffer, at: 36)
        buffer[52] = UInt8(ascii: "-")
        let digits = Hex.digits(UInt32(flags)) >> 48
        buffer[53] = UInt8(truncatingIfNeeded: digits)
        buffer[54] = UInt8(truncatingIfNeeded: digits >> 8)
        return Self.byteCount
    }

    /// Whether a header is valid, which is all that must be known to write the next hop's.
    @inline(__always)
    static func isValid(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count == byteCount, let base = text.baseAddress, text[2] == UInt8(ascii: "-"),
            text[35] == UInt8(ascii: "-"), text[52] == UInt8(ascii: "-"),
            // Version 00 is what there is; others are rare enough for the long way.
            text[0] == UInt8(ascii: "0"), text[1] == UInt8(ascii: "0"), isDigit(text[53]), isDigit(text[54])
        else { return TraceContext(text) != nil }
        let zeros: UInt64 = 0x3030_3030_3030_3030
        let trace = (base + 3).loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
        let span = (base + 36).loadUnaligned(as: (UInt64, UInt64).self)
        return Hex.isLowerCase(trace.0) && Hex.isLowerCase(trace.1) && Hex.isLowerCase(trace.2)
            && Hex.isLowerCase(trace.3) && Hex.isLowerCase(span.0) && Hex.isLowerCase(span.1)
            && (trace.0 ^ zeros) | (trace.1 ^ zeros) | (trace.2 ^ zeros) | (trace.3 ^ zeros) != 0
            && (span.0 ^ zeros) | (span.1 ^ zeros) != 0
    }

    @inline(__always)
    private static func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 6
    }

    /// Writes the header of the hop behind a valid one: the same trace and flags with another span.
    @inline(__always)
    static func writeNextHop(of text: UnsafeRawBufferPointer, span: UInt64, to buffer: UnsafeMutableRawBufferPointer) {
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: text[..<byteCount]))
        buffer[0] = UInt8(ascii: "0")
        buffer[1] = UInt8(ascii: "0")
        Hex.write(span, to: buffer, at: 36)
    }

    /// The header's text.
    var text: String {
        String(unsafeUninitializedCapacity: Self.byteCount) { write(to: UnsafeMutableRawBufferPointer($0)) }
    }

    // Only lower-case digits are valid: upper-case ones lack bit 5.
    @inline(__always)
    private static func word(_ text: UnsafeRawBufferPointer, _ start: Int) -> UInt64? {
        guard let first = eight(text, start), let second = eight(text, start + 8) else { return nil }
        return UInt64(first) << 32 | UInt64(second)
    }

    @inline(__always)
    private static func eight(_ text: UnsafeRawBufferPointer, _ start: Int) -> UInt32? {
        let digits = text.loadUnaligned(fromByteOffset: start, as: UInt64.self).littleEndian
        let isLowerCase = (digits >> 6 & ~(digits >> 5)) & 0x0101_0101_0101_0101 == 0
        return isLowerCase ? Hex.value(digits) : nil
    }

    @inline(__always)
    private static func byte(_ text: UnsafeRawBufferPointer, _ start: Int) -> UInt8? {
        let pair = UInt64(text.loadUnaligned(fromByteOffset: start, as: UInt16.self).littleEndian)
        let isLowerCase = (pair >> 6 & ~(pair >> 5)) & 0x0101 == 0
        // Six zeros before the two digits.
        return isLowerCase ? Hex.value(pair << 48 | 0x3030_3030_3030).map { UInt8(truncatingIfNeeded: $0) } : nil
    }
}
