// What counts as text in headers.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct PlainTextTests {
    private func isPlain(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { $0.isPlainText } }

    @Test func oneUnusualByteAnywhereIsSeen() {
        for count in 1...40 {
            let text = [UInt8](repeating: UInt8(ascii: "k"), count: count)
            #expect(isPlain(text))
            for index in 0..<count {
                for byte in UInt8.min ... .max {
                    var changed = text
                    changed[index] = byte
                    // A byte of 0x80 and more alone is no UTF-8.
                    #expect(isPlain(changed) == (byte >= 0x20 && byte < 0x7f), "\(byte) at \(index) of \(count)")
                }
            }
        }
    }

    @Test func otherScriptsAreTextAndTheirControlsAreNot() {
        #expect(isPlain(Array("Größe 42, 東京, 🎭".utf8)))
        #expect(!isPlain(Array("Größe 42, 東京\u{85}, 🎭".utf8)))
        #expect(!isPlain(Array("Größe 42\u{0}, 東京, 🎭".utf8)))
    }

    @Test func keysAreTextWhereTheirBytesAre() {
        for (bytes, text) in [
            (Array("order-1".utf8), "order-1" as String?), (Array("Größe".utf8), "Größe"),
            (Array("a\u{1}b".utf8), "a\u{1}b"),
            ([], ""), ([0xff, 0x41], nil),
        ] {
            let key = EventKey(of: KafkaRecord(topic: "t", key: bytes, value: nil))
            #expect(key.text == text)
            #expect(key.bytes == bytes)
            #expect(key == EventKey(bytes: bytes))
        }
        #expect(EventKey(of: KafkaRecord(topic: "t", value: nil)).isNone)
    }
}
