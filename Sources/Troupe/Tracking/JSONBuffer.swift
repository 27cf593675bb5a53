// A buffer that JSON (RFC 8259) is written into by hand, and that is used again.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// JSON as bytes, written from front to back.
///
/// Raw memory, because every handled event writes some three hundred bytes here: a checked array costs a multiple.
struct JSONBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// The number of bytes written.
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit { base.deallocate() }

    /// The bytes written; valid until the next change.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Takes back what was written behind the first `count` bytes.
    mutating func truncate(to count: Int) { self.count = min(self.count, max(count, 0)) }

    /// Writes text that is JSON already.
    @inline(__always)
    mutating func append(_ json: StaticString) {
        append(UnsafeRawBufferPointer(start: json.utf8Start, count: json.utf8CodeUnitCount))
    }

    /// Writes bytes that are JSON already.
    @inline(__always)
    mutating func append(_ json: UnsafeRawBufferPointer) {
        guard let source = json.baseAddress else { return }
        reserve(json.count)
        (base + count).copyMemory(from: source, byteCount: json.count)
        count += json.count
    }

    /// Writes a number.
    @inline(__always)
    mutating func append(_ number: Int64) {
        // Twenty bytes for sign and digits, and eight behind the first of them that are only moved along.
        reserve(28)
        let room = base + count
        var rest = number.magnitude
        var start = 20
        // Two digits at once.
        while rest >= 10 {
            let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
            start -= 2
            let digits = UnsafeRawPointer(Self.pairs.utf8Start).loadUnaligned(
                fromByteOffset: Int(truncatingIfNeeded: pair) &* 2, as: UInt16.self)
            room.storeBytes(of: digits, toByteOffset: start, as: UInt16.self)
            rest = quotient
        }
        if rest > 0 || start == 20 {
            start -= 1
            room.storeBytes(
                of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest), toByteOffset: start, as: UInt8.self)
        }
        if number < 0 {
            start -= 1
            room.storeBytes(of: UInt8(ascii: "-"), toByteOffset: start, as: UInt8.self)
        }
        // To the front, whole words at once: a call to copy so few bytes costs more.
        let length = 20 - start
        let first = room.loadUnaligned(fromByteOffset: start, as: UInt64.self)
        if length > 8 {
            let last = room.loadUnaligned(fromByteOffset: 12, as: UInt64.self)
            let middle = room.loadUnaligned(fromByteOffset: min(start + 8, 12), as: UInt64.self)
            room.storeBytes(of: middle, toByteOffset: min(8, length - 8), as: UInt64.self)
            room.storeBytes(of: last, toByteOffset: length - 8, as: UInt64.self)
        }
        room.storeBytes(of: first, as: UInt64.self)
        count += length
    }

    /// The numbers below a hundred, two digits each.
    private static var pairs: StaticString {
        """
        0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
        """
    }

    /// Whether the bytes written from `start` on begin with `bytes`.
    @inline(__always)
    func holds(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
        guard start >= 0, bytes.count <= count - start else { return false }
        guard let other = bytes.baseAddress else { return true }
        return memcmp(base + start, other, bytes.count) == 0
    }

    /// Writes a string whose text is `text`, with invalid UTF-8 repaired.
    @inline(__always)
    mutating func appendString(_ text: UnsafeRawBufferPointer) {
        guard Self.needsNoEscape(text) else {
            appendEscaped(String(decoding: text, as: UTF8.self))
            return
        }
        reserve(text.count + 2)
        base.storeBytes(of: UInt8(ascii: "\""), toByteOffset: count, as: UInt8.self)
        if let source = text.baseAddress { (base + count + 1).copyMemory(from: source, byteCount: text.count) }
        base.storeBytes(of: UInt8(ascii: "\""), toByteOffset: count + 1 + text.count, as: UInt8.self)
        count += text.count + 2
    }

    /// Writes a string.
    @inline(__always)
    mutating func appendString(_ text: String) {
        var text = text
        text.withUTF8 { appendString(UnsafeRawBufferPointer($0)) }
    }

    /// Whether all bytes are printable ASCII, or DEL, and neither a quote nor a backslash.
    @inline(__always)
    static func needsNoEscape(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let base = text.baseAddress else { return true }
        guard text.count >= 8 else {
            return text.allSatisfy { $0 >= 0x20 && $0 < 0x80 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        var special: UInt64 = 0
        var index = 0
        while index + 8 <= text.count {
            special |= Self.special((base + index).loadUnaligned(as: UInt64.self))
            index += 8
        }
        // The last eight bytes, some of them for the second time.
        special |= Self.special((base + (text.count - 8)).loadUnaligned(as: UInt64.self))
        return special & 0x8080_8080_8080_8080 == 0
    }

    /// The highest bit of each byte that cannot stand in a string as it is, and perhaps of bytes above such a one.
    @inline(__always)
    private static func special(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5c)
        // A byte that is zero borrows from its highest bit when one is taken; control characters when 0x20 is taken.
        return word | (word &- ones &* 0x20) | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash
    }

    @inline(never)
    private mutating func appendEscaped(_ text: String) {
        append("\"")
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\r"): append("\\r")
            case UInt8(ascii: "\t"): append("\\t")
            case 0..<0x20:
                append("\\u00")
                appendByte(Self.digit(byte >> 4))
                appendByte(Self.digit(byte & 0xf))
            default: appendByte(byte)
            }
        }
        append("\"")
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    private mutating func appendByte(_ byte: UInt8) {
        reserve(1)
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// Makes room for `size` more bytes.
    @inline(__always)
    private mutating func reserve(_ size: Int) {
        if size > capacity - count { grow(size) }
    }

    @inline(never)
    private mutating func grow(_ size: Int) {
        let capacity = max(self.capacity * 2, count + size)
        let bigger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        bigger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = bigger
        self.capacity = capacity
    }
}
