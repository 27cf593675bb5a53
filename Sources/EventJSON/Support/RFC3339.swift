// Times as text, by plain arithmetic: no calendar, no locale.

/// Reads and writes RFC 3339 times to the millisecond.
package enum RFC3339 {
    /// The milliseconds since 1970 that four digits of a year can say.
    package static let range: ClosedRange<Double> = -62_167_219_200_000...253_402_300_799_999
    /// The bytes of `2026-11-21T11:15:00.000Z`.
    package static let byteCount = 24

    /// The text of a time in milliseconds since 1970, in UTC.
    ///
    /// Times out of range are moved to its nearest end.
    package static func text(milliseconds: Int64) -> String {
        String(unsafeUninitializedCapacity: byteCount) { write(milliseconds, to: UnsafeMutableRawBufferPointer($0)) }
    }

    /// Writes the 24 bytes of a time to `buffer`, which must hold them, and returns their count.
    @discardableResult
    package static func write(_ milliseconds: Int64, to buffer: UnsafeMutableRawBufferPointer) -> Int {
        let time = min(max(milliseconds, Int64(range.lowerBound)), Int64(range.upperBound))
        let (days, inDay) = floorDivide(time, 86_400_000)
        let (year, month, day) = civil(days)
        guard let base = buffer.baseAddress, buffer.count >= byteCount else { return 0 }
        let seconds = UInt32(truncatingIfNeeded: inDay / 1000)
        let milliseconds = UInt32(truncatingIfNeeded: inDay % 1000)
        put(UInt32(truncatingIfNeeded: year / 100), at: base)
        put(UInt32(truncatingIfNeeded: year % 100), at: base + 2)
        put(UInt32(truncatingIfNeeded: month), at: base + 5)
        put(UInt32(truncatingIfNeeded: day), at: base + 8)
        put(seconds / 3600, at: base + 11)
        put(seconds / 60 % 60, at: base + 14)
        put(seconds % 60, at: base + 17)
        put(milliseconds / 10, at: base + 20)
        buffer[22] = UInt8(truncatingIfNeeded: 0x30 + milliseconds % 10)
        buffer[4] = UInt8(ascii: "-")
        buffer[7] = UInt8(ascii: "-")
        buffer[10] = UInt8(ascii: "T")
        buffer[13] = UInt8(ascii: ":")
        buffer[16] = UInt8(ascii: ":")
        buffer[19] = UInt8(ascii: ".")
        buffer[23] = UInt8(ascii: "Z")
        return byteCount
    }

    /// Reads a time; `nil` when the text is no RFC 3339 time.
    ///
    /// Digits beyond the millisecond are dropped.
    package static func milliseconds(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 { milliseconds(UnsafeRawBufferPointer($0)) }
    }

    /// Reads a time; `nil` when the bytes are no RFC 3339 time.
    package static func milliseconds(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count >= 20, text.count <= 64, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] | 0x20 == UInt8(ascii: "t"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let year = digits(text, 0, 4), let month = digits(text, 5, 2), let day = digits(text, 8, 2),
            let hour = digits(text, 11, 2), let minute = digits(text, 14, 2), let second = digits(text, 17, 2),
            (1...12).contains(month), (1...length(ofMonth: month, year)).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var index = 19
        var fraction = 0
        if text[index] == UInt8(ascii: ".") {
            index += 1
            var count = 0
            while index < text.count, let digit = digits(text, index, 1) {
                if count < 3 { fraction = fraction * 10 + digit }
                count += 1
                index += 1
            }
            guard count > 0 else { return nil }
            while count < 3 {
                fraction *= 10
                count += 1
            }
        }
        guard index < text.count, let offset = offsetMinutes(text, index) else { return nil }
        let days = Int64(daysSince1970(year, month, day))
        // A leap second is read as the last millisecond before the next minute.
        let seconds = min(second, 59)
        if second == 60 { fraction = 999 }
        let minutes = days * 1440 + Int64(hour * 60 + minute - offset)
        return minutes * 60_000 + Int64(seconds * 1000 + fraction)
    }

    private static func offsetMinutes(_ text: UnsafeRawBufferPointer, _ index: Int) -> Int? {
        if text[index] | 0x20 == UInt8(ascii: "z") { return index + 1 == text.count ? 0 : nil }
        guard text.count == index + 6, text[index + 3] == UInt8(ascii: ":"), let hours = digits(text, index + 1, 2),
            let minutes = digits(text, index + 4, 2), hours < 24, minutes < 60
        else { return nil }
        switch text[index] {
        case UInt8(ascii: "+"): return hours * 60 + minutes
        case UInt8(ascii: "-"): return -(hours * 60 + minutes)
        default: return nil
        }
    }

    private static func digits(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Int? {
        var value = 0
        for index in start..<start + count {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value
    }

    /// Writes two digits; `value` is below 100.
    @inline(__always)
    private static func put(_ value: UInt32, at start: UnsafeMutableRawPointer) {
        let tens = (value &* 205) >> 11
        let digits = UInt16(truncatingIfNeeded: 0x3030 | tens | (value &- tens &* 10) << 8)
        start.storeBytes(of: digits.littleEndian, as: UInt16.self)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func length(ofMonth month: Int, _ year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Years begin in March, so that the leap day is the last of its year; eras are of 400 years.
    private static func civil(_ days: Int64) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let day = Int(dayOfEra)
        let yearOfEra = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (
            yearOfEra + Int(era) * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1
        )
    }

    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
