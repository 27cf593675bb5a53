// Reading envelopes in binary and structured mode.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct EventEnvelopeTests {
    @Test func binaryModeIsRead() throws {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let envelope = try EventEnvelope(
            eventRecord(headers: [
                KafkaHeader("ce_time", "2026-11-21T11:15:00Z"), KafkaHeader("ce_subject", "o-1 größe"),
                KafkaHeader("ce_correlationid", "flow"), KafkaHeader("ce_causationid", "cause"),
                KafkaHeader("ce_dataschema", "https://example/schema"), KafkaHeader("traceparent", trace),
                KafkaHeader("tracestate", "a=b"), KafkaHeader("other", "x"),
            ]))
        #expect(envelope.id == "0190163d-8694-739b-aea5-966c26f8ad91")
        #expect(envelope.type == "shop.order.placed")
        #expect(envelope.source == "/services/storefront")
        #expect(envelope.time == testTime)
        #expect(envelope.subject == "o-1 größe")
        #expect(envelope.correlationID == "flow" && envelope.causationID == "cause")
        #expect(envelope.dataSchema == "https://example/schema" && envelope.contentType == "application/json")
        #expect(envelope.traceParent == trace && envelope.traceState == "a=b")
    }

    @Test func theLastOfRepeatedHeadersWins() throws {
        let envelope = try EventEnvelope(
            eventRecord(headers: [KafkaHeader("ce_id", "second"), KafkaHeader("ce_type", "other")]))
        #expect(envelope.id == "second" && envelope.type == "other")
    }

    @Test func invalidTraceAndTimeAreAsIfMissing() throws {
        let envelope = try EventEnvelope(
            eventRecord(headers: [
                KafkaHeader("ce_time", "yesterday"), KafkaHeader("traceparent", "zz"), KafkaHeader("tracestate", "a=b"),
            ]))
        #expect(envelope.time == nil && envelope.traceParent == nil && envelope.traceState == nil)
    }

    @Test(
        arguments: [
            ("ce_id", nil, EnvelopeFailure.Reason.missingAttribute), ("ce_id", "", .missingAttribute),
            ("ce_source", nil, .missingAttribute), ("ce_type", "", .missingAttribute),
            ("ce_specversion", "0.3", .unsupportedVersion), ("ce_specversion", nil, .missingAttribute),
            ("ce_id", "a\u{1}b", .invalidAttribute), ("ce_source", "a\u{7f}", .invalidAttribute),
            ("ce_correlationid", "12345678\u{0}", .invalidAttribute), ("ce_subject", "\u{85}", .invalidAttribute),
            ("ce_causationid", String(repeating: "x", count: 4097), .invalidAttribute),
        ] as [(String, String?, EnvelopeFailure.Reason)])
    func defectsAreNamed(_ name: String, _ value: String?, _ reason: EnvelopeFailure.Reason) throws {
        let record = eventRecord(headers: [KafkaHeader(name, bytes: value.map { Array($0.utf8) })])
        let failure = #expect(throws: EnvelopeFailure.self) { try EventEnvelope(record) }
        #expect(failure?.reason == reason)
        #expect(failure?.detail.contains(name) == true)
    }

    @Test func invalidUnicodeIsRefused() {
        let record = eventRecord(headers: [KafkaHeader("ce_id", bytes: [0x61, 0xff, 0xfe])])
        #expect(throws: EnvelopeFailure.self) { try EventEnvelope(record) }
    }

    @Test func theLongestAttributeIsRead() throws {
        let id = String(repeating: "x", count: 4096)
        #expect(try EventEnvelope(eventRecord(id: id)).id == id)
    }

    @Test func recordsWithoutHeadersAreNoEvents() {
        let failure = #expect(throws: EnvelopeFailure.self) {
            try EventEnvelope(KafkaRecord(topic: "orders", value: [1]))
        }
        #expect(failure?.reason == .notCloudEvent)
    }
}

@Suite struct StructuredModeTests {
    private func record(_ json: String, contentType: String = "application/cloudevents+json") -> KafkaRecord {
        KafkaRecord(
            topic: "orders", key: Array("o-1".utf8), value: Array(json.utf8),
            headers: [KafkaHeader("content-type", contentType), KafkaHeader("tracestate", "a=b")])
    }

    private let attributes = #""specversion":"1.0","id":"1","source":"/s","type":"shop.order.placed""#

    @Test func attributesAndDataAreTakenApart() throws {
        let data = #"{"price":1234567890.123456789,"text":"a\"}\\"}"#
        let record = record(
            "{\(attributes), \"correlationid\" : \"flow\", \"data\":\(data) ,\"count\":3,\"subject\":\"gr\\u00f6\\u00dfe\"}",
            contentType: "Application/CloudEvents+JSON; charset=UTF-8")
        let binary = try StructuredMode.normalized(record)
        #expect(binary.value?.text == data, "data is handed on byte for byte")
        #expect(binary.header("ce_count") == "3" && binary.header("content-type") == "application/json")
        #expect(binary.header("tracestate") == "a=b" && binary.key?.text == "o-1")
        let envelope = try EventEnvelope(record)
        #expect(envelope.id == "1" && envelope.correlationID == "flow" && envelope.subject == "größe")
    }

    @Test func base64AndTextDataAreDecoded() throws {
        let bytes = try StructuredMode.normalized(
            record("{\(attributes),\"datacontenttype\":\"image/png\",\"data_base64\":\"AAH/\"}"))
        #expect(bytes.value.map { Array($0) } == [0, 1, 255] && bytes.header("content-type") == "image/png")
        let text = try StructuredMode.normalized(
            record("{\(attributes),\"datacontenttype\":\"text/plain\",\"data\":\"a\\nb\"}"))
        #expect(text.value?.text == "a\nb")
        let json = try StructuredMode.normalized(
            record("{\(attributes),\"datacontenttype\":\"application/x+json; a=b\",\"data\":\"a\"}"))
        #expect(json.value?.text == "\"a\"")
    }

    @Test func nullDataIsATombstone() throws {
        #expect(try StructuredMode.normalized(record("{\(attributes),\"data\":null}")).isTombstone)
        #expect(try StructuredMode.normalized(record("{\(attributes)}")).isTombstone)
    }

    @Test(arguments: [
        "", "null", "[]", "{", #"{"a"}"#, #"{"a":}"#, #"{"a":1"#, #"{"a":1}x"#, #"{"a":tru}"#, #"{"a":[1,}"#,
        #"{"a":{"b" 1}}"#, #"{"a":"unended"#, "{\"a\":\"\u{1}\"}", #"{"a":"\"#, #"{"id":1,"id":2}"#, #"{"a":{}}"#,
        #"{"data":1,"data_base64":"AA=="}"#, #"{"data_base64":"*"}"#, #"{"data_base64":7}"#, #"{"a b":"c"}"#,
        #"{"":"c"}"#, #"{"a":1,}"#,
    ]) func malformedEventsHaveAReason(_ json: String) {
        let failure = #expect(throws: EnvelopeFailure.self) { try EventEnvelope(record(json)) }
        #expect(failure?.reason == .malformedStructure)
    }

    // Not an argument of the test above: the runner prints every argument, and this one is 100,000 characters long.
    @Test func deepNestingIsMalformed() {
        let json = "{\"data\":" + String(repeating: "[", count: 100_000)
        let failure = #expect(throws: EnvelopeFailure.self) { try EventEnvelope(record(json)) }
        #expect(failure?.reason == .malformedStructure)
    }

    @Test(arguments: ["application/cloudevents-batch+json", "application/cloudevents+avro", "application/cloudevents"])
    func otherFormatsHaveAReason(_ contentType: String) {
        let failure = #expect(throws: EnvelopeFailure.self) {
            try EventEnvelope(record("{}", contentType: contentType))
        }
        #expect(failure?.reason == .malformedStructure)
    }
}
