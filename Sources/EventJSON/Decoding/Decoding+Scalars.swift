// Strings, numbers and booleans, read from the tape.

extension Decoding {
    @inline(__always) func isNull(_ at: Int) -> Bool { tag(at) == Tag.null }

    @inline(__always) func bool(_ at: Int) throws -> Bool {
        switch tag(at) {
        case Tag.true: return true
        case Tag.false: return false
        default: throw mismatch(at, Bool.self, "a boolean")
        }
    }

    @inline(__always) func string(_ at: Int) throws -> String {
        let word = word(at)
        guard word.tag == Tag.string || word.tag == Tag.unescapedString else {
            throw mismatch(at, String.self, "a string")
        }
        return String(decoding: text(word), as: UTF8.self)
    }

    // MARK: - Integers

    @inline(__always) func integer<Value: FixedWidthInteger>(_ at: Int, _ type: Value.Type) throws -> Value {
        if tag(at) == Tag.int, let value = Value(exactly: Int64(bitPattern: word(at &+ 1))) { return value }
        return try unusualInteger(at, type)
    }

    /// An integer that is not written as one within Int64: exact, whatever its exponent, or an error.
    @inline(never) private func unusualInteger<Value: FixedWidthInteger>(
        _ at: Int, _ type: Value.Type
    ) throws -> Value {
        switch tag(at) {
        case Tag.unsigned:
            if let value = Value(exactly: word(at &+ 1)) { return value }
        case Tag.double, Tag.unreadNumber:
            if let value: Value = ExactInteger.value(text(word(at))) { return value }
        case Tag.int: break
        default: throw mismatch(at, type, "a number (\(type))")
        }
        throw corrupted(at, "The number \(numberText(at, maxBytes: 40)) is no \(type), or out of its range")
    }

    // MARK: - Floating point

    @inline(__always) func double(_ at: Int) throws -> Double {
        switch tag(at) {
        case Tag.double: return Double(bitPattern: word(at &+ 1))
        case Tag.int: return Double(Int64(bitPattern: word(at &+ 1)))
        case Tag.unsigned: return Double(word(at &+ 1))
        case Tag.unreadNumber: return try parsed(at)
        default: throw mismatch(at, Double.self, "a number")
        }
    }

    /// Rounded once, from the text: by way of a Double some numbers would be rounded twice.
    func float(_ at: Int) throws -> Float {
        switch tag(at) {
        case Tag.int: return Float(Int64(bitPattern: word(at &+ 1)))
        case Tag.unsigned: return Float(word(at &+ 1))
        case Tag.double, Tag.unreadNumber: return try parsed(at)
        default: throw mismatch(at, Float.self, "a number")
        }
    }

    @inline(never) private func parsed<Value: BinaryFloatingPoint & LosslessStringConvertible>(
        _ at: Int
    ) throws -> Value {
        // What is too small to be told from zero is out of range, like what is too large.
        guard let value = Value(numberText(at)), value.isFinite, !value.isZero || ExactInteger.isZero(text(word(at)))
        else {
            throw corrupted(at, "The number \(numberText(at, maxBytes: 40)) is out of the range of \(Value.self)")
        }
        return value
    }
}

/// Integers written with a decimal point or an exponent, such as `1.5e3`.
enum ExactInteger {
    /// The integer that the text of a JSON number denotes; `nil` when it is none or does not fit.
    static func value<Value: FixedWidthInteger>(_ text: UnsafeBufferPointer<UInt8>) -> Value? {
        var scan = DecimalText(text)
        // Every digit left of the point that the exponent makes, then only zeros.
        var value: Value = 0
        var position = 0
        while let digit = scan.next() {
            if position < scan.integerDigits {
                guard append(digit, to: &value, scan.isNegative) else { return nil }
            } else if digit != 0 {
                return nil
            }
            position += 1
        }
        while position < scan.integerDigits {
            // A zero stays one however many digits follow; anything else overflows soon.
            if value == 0 { break }
            guard append(0, to: &value, scan.isNegative) else { return nil }
            position += 1
        }
        return value
    }

    /// Whether the text of a JSON number denotes zero.
    static func isZero(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var scan = DecimalText(text)
        while let digit = scan.next() {
            if digit != 0 { return false }
        }
        return true
    }

    private static func append<Value: FixedWidthInteger>(_ digit: UInt8, to value: inout Value, _ isNegative: Bool)
        -> Bool
    {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        // Value may be an Int8: 10 and a digit always fit.
        let (sum, second) =
            isNegative
            ? product.subtractingReportingOverflow(Value(digit)) : product.addingReportingOverflow(Value(digit))
        value = sum
        return !overflow && !second
    }
}

/// The digits of a JSON number, which the tokenizer has found well-formed.
struct DecimalText {
    let isNegative: Bool
    /// How many of the digits stand left of the point once the exponent is applied; may be negative.
    let integerDigits: Int
    private let text: UnsafeBufferPointer<UInt8>
    private var index: Int

    init(_ text: UnsafeBufferPointer<UInt8>) {
        self.text = text
        isNegative = text.first == UInt8(ascii: "-")
        index = isNegative ? 1 : 0
        let isMark: (UInt8) -> Bool = { $0 | 0x20 == UInt8(ascii: "e") }
        let mantissaEnd = text.firstIndex(where: isMark) ?? text.count
        let point = text.firstIndex(of: UInt8(ascii: ".")) ?? mantissaEnd
        var exponent = 0
        if mantissaEnd < text.count {
            var rest = text[(mantissaEnd + 1)...]
            let isBelow = rest.first == UInt8(ascii: "-")
            if isBelow || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
            for byte in rest where exponent < 1_000_000_000 { exponent = exponent * 10 + Int(byte - UInt8(ascii: "0")) }
            if isBelow { exponent = -exponent }
        }
        integerDigits = point - index + exponent
    }

    /// The next digit of the mantissa, from 0 to 9.
    mutating func next() -> UInt8? {
        while index < text.count {
            let byte = text[index]
            if byte | 0x20 == UInt8(ascii: "e") { return nil }
            index += 1
            if byte != UInt8(ascii: ".") { return byte - UInt8(ascii: "0") }
        }
        return nil
    }
}
