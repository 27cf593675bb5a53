// The storefront's file and its broken client.

import DemoEvents
import Foundation
import Testing
import Troupe

@testable import DemoStorefront

@Suite struct StorefrontTests {
    @Test func aStorefrontThatDiedPlacesTheSameOrderAgainAndAPublishedOneNot() throws {
        let store = try OrderStore(path: ":memory:")
        let order = try #require(Traffic(count: 1, seed: 1).orders.first)
        let first = Date(timeIntervalSince1970: 1_000.0625)
        let placed = try #require(try store.begin(order, now: first))
        #expect(abs(placed.timeIntervalSince(first)) < 0.001)
        #expect(try store.begin(order, now: Date(timeIntervalSince1970: 2_000)) == placed)
        try store.published(order.id)
        #expect(try store.begin(order, now: first) == nil)
    }

    @Test func anOrderEndsOnceAndItsCustomerIsKnown() throws {
        let store = try OrderStore(path: ":memory:")
        let order = try #require(Traffic(count: 1, seed: 1).orders.first)
        _ = try store.begin(order, now: Date(timeIntervalSince1970: 0))
        for _ in 0..<2 { #expect(try store.end(order.id, "cancelled", eventID: "e1") == order.customer) }
        #expect(try store.end("foreign", "cancelled", eventID: "e2") == nil)
    }

    @Test func aGarbledOrderIsNoJSON() {
        let bytes = GarbledOrder(orderID: "o1").rawBytes
        #expect(throws: (any Error).self) { try bytes.withUnsafeBytes { try OrderPlaced.coder.decode($0) } }
        #expect(String(validating: bytes, as: UTF8.self) == nil)
        #expect(GarbledOrder.type == OrderPlaced.type)
        #expect(GarbledOrder(orderID: "o1").key == "o1")
    }
}
