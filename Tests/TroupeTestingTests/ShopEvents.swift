// The events and services of these tests: a small shop.

import Synchronization
import Troupe
import TroupeTesting

struct OrderPlaced: Event, Hashable {
    static let type: EventType = "shop.order.placed"
    static let topic: Topic = "orders"
    var key: EventKey { EventKey(order) }
    var order: String
    var quantity = 1
}

struct OrderNoted: Event {
    static let type: EventType = "shop.order.noted"
    static let topic: Topic = "orders"
    var key: EventKey { EventKey(order) }
    var order: String
}

struct StockReserved: Event, Hashable {
    static let type: EventType = "shop.stock.reserved"
    static let topic: Topic = "stock"
    var key: EventKey { EventKey(order) }
    var order: String
    var quantity: Int
}

struct StockReleased: Event, Hashable {
    static let type: EventType = "shop.stock.released"
    static let topic: Topic = "stock"
    var key: EventKey { EventKey(order) }
    var order: String
}

struct PaymentTaken: Event, Hashable {
    static let type: EventType = "shop.payment.taken"
    static let topic: Topic = "payments"
    var key: EventKey { EventKey(order) }
    var order: String
}

struct PaymentDeclined: Event, Hashable {
    static let type: EventType = "shop.payment.declined"
    static let topic: Topic = "payments"
    var key: EventKey { EventKey(order) }
    var order: String
}

struct Outage: Error, CustomStringConvertible {
    var description = "The warehouse is down"
}

struct InvalidOrder: Error, CustomStringConvertible {
    var description = "The quantity is nonsense"
}

/// Counts what happened to each key, from whatever thread.
final class Tally: Sendable {
    private let counts = Mutex<[String: Int]>([:])
    private let list = Mutex<[String]>([])

    /// Counts one more of `key` and returns how many there are now.
    @discardableResult
    func add(_ key: String) -> Int {
        list.withLock { $0.append(key) }
        return counts.withLock { counts in
            counts[key, default: 0] += 1
            return counts[key] ?? 0
        }
    }

    subscript(key: String) -> Int { counts.withLock { $0[key] ?? 0 } }

    /// Everything that was added, in order.
    var all: [String] { list.withLock { $0 } }
}

/// A configuration that takes nothing from this machine's environment.
func configuration(_ change: (inout ServiceConfiguration) -> Void = { _ in }) -> ServiceConfiguration {
    var configuration = ServiceConfiguration(environment: [:])
    change(&configuration)
    return configuration
}

/// A service with one route, from orders to reservations.
func inventory(
    retry: RetryPolicy = .never, configuration: ServiceConfiguration = configuration(),
    _ handler: @escaping EventRouter.Handler<OrderPlaced, StockReserved> = { order, _ in
        StockReserved(order: order.order, quantity: order.quantity)
    }
) -> EventService {
    var router = EventRouter(retry: retry)
    router.on(OrderPlaced.self, publishes: .one(StockReserved.self), handler)
    return EventService("inventory", router: router, configuration: configuration)
}

/// A service that takes payments for reservations and declines those of more than ten.
func payments() -> EventService {
    var router = EventRouter()
    router.on(StockReserved.self, publishes: .oneOf(PaymentTaken.self, PaymentDeclined.self)) { reserved, _ in
        guard reserved.quantity <= 10 else { return .event(PaymentDeclined(order: reserved.order)) }
        return .event(PaymentTaken(order: reserved.order))
    }
    return EventService("payments", router: router, configuration: configuration())
}

/// An inventory that releases what could not be paid.
func compensatingInventory() -> EventService {
    var router = EventRouter()
    router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, _ in
        StockReserved(order: order.order, quantity: order.quantity)
    }
    router.on(PaymentDeclined.self, publishes: .one(StockReleased.self), compensates: StockReserved.self) {
        declined, _ in StockReleased(order: declined.order)
    }
    return EventService("inventory", router: router, configuration: configuration())
}
