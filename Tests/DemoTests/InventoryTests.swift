// The inventory's decisions, and its file.

import DemoEvents
import DemoSupport
import Foundation
import SQLite
import Testing

@testable import DemoInventory

@Suite struct InventoryTests {
    private func order(_ lines: (String, Int)..., id: String = "o1") -> OrderPlaced {
        OrderPlaced(
            orderID: id, customer: "ada@example.org", country: "SE", card: "card-1",
            lines: lines.map { OrderLine(sku: $0.0, quantity: $0.1, unitPrice: 1) }, total: 1,
            placedAt: Date(timeIntervalSince1970: 0))
    }

    @Test func anOrderGetsAllItsLinesOrNone() throws {
        let all = try Inventory.place(order(("lamp", 2), ("mug", 1)), reservation: nil, onHand: ["lamp": 2, "mug": 9])
        #expect(all == StockDecision(reservation: .reserved, changes: ["lamp": -2, "mug": -1], answer: .reserved))
        let none = try Inventory.place(order(("lamp", 3), ("mug", 1)), reservation: nil, onHand: ["lamp": 2, "mug": 9])
        #expect(none == StockDecision(reservation: .rejected, answer: .rejected(reason: "out of stock: lamp")))
    }

    @Test func linesOfOneArticleAreAddedUp() throws {
        let decision = try Inventory.place(order(("lamp", 2), ("lamp", 2)), reservation: nil, onHand: ["lamp": 3])
        #expect(decision.reservation == .rejected)
    }

    @Test func nonsenseIsAnError() {
        for order in [order(), order(("lamp", 0)), order(("lamp", -3)), order(("lamp", .max), ("lamp", 1))] {
            #expect(throws: InvalidOrder.self) {
                try Inventory.place(order, reservation: nil, onHand: ["lamp": 1_000])
            }
        }
    }

    @Test func aReleaseMayComeBeforeItsReservation() throws {
        let early = Inventory.decline(reservation: nil, held: [:], reason: "stolen")
        #expect(early == StockDecision(reservation: .withdrawn, answer: .nothing))
        let late = try Inventory.place(order(("lamp", 1)), reservation: early.reservation, onHand: ["lamp": 5])
        #expect(late == StockDecision(reservation: .withdrawn, answer: .rejected(reason: "payment declined")))
    }

    @Test func onlyWhatIsHeldIsGivenBack() {
        let released = Inventory.decline(reservation: .reserved, held: ["lamp": 2], reason: "no cover")
        #expect(
            released
                == StockDecision(reservation: .released, changes: ["lamp": 2], answer: .released(reason: "no cover")))
        for settled in [Reservation.rejected, .released, .withdrawn] {
            let decision = Inventory.decline(reservation: settled, held: [:], reason: "no cover")
            #expect(decision == StockDecision(reservation: settled, answer: .nothing))
        }
    }

    @Test func anEventHandledTwiceChangesNothingAlsoInANewProcess() throws {
        let path = NSTemporaryDirectory() + "inventory-\(UUID().uuidString).db"
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        func lamps(_ store: InventoryStore) throws -> Int? {
            try store.store.database.read {
                try $0.first("SELECT on_hand FROM stock WHERE sku = 'lamp'") { try $0.get(0) }
            }
        }
        let declined = PaymentDeclined(orderID: "o1", reason: "no cover")
        for _ in 0..<2 {
            let store = try InventoryStore(path: path)
            for _ in 0..<2 { #expect(try store.place(order(("lamp", 2)), eventID: "e1") == .reserved) }
        }
        #expect(try lamps(InventoryStore(path: path)) == Catalogue.initialStock - 2)
        for _ in 0..<2 {
            let store = try InventoryStore(path: path)
            for _ in 0..<2 { #expect(try store.decline(declined, eventID: "e2") == .released(reason: "no cover")) }
            #expect(try store.place(order(("lamp", 2)), eventID: "e1") == .reserved)
        }
        let store = try InventoryStore(path: path)
        #expect(try lamps(store) == Catalogue.initialStock)
        let times = try store.store.database.read {
            try $0.query("SELECT times FROM inbox ORDER BY event_id") { try $0.get(0, as: Int.self) }
        }
        #expect(times == [6, 4])
    }
}
