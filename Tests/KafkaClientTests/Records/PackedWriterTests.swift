// Packed records written in one go.

import Testing

@testable import KafkaClient

@Suite struct PackedWriterTests {
    private let prepared = PackedHeaders([("ce_type", "shop.order.placed"), ("ce_source", "/services/shop")])
    private let id: [UInt8] = Array("0190163d-8694-8640-8c92-857d45268d8c".utf8)

    private func write(_ writer: inout PackedWriter) {
        Array("order-1".utf8).withUnsafeBytes { writer.setKey($0) }
        Array("{}".utf8).withUnsafeBytes { writer.setValue($0) }
        writer.addHeaders(prepared)
        writer.addHeader("ce_id", size: id.count) { $0.copyBytes(from: id) }
        id.withUnsafeBytes { writer.addHeader("ce_causationid", $0) }
    }

    private var room: Int {
        PackedWriter.room(7) + PackedWriter.room(2) + prepared.room + PackedWriter.room(5 + 36)
            + PackedWriter.room(14 + 36)
    }

    @Test func recordsAreTheSameAsThoseMadeFieldByField() throws {
        let packed = try #require(PackedMessage(topic: "orders", capacity: room) { write(&$0) })
        let friendly = KafkaMessage(
            topic: "orders", key: Array("order-1".utf8), value: Array("{}".utf8),
            headers: [
                KafkaHeader("ce_type", "shop.order.placed"), KafkaHeader("ce_source", "/services/shop"),
                KafkaHeader("ce_id", bytes: id), KafkaHeader("ce_causationid", bytes: id),
            ])
        #expect(packed.message == friendly)
        #expect(packed.byteCount == PackedMessage(friendly).byteCount)
        #expect(packed.headerCount == 4)
    }

    @Test func whatDoesNotFitIsRefusedWhole() {
        for capacity in 0..<room {
            let packed = PackedMessage(topic: "orders", capacity: capacity) { write(&$0) }
            #expect(packed == nil)
        }
    }

    @Test func aRecordCanBeAddedToAfterwards() throws {
        var packed = try #require(PackedMessage(topic: "orders", capacity: room) { write(&$0) })
        let before = packed
        packed.addHeader("troupe-attempt", "2")
        #expect(packed.message.headers.last == KafkaHeader("troupe-attempt", "2"))
        #expect(packed.headerCount == 5)
        #expect(before.message.headers.count == 4)
    }

    @Test func emptyAndMissingBytesAreKeptApart() throws {
        let empty = try #require(
            PackedMessage(topic: "orders", capacity: 64) {
                $0.setKey(UnsafeRawBufferPointer(start: nil, count: 0))
                $0.setValue(nil)
            })
        #expect(empty.message.key == [])
        #expect(empty.message.value == nil)
    }
}
