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
            text[52] == UInt8(ascii: "-"), let version = Self.hex(text, 0, 2), version != 0xff,
            // Later versions may append fields; version 00 may not.
            version == 0
                ? text.count == Self.byteCount
                : text.count == Self.byteCount || text[Self.byteCount] == UInt8(ascii: "-"),
            let high = Self.hex(text, 3, 16), let low = Self.hex(text, 19, 16), high | low != 0,
            let span = Self.hex(text, 36, 16), span != 0, let flags = Self.hex(text, 53, 2)
        else { return nil }
        traceHigh = high
        traceLow = low
        spanID = span
        self.flags = UInt8(flags)
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
        Self.put(traceHigh, 16, 3, buffer)
        Self.put(traceLow, 16, 19, buffer)
        buffer[35] = UInt8(ascii: "-")
        Self.put(spanID, 16, 36, buffer)
        buffer[52] = UInt8(ascii: "-")
        Self.put(UInt64(flags), 2, 53, buffer)
        return Self.byteCount
    }

    /// The header's text.
    var text: String {
        String(unsafeUninitializedCapacity: Self.byteCount) { write(to: UnsafeMutableRawBufferPointer($0)) }
    }

    private static func put(_ value: UInt64, _ digits: Int, _ start: Int, _ buffer: UnsafeMutableRawBufferPointer) {
        for index in 0..<digits {
            buffer[start + index] = Hex.digit(value >> UInt64((digits - 1 - index) * 4))
        }
    }

    // Only lower-case digits are valid.
    private static func hex(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in start..<start + count {
            let byte = text[index]
            guard let digit = Hex.value(byte), byte < UInt8(ascii: "A") || byte > UInt8(ascii: "F") else { return nil }
            value = value << 4 | digit
        }
        return value
    }
}
