// The demo's services together, without a broker: every path, and every path again with crashes and duplicates.

import DemoEvents
import DemoSupport
import Foundation
import SQLite
import Synchronization
import Testing
import Troupe
import TroupeTesting

@testable import DemoInventory
@testable import DemoNotifications
@testable import DemoPayments
@testable import DemoShipping
@testable import DemoStorefront

/// The five services over files in memory.
private final class Shop: Sendable {
    let inventory: InventoryStore
    let payments: PaymentStore
    let orders: OrderStore
    let mails: MailStore
    let ledger: String
    let services: [EventService]
    let outage: Outage

    init(shippingRelease: Int = 2) throws {
        inventory = try InventoryStore(path: ":memory:")
        payments = try PaymentStore(path: ":memory:")
        orders = try OrderStore(path: ":memory:")
        mails = try MailStore(path: ":memory:")
        ledger = NSTemporaryDirectory() + "troupe-ledger-\(UUID().uuidString).db"
        let outage = Outage()
        self.outage = outage
        let provider = try PaymentProvider(ledgerPath: ledger, slowestAnswer: 0) { outage.isOn }
        let routers = [
            ("storefront", DemoStorefront.Main.router(orders: orders)),
            ("inventory", DemoInventory.Main.router(store: inventory)),
            ("payments", DemoPayments.Main.router(store: payments, provider: provider)),
            (
                "shipping",
                DemoShipping.Main.router(
                    store: try ShippingStore(path: ":memory:"), shipping: Shipping(release: shippingRelease))
            ),
            ("notifications", DemoNotifications.Main.router(mails: mails)),
        ]
        services = routers.map {
            EventService($0.0, router: $0.1, configuration: ServiceConfiguration(environment: [:]))
        }
    }

    deinit { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: ledger + suffix) } }

    final class Outage: Sendable {
        private let state = Mutex(false)
        var isOn: Bool { state.withLock { $0 } }
        func set(_ isOn: Bool) { state.withLock { $0 = isOn } }
    }

    /// The orders that were charged, once for each movement of money, sorted.
    func charges() throws -> [String] {
        try Database(path: ledger, mode: .readOnly).read {
            try $0.query("SELECT order_id FROM movements ORDER BY order_id") { try $0.get(0) }
        }
    }

    /// The orders that hold stock.
    func holders() throws -> Set<String> {
        Set(
            try inventory.store.database.read {
                try $0.query("SELECT DISTINCT order_id FROM held") { try $0.get(0, as: String.self) }
            })
    }
}

@Suite struct ChoreographyTests {
    private func plan(_ path: OrderPath, seed: UInt64 = 1) throws -> PlannedOrder {
        try #require(Traffic(count: 40, seed: seed).orders.first { $0.path == path })
    }

    private func place(_ order: PlannedOrder, in world: TestWorld) async throws {
        if order.path == .garbled {
            try await world.give(GarbledOrder(orderID: order.id), idempotencyKey: order.id)
        } else {
            try await world.give(
                order.placed(at: Date(timeIntervalSince1970: Double(world.now) / 1_000)), idempotencyKey: order.id)
        }
    }

    @Test func aHappyOrderIsReservedPaidShippedAndTold() async throws {
        let shop = try Shop()
        let order = try plan(.happy)
        try await shop.services.test(.simulated) { world in
            try await place(order, in: world)
            #expect(try await world.published(ParcelDispatched.self).map(\.orderID) == [order.id])
            #expect(try await world.published(OrderCompleted.self).map(\.orderID) == [order.id])
            #expect(try await world.published(OrderCancelled.self).isEmpty)
            #expect(try await world.deadLetters().isEmpty)
            #expect(try shop.charges() == [order.id])
            #expect(try shop.holders() == [order.id])
        }
        let mails = try shop.mails.store.database.read {
            try $0.query("SELECT recipient FROM mails") { try $0.get(0, as: String.self) }
        }
        #expect(mails == [order.customer])
    }

    @Test func anOrderThatIsOutOfStockIsCancelledAndNothingIsChargedOrHeld() async throws {
        let shop = try Shop()
        let order = try plan(.outOfStock)
        try await shop.services.test(.simulated) { world in
            try await place(order, in: world)
            #expect(try await world.published(OrderCancelled.self).map(\.reason) == ["out of stock: clock"])
            #expect(try await world.published(StockReserved.self).isEmpty)
            #expect(try shop.charges().isEmpty)
            #expect(try shop.holders().isEmpty)
        }
    }

    @Test func aDeclinedPaymentReleasesTheStock() async throws {
        let shop = try Shop()
        let order = try plan(.paymentDeclined)
        try await shop.services.test(.simulated) { world in
            try await place(order, in: world)
            #expect(try await world.published(StockReserved.self).count == 1)
            #expect(try await world.published(StockReleased.self).count == 1)
            #expect(try await world.published(OrderCancelled.self).map(\.reason) == ["the card has no cover"])
            #expect(try shop.holders().isEmpty)
            #expect(try shop.charges().isEmpty)
        }
    }

    @Test func aReleaseBeforeItsReservationLeavesNothingHeld() async throws {
        let shop = try Shop()
        let order = try plan(.stolenCard)
        try await shop.services.test(.simulated) { world in
            try await place(order, in: world)
            // The inventory waits for the remote warehouse while the payment is declined.
            #expect(try await world.published(PaymentDeclined.self).count == 1)
            #expect(try await world.retrying().map(\.service) == ["inventory"])
            #expect(try await world.published(OrderCancelled.self).isEmpty)
            try await world.advance(by: .seconds(5))
            #expect(try await world.published(StockRejected.self).map(\.reason) == ["payment declined"])
            #expect(try await world.published(StockReleased.self).isEmpty)
            #expect(try await world.published(OrderCancelled.self).count == 1)
            #expect(try shop.holders().isEmpty)
        }
    }

    @Test func anOrderThatMakesNoSenseIsDeadLetteredAtOnceByTheInventoryAlone() async throws {
        let shop = try Shop()
        let order = try plan(.nonsense)
        try await shop.services.test(.simulated) { world in
            try await place(order, in: world)
            let letters = try await world.deadLetters()
            #expect(letters.map(\.service) == ["inventory"])
            #expect(letters.map(\.attempts) == [1])
            #expect(letters.map(\.reason) == [.notRetryable])
        }
    }

    @Test func bytesThatAreNoJSONAreDeadLetteredByWhoeverReadsOrders() async throws {
        let shop = try Shop()
        let order = try plan(.garbled)
        try await shop.services.test(.simulated) { world in
            try await place(order, in: world)
            let letters = try await world.deadLetters()
            #expect(Set(letters.map(\.service)) == ["inventory", "payments"])
            #expect(
                letters.allSatisfy { $0.reason == .undecodable && $0.value == GarbledOrder(orderID: order.id).rawBytes }
            )
            #expect(letters.count == 2)
        }
    }

    @Test func aBugInShippingIsDeadLetteredAfterItsRetriesAndShippedByTheNextRelease() async throws {
        let order = try plan(.brokenCountry)
        let shop = try Shop(shippingRelease: 1)
        let letter = try await shop.services.test(.simulated) { world in
            try await place(order, in: world)
            try await world.advance(by: .seconds(5))
            let letters = try await world.deadLetters()
            #expect(letters.map(\.service) == ["shipping"])
            #expect(letters.map(\.attempts) == [3])
            #expect(try await world.published(ParcelDispatched.self).isEmpty)
            return try #require(letters.first)
        }
        let mended = try Shop(shippingRelease: 2)
        try await mended.services.test(.simulated) { world in
            try await world.replay(letter)
            #expect(try await world.published(ParcelDispatched.self).map(\.orderID) == [order.id])
        }
    }

    @Test func anOutageOfTheProviderIsWaitedOutAndChargesOnce() async throws {
        let shop = try Shop()
        let orders = Traffic(count: 40, seed: 1).orders.filter { $0.path == .happy }
        try await shop.services.test(.simulated) { world in
            shop.outage.set(true)
            for order in orders { try await place(order, in: world) }
            try await world.advance(by: .seconds(10))
            #expect(try await world.published(PaymentTaken.self).isEmpty)
            #expect(try await world.retrying().count == orders.count)
            shop.outage.set(false)
            try await world.advance(by: .seconds(30))
            #expect(try await world.published(OrderCompleted.self).count == orders.count)
            #expect(try await world.deadLetters().isEmpty)
            #expect(try shop.charges() == orders.map(\.id).sorted())
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func everyOrderEndsOnceWhateverCrashesOrComesTwice(seed: UInt64) async throws {
        let shop = try Shop()
        let orders = Traffic(count: 40, seed: seed).orders
        let faults = SimulatedFaults(crashes: 0.05, duplicates: 0.1)
        try await shop.services.test(.simulated(seed: seed, faults: faults)) { world in
            for (number, order) in orders.enumerated() {
                try await place(order, in: world)
                if number % 8 == 7 { try await world.advance(by: .milliseconds(300)) }
            }
            try await world.advance(by: .seconds(60))
            let shipped = Set(try await world.published(ParcelDispatched.self).map(\.orderID))
            let cancelled = Set(try await world.published(OrderCancelled.self).map(\.orderID))
            let lettered = Set(
                try await world.deadLetters().compactMap { $0.key.map { String(decoding: $0, as: UTF8.self) } })
            for order in orders {
                let ends = [shipped.contains(order.id), cancelled.contains(order.id), lettered.contains(order.id)]
                let expected = OrderPath.End.allCases.map { $0 == order.path.end }
                #expect(ends == expected, "\(order.id) (\(order.path.rawValue))")
            }
            #expect(try shop.charges() == shipped.sorted())
            #expect(try shop.holders() == shipped)
            #expect(try await world.retrying().isEmpty)
        }
    }
}
