// Records as people and programs read them.

import Foundation
import KafkaClient
import Testing

@testable import TroupeCommand

@Suite struct EventViewTests {
    private func record(value: [UInt8]?, headers: [KafkaHeader]? = nil, key: [UInt8]? = Array("order-7".utf8))
        -> KafkaRecord
    {
        KafkaRecord(
            topic: "orders", partition: 2, offset: 17, timestamp: KafkaTimestamp(milliseconds: 1_500), key: key,
            value: value,
            headers: headers ?? [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "e-1"),
                KafkaHeader("ce_type", "shop.order.placed"), KafkaHeader("ce_source", "/services/shop"),
                KafkaHeader("ce_time", "1970-01-01T00:00:01.001Z"), KafkaHeader("ce_correlationid", "f-1"),
                KafkaHeader("ce_causationid", "e-0"), KafkaHeader("content-type", "application/json"),
            ])
    }

    private func lines(_ record: KafkaRecord, headers: Bool = false, payload: EventView.PayloadForm = .line) -> [String]
    {
        EventView(record).lines(.plain, headers: headers, payload: payload)
    }

    @Test func anEventForPeople() {
        #expect(
            lines(record(value: Array(#"{"total": 1.10}"#.utf8))) == [
                "1970-01-01T00:00:01.500Z  orders/2/17  shop.order.placed  key=order-7",
                "  id e-1  flow f-1  cause e-0  from /services/shop",
                #"  {"total": 1.10}"#,
            ])
    }

    @Test func formsOfAPayload() {
        let json = record(value: Array(#"{"b":[1],"a":"x"}"#.utf8))
        #expect(
            lines(json, payload: .pretty).dropFirst(2) == [
                "  {", #"    "a" : "x","#, #"    "b" : ["#, "      1", "    ]", "  }",
            ])
        #expect(lines(json, payload: .none).count == 2)
        let binary = record(value: [0, 255, 65])
        #expect(lines(binary)[2] == "  0x00ff41")
        #expect(
            lines(binary, payload: .hex)[2]
                == "  000000  00 ff 41                                         ..A")
        #expect(lines(record(value: nil))[2] == "  null")
    }

    @Test func aRecordThatIsNoEventSaysWhy() {
        let foreign = record(value: Array("hello".utf8), headers: [KafkaHeader("a", "b")], key: nil)
        #expect(
            lines(foreign, headers: true) == [
                "1970-01-01T00:00:01.500Z  orders/2/17  -  without key",
                "  no event: The record has no CloudEvents headers", "  a: b", "  hello",
            ])
    }

    @Test func hostileBytesCannotCommandTheTerminal() {
        let hostile = record(
            value: Array("\u{1b}[2J".utf8),
            headers: [KafkaHeader("ce_type", "\u{1b}[31mx"), KafkaHeader("na\nme", "a\u{7}")],
            key: Array("\u{1b}k".utf8))
        let text = lines(hostile, headers: true).joined(separator: "\n")
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        #expect(lines(hostile, headers: true).count == 5)
    }

    @Test func forProgramsThePayloadIsJSONItself() throws {
        let value = #"{"total":1.10,"id":12345678901234567890,"none":null,"list":[true,-3,"x"]}"#
        let text = try JSONText.line(EventView(record(value: Array(value.utf8))))
        #expect(!text.contains("\n"))
        let json = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(json["payload", "list"] == .array([.bool(true), .integer(-3), .string("x")]))
        #expect(json["payload", "id"] == .number(Decimal(string: "12345678901234567890") ?? 0))
        #expect(json["payload", "none"] == .null)
        #expect(json["eventID"] == .string("e-1"))
        #expect(json["time"] == .string("1970-01-01T00:00:01.001Z"))
        #expect(json["offset"] == .integer(17))
        #expect(json["problem"] == nil)
        #expect(json["headers", "7", "name"] == .string("content-type"))
    }

    @Test func filtersAreExact() {
        let event = EventView(record(value: []))
        #expect(EventFilter().matches(event) && EventFilter().isEmpty)
        #expect(EventFilter(key: "order-7", type: "shop.order.placed", correlationID: "f-1").matches(event))
        #expect(!EventFilter(key: "order").matches(event))
        #expect(!EventFilter(type: "shop.order").matches(event))
        #expect(!EventFilter(correlationID: "f").matches(event))
    }
}
