// Strings: found eight bytes at a time; only those with escapes are copied.

extension Tokenizer {
    /// Reads a string; `position` is after its opening quote.
    @inline(__always) mutating func string() throws(SyntaxFault) {
        let start = position
        var high: UInt64 = 0
        while true {
            if position &+ 8 <= length {
                let chunk = UnsafeRawPointer(bytes + position).loadUnaligned(as: UInt64.self)
                let stops = Chunk.stops(chunk)
                if stops == 0 {
                    high |= chunk
                    position &+= 8
                    continue
                }
                let bit = stops.trailingZeroBitCount & ~7
                high |= chunk & ((1 &<< UInt64(truncatingIfNeeded: bit)) &- 1)
                position &+= bit &>> 3
            } else {
                while position < length {
                    let byte = bytes[position]
                    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
                    high |= UInt64(byte)
                    position &+= 1
                }
            }
            guard position < length else { throw unexpected("the end of a string") }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                if high & Chunk.highBits != 0 { try checkUTF8(start, position) }
                tape[count] = Tag.word(Tag.string, offset: start, length: position &- start)
                count &+= 1
                position &+= 1
                return
            }
            guard byte == UInt8(ascii: "\\") else { throw controlCharacter }
            try escapedString(start)
            return
        }
    }

    private var controlCharacter: SyntaxFault {
        SyntaxFault(.invalidString, at: position, expected: "control characters in strings to be escaped")
    }

    private func checkUTF8(_ start: Int, _ end: Int) throws(SyntaxFault) {
        if let offset = UTF8Check.firstFault(bytes, start, end) {
            throw SyntaxFault(.invalidUTF8, at: offset, expected: "UTF-8")
        }
    }

    /// Reads a string again from its `start`, into the buffer of unescaped text, which its text never outgrows.
    @inline(never) private mutating func escapedString(_ start: Int) throws(SyntaxFault) {
        let begin = unescapedCount
        position = start
        while position < length {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                try checkUTF8(start, position)
                tape[count] = Tag.word(Tag.unescapedString, offset: begin, length: unescapedCount &- begin)
                count &+= 1
                position &+= 1
                return
            case UInt8(ascii: "\\"):
                position &+= 1
                try escape()
            case 0..<0x20: throw controlCharacter
            default:
                append(byte)
                position &+= 1
            }
        }
        throw unexpected("the end of a string")
    }

    private mutating func append(_ byte: UInt8) {
        unescaped[unescapedCount] = byte
        unescapedCount &+= 1
    }

    /// Reads what follows a backslash.
    private mutating func escape() throws(SyntaxFault) {
        guard position < length else { throw unexpected("the end of a string") }
        let byte = bytes[position]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): append(byte)
        case UInt8(ascii: "b"): append(0x08)
        case UInt8(ascii: "f"): append(0x0C)
        case UInt8(ascii: "n"): append(0x0A)
        case UInt8(ascii: "r"): append(0x0D)
        case UInt8(ascii: "t"): append(0x09)
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw SyntaxFault(.invalidString, at: position, expected: "one of \"\\/bfnrtu after a backslash")
        }
        position &+= 1
    }

    /// Reads `uXXXX`, and the other half of a surrogate pair.
    private mutating func unicodeEscape() throws(SyntaxFault) {
        let start = position
        position &+= 1
        var scalar = try fourHexDigits()
        if scalar & 0xFC00 == 0xD800 {
            guard position &+ 1 < length, bytes[position] == UInt8(ascii: "\\"),
                bytes[position &+ 1] == UInt8(ascii: "u")
            else { throw loneSurrogate(start) }
            position &+= 2
            let low = try fourHexDigits()
            guard low & 0xFC00 == 0xDC00 else { throw loneSurrogate(start) }
            scalar = 0x10000 &+ ((scalar & 0x3FF) &<< 10 | low & 0x3FF)
        } else if scalar & 0xFC00 == 0xDC00 {
            throw loneSurrogate(start)
        }
        switch scalar {
        case 0..<0x80: append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            append(UInt8(truncatingIfNeeded: 0xC0 | scalar &>> 6))
            append(continuation(scalar))
        case 0x800..<0x10000:
            append(UInt8(truncatingIfNeeded: 0xE0 | scalar &>> 12))
            append(continuation(scalar &>> 6))
            append(continuation(scalar))
        default:
            append(UInt8(truncatingIfNeeded: 0xF0 | scalar &>> 18))
            append(continuation(scalar &>> 12))
            append(continuation(scalar &>> 6))
            append(continuation(scalar))
        }
    }

    private func continuation(_ bits: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | bits & 0x3F) }

    private func loneSurrogate(_ offset: Int) -> SyntaxFault {
        SyntaxFault(.invalidString, at: offset, expected: "both halves of a surrogate pair")
    }

    private mutating func fourHexDigits() throws(SyntaxFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < length, let digit = Self.hexDigit(bytes[position]) else {
                throw SyntaxFault(.invalidString, at: position, expected: "four hexadecimal digits after \\u")
            }
            value = value &<< 4 | digit
            position &+= 1
        }
        return value
    }

    private static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte &- UInt8(ascii: "0"))
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte &- UInt8(ascii: "A") &+ 10)
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte &- UInt8(ascii: "a") &+ 10)
        default: nil
        }
    }
}

/// Eight bytes of text looked at together.
enum Chunk {
    static let highBits: UInt64 = 0x8080_8080_8080_8080
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// A word whose lowest set bit is in the first byte that is a quote, a backslash or a control character.
    ///
    /// Higher bytes may be marked wrongly, the first never is. Bytes above 0x7f are not stops. The bytes are in
    /// little-endian order, as on every machine Swift runs on.
    @inline(__always) static func stops(_ chunk: UInt64) -> UInt64 {
        let quote = chunk ^ 0x2222_2222_2222_2222
        let backslash = chunk ^ 0x5C5C_5C5C_5C5C_5C5C
        return
            (((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
            | ((chunk &- 0x2020_2020_2020_2020) & ~chunk)) & highBits
    }
}

/// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Check {
    /// The offset of the first sequence that is wrong; `nil` when all are right.
    static func firstFault(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var index = start
        while index < end {
            let byte = bytes[index]
            if byte < 0x80 {
                index &+= 1
                continue
            }
            let size = byte < 0xC2 ? 0 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : byte < 0xF5 ? 4 : 0
            guard size > 0, index &+ size <= end else { return index }
            let second = bytes[index &+ 1]
            let range: ClosedRange<UInt8> =
                switch byte {
                case 0xE0: 0xA0...0xBF
                case 0xED: 0x80...0x9F
                case 0xF0: 0x90...0xBF
                case 0xF4: 0x80...0x8F
                default: 0x80...0xBF
                }
            guard range.contains(second) else { return index }
            var following = 2
            while following < size {
                guard bytes[index &+ following] & 0xC0 == 0x80 else { return index }
                following &+= 1
            }
            index &+= size
        }
        return nil
    }
}
