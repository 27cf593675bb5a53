// Hexadecimal digits.

import Testing

@testable import Troupe

@Suite struct HexTests {
    private func value(_ text: String) -> UInt32? {
        Array(text.utf8).withUnsafeBytes { Hex.value($0.loadUnaligned(as: UInt64.self).littleEndian) }
    }

    @Test func numbersAndDigitsBelongTogether() {
        let random = FastRandom(seed: 11)
        for _ in 0..<10_000 {
            let number = UInt32(truncatingIfNeeded: random.next())
            let text = String(number, radix: 16)
            let padded = String(repeating: "0", count: 8 - text.count) + text
            #expect(value(padded) == number && value(padded.uppercased()) == number)
            #expect(Hex.text(UInt64(number)) == "00000000" + padded)
        }
    }

    @Test func everyOtherByteIsRefused() {
        for byte in UInt8.min ... .max {
            for place in 0..<8 {
                var bytes = Array("0a1B2c3D".utf8)
                bytes[place] = byte
                let read = bytes.withUnsafeBytes { Hex.value($0.loadUnaligned(as: UInt64.self).littleEndian) }
                let isDigit = Character(Unicode.Scalar(byte)).isHexDigit && byte < 0x80
                #expect((read != nil) == isDigit, "byte \(byte) at \(place)")
            }
        }
    }
}
