// The seeded traffic.

import DemoEvents
import Testing

@Suite struct TrafficTests {
    @Test func oneSeedGivesOneTraffic() {
        #expect(Traffic(count: 200, seed: 7).orders == Traffic(count: 200, seed: 7).orders)
        #expect(Traffic(count: 200, seed: 7).orders != Traffic(count: 200, seed: 8).orders)
        #expect(Array(Traffic(count: 200, seed: 7).orders.prefix(50)) == Traffic(count: 50, seed: 7).orders)
    }

    @Test(arguments: [1, 2, 3, 99] as [UInt64])
    func fortyOrdersMeetEveryPath(seed: UInt64) {
        let orders = Traffic(count: 40, seed: seed).orders
        #expect(Set(orders.map(\.path)) == Set(OrderPath.allCases))
        #expect(Set(orders.map(\.id)).count == 40)
    }

    @Test func everyPathHasWhatMakesItOne() {
        for order in Traffic(count: 400, seed: 5).orders {
            #expect((order.country == Catalogue.brokenCountry) == (order.path == .brokenCountry))
            #expect((order.card == Catalogue.cardWithoutCover) == (order.path == .paymentDeclined))
            #expect((order.card == Catalogue.stolenCard) == (order.path == .stolenCard))
            #expect(order.lines.contains { $0.sku == Catalogue.soldOut } == (order.path == .outOfStock))
            #expect(order.lines.contains { $0.quantity <= 0 } == (order.path == .nonsense))
        }
    }

    @Test func noOrdersAreNoOrders() {
        #expect(Traffic(count: 0, seed: 1).orders.isEmpty)
        #expect(Traffic(count: -1, seed: 1).orders.isEmpty)
    }
}
