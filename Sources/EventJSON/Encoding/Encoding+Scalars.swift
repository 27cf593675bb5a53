// Strings, numbers and literals, written as bytes.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Encoding {
    @inline(__always) func null() throws { try literal("null") }
    @inline(__always) func bool(_ value: Bool) throws { try literal(value ? "true" : "false") }

    @inline(__always) private func literal(_ text: StaticString) throws {
        try reserve(8)
        for index in 0..<text.utf8CodeUnitCount { put(text.utf8Start[index]) }
    }

    // MARK: - Strings

    @inline(__always) func string(_ value: String) throws {
        var value = value
        try value.withUTF8 { try string($0) }
    }

    @inline(__always) func string(_ text: UnsafeBufferPointer<UInt8>) throws {
        let size = text.count
        try reserve(size &+ 2)
        put(UInt8(ascii: "\""))
        if let address = text.baseAddress {
            let output = state.pointee.bytes + state.pointee.count
            var index = 0
            // Eight bytes at a time while nothing has to be escaped.
            while index &+ 8 <= size {
                let chunk = UnsafeRawPointer(address + index).loadUnaligned(as: UInt64.self)
                if Chunk.stops(chunk) != 0 { break }
                UnsafeMutableRawPointer(output + index).storeBytes(of: chunk, as: UInt64.self)
                index &+= 8
            }
            while index < size {
                let byte = address[index]
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
                output[index] = byte
                index &+= 1
            }
            state.pointee.count &+= index
            if index < size { try escape(UnsafeBufferPointer(rebasing: text[index...])) }
        }
        put(UInt8(ascii: "\""))
    }

    @inline(never) private func escape(_ text: UnsafeBufferPointer<UInt8>) throws {
        // Six bytes for each, and the closing quote.
        try reserve(text.count * 6 + 1)
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): putEscaped(byte)
            case 0x08: putEscaped(UInt8(ascii: "b"))
            case 0x09: putEscaped(UInt8(ascii: "t"))
            case 0x0A: putEscaped(UInt8(ascii: "n"))
            case 0x0C: putEscaped(UInt8(ascii: "f"))
            case 0x0D: putEscaped(UInt8(ascii: "r"))
            case 0..<0x20:
                putEscaped(UInt8(ascii: "u"))
                put(UInt8(ascii: "0"))
                put(UInt8(ascii: "0"))
                put(UInt8(ascii: "0") + byte >> 4)
                put(byte & 15 < 10 ? UInt8(ascii: "0") + byte & 15 : UInt8(ascii: "a") - 10 + byte & 15)
            default: put(byte)
            }
        }
    }

    private func putEscaped(_ byte: UInt8) {
        put(UInt8(ascii: "\\"))
        put(byte)
    }

    // MARK: - Numbers

    @inline(__always) func integer<Value: FixedWidthInteger>(_ value: Value) throws {
        if Value.bitWidth > 64 { return try raw(value.description) }
        try reserve(24)
        if value < 0 { put(UInt8(ascii: "-")) }
        putDigits(UInt64(truncatingIfNeeded: value.magnitude))
    }

    @inline(__always) private func putDigits(_ value: UInt64) {
        var size = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            size &+= 1
        }
        putDigits(value, size)
    }

    /// Writes the last `size` digits of a number.
    @inline(__always) private func putDigits(_ value: UInt64, _ size: Int) {
        var rest = value
        var end = state.pointee.bytes + state.pointee.count + size
        for _ in 0..<size {
            end -= 1
            let quotient = rest / 10
            end.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest &- quotient &* 10)
            rest = quotient
        }
        state.pointee.count &+= size
    }

    /// The shortest digits that give the number back; whole numbers without a fraction.
    func double(_ value: Double) throws {
        guard value.isFinite else { throw giveUp() }
        let magnitude = value.magnitude
        if magnitude < 9_007_199_254_740_992, magnitude == magnitude.rounded(.towardZero) {
            try reserve(24)
            if value.sign == .minus { put(UInt8(ascii: "-")) }
            return putDigits(UInt64(magnitude))
        }
        if magnitude < 1e11, try shortDecimal(value.sign == .minus, magnitude) { return }
        try raw(WrittenNumber.text(value.description))
    }

    /// Writes a number of at most four decimals, such as a price.
    ///
    /// A whole number divided by a power of ten, both exact, is rounded correctly: if that gives the number back, these
    /// fifteen digits at most are its shortest.
    private func shortDecimal(_ isNegative: Bool, _ magnitude: Double) throws -> Bool {
        var scale = 10.0
        for decimals in 1...4 {
            let scaled = (magnitude * scale).rounded()
            if scaled / scale == magnitude {
                try reserve(24)
                if isNegative { put(UInt8(ascii: "-")) }
                let (whole, fraction) = UInt64(scaled).quotientAndRemainder(dividingBy: UInt64(scale))
                putDigits(whole)
                put(UInt8(ascii: "."))
                putDigits(fraction, decimals)
                return true
            }
            scale *= 10
        }
        return false
    }

    func float(_ value: Float) throws {
        guard value.isFinite else { throw giveUp() }
        try raw(WrittenNumber.text(value.description))
    }

    /// Writes text as it is.
    func raw(_ text: String) throws {
        var text = text
        try text.withUTF8 { text in
            try reserve(text.count)
            guard let address = text.baseAddress else { return }
            (state.pointee.bytes + state.pointee.count).update(from: address, count: text.count)
            state.pointee.count &+= text.count
        }
    }

    // MARK: - Foundation's types

    func date(_ value: Date) throws {
        guard let milliseconds = WrittenDate.milliseconds(value) else { throw giveUp() }
        try reserve(RFC3339.byteCount + 2)
        put(UInt8(ascii: "\""))
        RFC3339.write(
            milliseconds,
            to: UnsafeMutableRawBufferPointer(
                start: state.pointee.bytes + state.pointee.count, count: RFC3339.byteCount))
        state.pointee.count &+= RFC3339.byteCount
        put(UInt8(ascii: "\""))
    }

    func decimal(_ value: Decimal) throws {
        guard value.isFinite else { throw giveUp() }
        try raw(value.description)
    }

    func data(_ value: Data) throws { try string(value.base64EncodedString()) }
    func url(_ value: URL) throws { try string(value.absoluteString) }
}

/// Dates as they are written.
enum WrittenDate {
    /// Milliseconds since 1970, rounded; `nil` when four digits of a year cannot say it.
    static func milliseconds(_ date: Date) -> Int64? {
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
        return milliseconds.isFinite && RFC3339.range.contains(milliseconds) ? Int64(milliseconds) : nil
    }
}

/// Numbers as they are written.
enum WrittenNumber {
    /// Swift's shortest digits without the `.0` of whole numbers.
    static func text(_ description: String) -> String {
        description.hasSuffix(".0") ? String(description.dropLast(2)) : description
    }
}

/// Names as they were written.
enum WrittenName {
    /// The text of the string whose opening quote is at `quote` and which this module has written.
    static func text(_ quote: UnsafePointer<UInt8>) -> String {
        var end = 1
        var isEscaped = false
        while quote[end] != UInt8(ascii: "\"") {
            if quote[end] == UInt8(ascii: "\\") {
                isEscaped = true
                end += 1
            }
            end += 1
        }
        let written = UnsafeRawBufferPointer(start: quote, count: end + 1)
        if isEscaped, let text = try? EventJSONDecoder().decode(String.self, from: written) { return text }
        return String(decoding: written[1..<end], as: UTF8.self)
    }
}
