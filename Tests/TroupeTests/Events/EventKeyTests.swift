// Keys of events.

import Foundation
import Testing

@testable import Troupe

@Suite struct EventKeyTests {
    private struct Holder: Codable, Equatable { var key: EventKey }

    @Test func isAPlainStringInJSON() throws {
        let json = try JSONEventCoder<Holder>().encode(Holder(key: "o-1"))
        #expect(String(decoding: json, as: UTF8.self) == #"{"key":"o-1"}"#)
        #expect(try json.withUnsafeBytes { try JSONEventCoder<Holder>().decode($0) } == Holder(key: "o-1"))
        let none = try JSONEventCoder<Holder>().encode(Holder(key: .none))
        #expect(String(decoding: none, as: UTF8.self) == #"{"key":null}"#)
        #expect(try none.withUnsafeBytes { try JSONEventCoder<Holder>().decode($0) } == Holder(key: .none))
    }

    @Test func bytesThatAreNoTextCannotBeJSON() {
        #expect(throws: EncodingError.self) {
            try JSONEventCoder<Holder>().encode(Holder(key: EventKey(bytes: [0xff])))
        }
    }

    @Test func equalityIsByBytes() {
        #expect(
            EventKey("a") == EventKey(bytes: [0x61]) && EventKey("a").hashValue == EventKey(bytes: [0x61]).hashValue)
        #expect(EventKey("\u{e9}") != EventKey("e\u{301}"), "canonically equal texts are different keys to Kafka")
        #expect(EventKey("") != .none && EventKey.none == .none)
        #expect(
            EventKey(bytes: [0xff]) == EventKey(bytes: [0xff]) && EventKey(bytes: [0xff]) != EventKey(bytes: [0xfe]))
    }

    @Test func isMadeOfWhatKeysAre() {
        let uuid = UUID()
        #expect(EventKey(uuid).text == uuid.uuidString.lowercased())
        #expect(EventKey(42).text == "42" && EventKey(UInt64.max).text == "18446744073709551615")
        #expect(EventKey(bytes: [0xff, 0]).description == "0xff00" && EventKey(bytes: [0xff, 0]).text == nil)
        #expect(EventKey.none.bytes == nil && EventKey.none.isNone && EventKey("é").bytes == [0xc3, 0xa9])
    }
}
