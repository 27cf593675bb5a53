// Events live for years: the bytes that were once written must decode for ever.

import DemoEvents
import Foundation
import Testing
import Troupe

@Suite struct GoldenFileTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    private func check<E: Event & Hashable>(_ expected: E) throws {
        let file = Self.directory.appending(path: "\(E.type).json")
        let golden = Array(try Data(contentsOf: file))
        #expect(try golden.withUnsafeBytes { try E.coder.decode($0) } == expected)
        let written = try E.coder.encode(expected)
        #expect(try written.withUnsafeBytes { try E.coder.decode($0) } == expected)
    }

    private let price = Decimal(sign: .plus, exponent: -2, significand: 29_795)

    @Test func everyEventOfTheDemoDecodesAsItWasFirstWritten() throws {
        let rug = Decimal(sign: .plus, exponent: -2, significand: 19_995)
        try check(
            OrderPlaced(
                orderID: "order-00042", customer: "ada@example.org", country: "SE", card: "card-4711",
                lines: [
                    OrderLine(sku: "lamp", quantity: 2, unitPrice: 49),
                    OrderLine(sku: "rug", quantity: 1, unitPrice: rug),
                ], total: price, placedAt: Date(timeIntervalSince1970: 1_795_259_700.125)))
        try check(OrderCancelled(orderID: "order-00042", customer: "ada@example.org", reason: "out of stock: clock"))
        try check(OrderCompleted(orderID: "order-00042"))
        try check(
            StockReserved(
                orderID: "order-00042", total: price, card: "card-4711", customer: "ada@example.org", country: "SE"))
        try check(StockRejected(orderID: "order-00042", reason: "out of stock: clock"))
        try check(StockReleased(orderID: "order-00042", reason: "the card has no cover"))
        try check(PaymentTaken(orderID: "order-00042", amount: price, customer: "ada@example.org", country: "SE"))
        try check(PaymentDeclined(orderID: "order-00042", reason: "the card has no cover"))
        try check(
            ParcelDispatched(
                orderID: "order-00042", customer: "ada@example.org", zone: "EU", trackingNumber: "EU-order-00042"))
    }

    @Test func everyGoldenFileBelongsToAnEventAndEveryEventHasOne() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.directory.path(percentEncoded: false))
        let types: [any Event.Type] = [
            OrderPlaced.self, OrderCancelled.self, OrderCompleted.self, StockReserved.self, StockRejected.self,
            StockReleased.self, PaymentTaken.self, PaymentDeclined.self, ParcelDispatched.self,
        ]
        #expect(Set(files) == Set(types.map { "\($0.type).json" }))
    }
}
