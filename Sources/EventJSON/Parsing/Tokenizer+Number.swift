// Numbers: integers and short decimals are read at once, others when they are asked for.

extension Tokenizer {
    /// Reads a number; `position` is at its first byte.
    @inline(__always) mutating func number() throws(SyntaxFault) {
        let start = position
        let isNegative = bytes[position] == UInt8(ascii: "-")
        if isNegative { position &+= 1 }
        let firstDigit = position
        var mantissa: UInt64 = 0
        guard var digit = digitHere else { throw invalidNumber("a digit") }
        if digit == 0 {
            position &+= 1
            if digitHere != nil { throw invalidNumber("no digit after a leading zero") }
        } else {
            // Overflow is let happen: what has more than 19 digits is read from its text.
            while true {
                mantissa = mantissa &* 10 &+ digit
                position &+= 1
                guard let next = digitHere else { break }
                digit = next
            }
        }
        var digits = position &- firstDigit
        var byte: UInt8 = position < length ? bytes[position] : 0
        if byte != UInt8(ascii: "."), byte | 0x20 != UInt8(ascii: "e") {
            put(integer: mantissa, digits, isNegative, start, firstDigit)
            return
        }
        var exponent = 0
        if byte == UInt8(ascii: ".") {
            position &+= 1
            let first = position
            while let digit = digitHere {
                mantissa = mantissa &* 10 &+ digit
                position &+= 1
            }
            guard position > first else { throw invalidNumber("a digit after the decimal point") }
            exponent = first &- position
            digits &-= exponent
            byte = position < length ? bytes[position] : 0
        }
        if byte | 0x20 == UInt8(ascii: "e") { exponent &+= try self.exponent() }
        // A mantissa and a power of ten that are both exact give a correctly rounded quotient or product.
        var tag = Tag.unreadNumber
        var bits: UInt64 = 0
        if digits <= 19, mantissa <= 1 &<< 53, exponent >= -22, exponent <= 22 {
            var value = Double(mantissa)
            if exponent < 0 { value /= PowersOfTen.exact(-exponent) } else { value *= PowersOfTen.exact(exponent) }
            if isNegative { value.negate() }
            tag = Tag.double
            bits = value.bitPattern
        }
        put(tag, bits, start)
    }

    @inline(__always) private var digitHere: UInt64? {
        guard position < length else { return nil }
        let digit = bytes[position] &- UInt8(ascii: "0")
        return digit < 10 ? UInt64(digit) : nil
    }

    @inline(__always) private mutating func put(
        integer mantissa: UInt64, _ digits: Int, _ isNegative: Bool, _ start: Int, _ firstDigit: Int
    ) {
        // Nineteen digits fit in 64 bits; twenty do when they begin with 1 and did not wrap around.
        let isExact = digits <= 19 || digits == 20 && bytes[firstDigit] == UInt8(ascii: "1") && mantissa >= 1 &<< 63
        guard isExact else { return put(Tag.unreadNumber, 0, start) }
        if mantissa <= UInt64(Int64.max) {
            let value = Int64(bitPattern: mantissa)
            put(Tag.int, UInt64(bitPattern: isNegative ? 0 &- value : value), start)
            // -0 is zero as an integer and negative zero as a Double.
            if isNegative, mantissa == 0 { tape[count &- 2] = minusZero(start) }
        } else if !isNegative {
            put(Tag.unsigned, mantissa, start)
        } else if mantissa == 1 &<< 63 {
            put(Tag.int, mantissa, start)
        } else {
            put(Tag.unreadNumber, 0, start)
        }
    }

    private mutating func minusZero(_ start: Int) -> UInt64 {
        tape[count &- 1] = (-0.0).bitPattern
        return Tag.word(Tag.double, offset: start, length: position &- start)
    }

    @inline(__always) private mutating func put(_ tag: UInt8, _ value: UInt64, _ start: Int) {
        tape[count] = Tag.word(tag, offset: start, length: position &- start)
        tape[count &+ 1] = value
        count &+= 2
    }

    private mutating func exponent() throws(SyntaxFault) -> Int {
        position &+= 1
        var isNegative = false
        if position < length, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
            isNegative = bytes[position] == UInt8(ascii: "-")
            position &+= 1
        }
        let first = position
        var value = 0
        while let digit = digitHere {
            if value < 1_000_000 { value = value &* 10 &+ Int(digit) }
            position &+= 1
        }
        guard position > first else { throw invalidNumber("a digit in the exponent") }
        return isNegative ? -value : value
    }

    @inline(never) private func invalidNumber(_ expected: StaticString) -> SyntaxFault {
        SyntaxFault(position < length ? .invalidNumber : .unexpectedEnd, at: position, expected: expected)
    }
}

/// The powers of ten that a Double holds exactly.
enum PowersOfTen {
    /// 10 to the power of `exponent`, which must be from 0 to 22.
    @inline(__always) static func exact(_ exponent: Int) -> Double { table[exponent] }

    // An array of its own would be checked for its initialization and its bounds at every use.
    private static let table: InlineArray<23, Double> = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
