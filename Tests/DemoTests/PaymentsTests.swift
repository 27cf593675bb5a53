// The payment service's decisions, and its provider.

import DemoEvents
import DemoSupport
import Foundation
import SQLite
import Synchronization
import Testing

@testable import DemoPayments

@Suite struct PaymentsTests {
    private func order(card: String) -> OrderPlaced {
        OrderPlaced(
            orderID: "o1", customer: "ada@example.org", country: "SE", card: card,
            lines: [OrderLine(sku: "lamp", quantity: 1, unitPrice: 1)], total: 1,
            placedAt: Date(timeIntervalSince1970: 0))
    }

    @Test func aStolenCardIsDeclinedWhicheverEventComesFirst() {
        let stolen = PaymentAnswer.declined(reason: "the card is reported as stolen")
        #expect(Payments.precheck(order(card: Catalogue.stolenCard), payment: nil) == stolen)
        #expect(Payments.settle(nil, payment: .declined) == .nothing)
        #expect(Payments.settle(nil, payment: nil) == stolen)
        #expect(Payments.precheck(order(card: Catalogue.stolenCard), payment: .declined) == .nothing)
    }

    @Test func anOrderIsDecidedOnce() {
        #expect(Payments.precheck(order(card: "card-1"), payment: nil) == .nothing)
        #expect(Payments.settle(.charged, payment: nil) == .taken)
        #expect(Payments.settle(.declined(reason: "no cover"), payment: nil) == .declined(reason: "no cover"))
        for payment in [Payment.taken, .declined] { #expect(Payments.settle(.charged, payment: payment) == .nothing) }
    }

    @Test func theProviderMovesMoneyOncePerKeyAndNotDuringAnOutage() async throws {
        let directory = NSTemporaryDirectory() + "payments-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let ledger = directory + "/provider.db"
        let isDown = Atomic<Bool>(false)
        let provider = try PaymentProvider(ledgerPath: ledger, slowestAnswer: 0) { isDown.load(ordering: .relaxed) }
        for _ in 0..<3 {
            #expect(
                try await provider.charge(order: "o1", amount: 5, card: "card-1", idempotencyKey: "o1") == .charged)
        }
        isDown.store(true, ordering: .relaxed)
        await #expect(throws: ProviderUnavailable.self) {
            try await provider.charge(order: "o2", amount: 5, card: "card-1", idempotencyKey: "o2")
        }
        isDown.store(false, ordering: .relaxed)
        let declined = try await provider.charge(
            order: "o3", amount: 5, card: Catalogue.cardWithoutCover, idempotencyKey: "o3")
        #expect(declined == .declined(reason: "the card has no cover"))
        let rows = try Database(path: ledger, mode: .readOnly).read {
            try $0.query("SELECT order_id, times_asked FROM movements") {
                "\(try $0.get(0, as: String.self)) \(try $0.get(1, as: Int.self))"
            }
        }
        #expect(rows == ["o1 3"])
    }

    @Test func aCallThatIsUnderWayCanBeSeen() throws {
        let store = try PaymentStore(path: ":memory:")
        func open() throws -> [String] {
            try store.store.database.read {
                try $0.query("SELECT order_id FROM calls WHERE open = 1") { try $0.get(0, as: String.self) }
            }
        }
        try store.callBegan(order: "o1", eventID: "e1")
        #expect(try open() == ["o1"])
        try store.callFailed(eventID: "e1")
        #expect(try open() == [])
        try store.callBegan(order: "o1", eventID: "e1")
        #expect(try store.settle(.charged, order: "o1", eventID: "e1") == .taken)
        #expect(try open() == [])
    }
}
