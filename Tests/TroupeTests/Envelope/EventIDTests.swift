// Ids of events against vectors made by an independent implementation; they stand in docs/wire-format.md.

import Foundation
import KafkaClient
import Testing

@testable import Troupe

@Suite struct EventIDTests {
    struct Vector: Sendable {
        var source: String
        var parent: String
        var time: Int64?
        var service: String
        var type: String
        var ordinal: UInt32
        var id: String
    }

    static let uuid = "0190163d-8694-739b-aea5-966c26f8ad91"
    static let vectors = [
        Vector(
            source: "/services/storefront", parent: uuid, time: nil, service: "inventory", type: "shop.stock.reserved",
            ordinal: 0, id: "0190163d-8694-8045-87e2-2cb25b529309"),
        Vector(
            source: "/services/storefront", parent: uuid, time: nil, service: "inventory", type: "shop.stock.reserved",
            ordinal: 1, id: "0190163d-8694-8f49-89ea-a58e8f7f2520"),
        Vector(
            source: "/services/storefront", parent: uuid, time: nil, service: "payments", type: "shop.stock.reserved",
            ordinal: 0, id: "0190163d-8694-8640-8c92-857d45268d8c"),
        Vector(
            source: "https://erp.example/orders", parent: "4711", time: testTime, service: "inventory",
            type: "shop.stock.reserved", ordinal: 0, id: "01a1fdd1-1320-8433-bd06-9840b0a201b6"),
        Vector(
            source: "https://erp.example/orders", parent: "4711", time: nil, service: "inventory",
            type: "shop.stock.reserved", ordinal: 0, id: "00000000-0000-8433-bd06-9840b0a201b6"),
        Vector(
            source: "/services/lager", parent: "9c5b94b1-35ad-49bb-b118-8e8fc24abf80", time: testTime + 123,
            service: "größe", type: "a", ordinal: .max, id: "01a1fdd1-139b-82f3-bf24-140c00b64379"),
    ]

    @Test(arguments: vectors) func followOnIdsEqualTheGoldenVectors(_ vector: Vector) {
        let id = Array(vector.source.utf8).withUnsafeBytes { source in
            Array(vector.parent.utf8).withUnsafeBytes { parent in
                EventID.followOn(
                    parentSource: source, parentID: parent, parentTime: vector.time, service: vector.service,
                    type: vector.type, ordinal: vector.ordinal)
            }
        }
        #expect(id.text == vector.id)
    }

    @Test(arguments: [0, 7, 8, 400, 463, 464, 465, 600, 4_000])
    func longParentIdsAreHashedLikeShortOnes(_ length: Int) {
        let source = Array("/services/storefront".utf8)
        let parent = (0..<length).map { UInt8(ascii: "a") + UInt8($0 % 26) }
        var hash = SipHash128()
        source.withUnsafeBytes { hash.updateField($0) }
        parent.withUnsafeBytes { hash.updateField($0) }
        hash.updateField("inventory")
        hash.updateField("shop.stock.reserved")
        hash.update(3)
        let (first, second) = hash.finish()
        let id = source.withUnsafeBytes { source in
            parent.withUnsafeBytes { parent in
                EventID.followOn(
                    parentSource: source, parentID: parent, parentTime: 1, service: "inventory",
                    type: "shop.stock.reserved", ordinal: 3)
            }
        }
        #expect(id.high & 0xfff == first.byteSwapped >> 48 & 0xfff)
        #expect(id.low & 0xffff == (first.byteSwapped << 16 | second.byteSwapped >> 48) & 0xffff)
        #expect(id.low << 2 == (first.byteSwapped << 16 | second.byteSwapped >> 48) << 2)
    }

    @Test func idempotencyKeysGiveTheGoldenIds() {
        func id(_ type: String) -> String {
            EventID.derived(fromIdempotencyKey: "checkout-42", service: "storefront", type: type, ordinal: 0).text
        }
        #expect(id("") == "00000000-0000-8dd8-b803-576da3f9428a")
        #expect(id("shop.order.placed") == "00000000-0000-8595-8980-ae5af0a5c009")
    }

    @Test func flowStartersAreVersionSevenWithTheirTime() throws {
        let random = FastRandom(seed: 7)
        var seen: Set<EventID> = []
        for _ in 0..<1000 {
            let id = EventID.flowStarter(milliseconds: testTime, random: random)
            #expect(id.embeddedTime == UInt64(testTime))
            #expect(id.text[id.text.index(id.text.startIndex, offsetBy: 14)] == "7")
            #expect(UUID(uuidString: id.text) != nil)
            seen.insert(id)
        }
        #expect(seen.count == 1000)
    }

    @Test func textIsReadBackAndNonsenseIsNot() throws {
        let uuid = UUID()
        #expect(EventID(uuid).text == uuid.uuidString.lowercased())
        #expect(EventID(uuid.uuidString) == EventID(uuid))
        #expect(EventID("0190163d-8694-739b-aea5-966c26f8ad9") == nil)
        #expect(EventID("0190163d-8694-739b-aea5-966c26f8ad9g") == nil)
        #expect(EventID("0190163d08694-739b-aea5-966c26f8ad91") == nil)
        #expect(try #require(EventID("9c5b94b1-35ad-49bb-b118-8e8fc24abf80")).embeddedTime == nil)
    }
}
