// JSON that is written by hand reads as what was written.

import EventJSON
import Testing

@testable import Troupe

@Suite struct JSONBufferTests {
    private func decoded<Value: Decodable>(_ type: Value.Type, _ write: (inout JSONBuffer) -> Void) throws -> Value {
        var buffer = JSONBuffer(capacity: 1)
        write(&buffer)
        return try EventJSONDecoder().decode(type, from: buffer.bytes)
    }

    @Test(arguments: [Int64.min, -1_000_000_007, -1, 0, 7, 10, 1_795_259_700_000, .max])
    func numbersAreReadBack(_ number: Int64) throws {
        #expect(try decoded(Int64.self) { $0.append(number) } == number)
    }

    @Test func numbersOfEveryLengthAreReadBackOneAfterTheOther() throws {
        var numbers: [Int64] = []
        var power: Int64 = 1
        for _ in 0..<18 {
            numbers += [power - 1, power, power &* 7 &+ 3, -power]
            power *= 10
        }
        let read = try decoded([Int64].self) { buffer in
            buffer.append("[")
            for (index, number) in numbers.enumerated() {
                if index > 0 { buffer.append(",") }
                buffer.append(number)
            }
            buffer.append("]")
        }
        #expect(read == numbers)
    }

    @Test(arguments: [
        "", "a", "0190163d-8694-739b-aea5-966c26f8ad91", "short\"", "\\", "a quote \" behind eight bytes",
        "a backslash \\ behind eight bytes", "line\nfeed\r\ttab\u{0}\u{1f}\u{7f}", "äöü 日本 👩‍👩‍👧 \u{202e}",
        "</script><script>", "/orders/1/2", "        \u{8}        ",
    ])
    func stringsAreReadBack(_ text: String) throws {
        #expect(try decoded(String.self) { $0.appendString(text) } == text)
    }

    @Test func everyByteAtEveryPlaceIsReadBackOrRepaired() throws {
        for byte in UInt8.min...UInt8.max {
            for length in [1, 7, 8, 9, 17] {
                for place in 0..<length {
                    var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    bytes[place] = byte
                    let text = try decoded(String.self) { buffer in bytes.withUnsafeBytes { buffer.appendString($0) } }
                    #expect(text == String(decoding: bytes, as: UTF8.self))
                }
            }
        }
    }

    @Test func whatIsTakenBackIsOverwritten() throws {
        let text = try decoded([Int].self) { buffer in
            buffer.append("[1,2")
            buffer.truncate(to: 2)
            buffer.append("]")
        }
        #expect(text == [1])
    }
}
