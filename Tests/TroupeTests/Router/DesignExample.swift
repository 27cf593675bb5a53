// The example of the README and the design, as users write it.

import Troupe

typealias OrderID = EventKey

struct OrderLine: Codable, Sendable, Hashable {
    let article: String
    let quantity: Int
}

struct OrderPlaced: Event, Hashable {
    static let type: EventType = "shop.order.placed"
    static let topic: Topic = "orders"
    var key: EventKey { orderID }
    let orderID: OrderID
    let lines: [OrderLine]
}

struct StockReserved: Event, Hashable {
    static let type: EventType = "shop.stock.reserved"
    static let topic: Topic = "stock"
    var key: EventKey { orderID }
    let orderID: OrderID
}

struct StockRejected: Event, Hashable {
    static let type: EventType = "shop.stock.rejected"
    static let topic: Topic = "stock"
    static let flowEnding: FlowEnding? = .failed
    var key: EventKey { orderID }
    let orderID: OrderID
}

struct StockReleased: Event, Hashable {
    static let type: EventType = "shop.stock.released"
    static let topic: Topic = "stock"
    var key: EventKey { orderID }
    let orderID: OrderID
}

struct PaymentDeclined: Event, Hashable {
    static let type: EventType = "shop.payment.declined"
    static let topic: Topic = "payments"
    var key: EventKey { orderID }
    let orderID: OrderID
}

struct OrderShipped: Event, Hashable {
    static let type: EventType = "shop.order.shipped"
    static let topic: Topic = "shipments"
    static let flowEnding: FlowEnding? = .completed
    var key: EventKey { orderID }
    let orderID: OrderID
}

struct InvalidOrder: Error {}

actor Stock {
    var left: Int
    init(_ left: Int) { self.left = left }
    func reserve(_ lines: [OrderLine], for order: OrderID) async throws -> Bool {
        let wanted = lines.reduce(0) { $0 + $1.quantity }
        guard lines.allSatisfy({ $0.quantity > 0 }) else { throw InvalidOrder() }
        guard wanted <= left else { return false }
        left -= wanted
        return true
    }
    func release(_ order: OrderID) async throws { left += 1 }
}

func mail(_ shipped: OrderShipped) async throws {}

func inventoryRouter(_ stock: Stock) -> EventRouter {
    var router = EventRouter()
    router.on(
        OrderPlaced.self,
        publishes: .oneOf(StockReserved.self, StockRejected.self),
        retry: .exponential(initial: .seconds(1), multiplier: 2, maxDelay: .seconds(60), maxRetries: 3)
            .notRetrying(InvalidOrder.self)
    ) { order, context in
        guard try await stock.reserve(order.lines, for: order.orderID) else {
            return .event(StockRejected(orderID: order.orderID))
        }
        return .event(StockReserved(orderID: order.orderID))
    }
    router.on(PaymentDeclined.self, publishes: .one(StockReleased.self), compensates: StockReserved.self) {
        declined, _ in
        try await stock.release(declined.orderID)
        return StockReleased(orderID: declined.orderID)
    }
    router.on(OrderShipped.self) { shipped, _ in try await mail(shipped) }
    return router
}
