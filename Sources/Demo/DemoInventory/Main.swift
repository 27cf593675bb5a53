// The inventory: sets stock aside for orders and gives it back when a payment is declined.

import DemoEvents
import DemoSupport
import Troupe

/// The line to the remote warehouse is busy: worth another try.
struct WarehouseBusy: Error, CustomStringConvertible {
    let description = "the line to the remote warehouse is busy"
}

@main
enum Main {
    static func main() async {
        await DemoService.main("inventory") { settings in
            router(store: try InventoryStore(path: settings.file("inventory.db")))
        }
    }

    static func router(store: InventoryStore) -> EventRouter {
        var router = EventRouter()
        router.on(
            OrderPlaced.self, publishes: .oneOf(StockReserved.self, StockRejected.self),
            retry: .exponential(initial: .milliseconds(500), multiplier: 2, maxDelay: .seconds(4), maxRetries: 6)
                .notRetrying(InvalidOrder.self)
        ) { order, context in
            // The remote warehouse never answers the first call. Meanwhile other events of the order may arrive.
            if context.attempt == 1, order.lines.contains(where: { $0.sku == Catalogue.remote }) {
                throw WarehouseBusy()
            }
            switch try store.place(order, eventID: context.eventID) {
            case .rejected(let reason), .released(let reason):
                return .event(StockRejected(orderID: order.orderID, reason: reason))
            case .reserved, .nothing:
                return .event(
                    StockReserved(
                        orderID: order.orderID, total: order.total, card: order.card, customer: order.customer,
                        country: order.country))
            }
        }
        router.on(PaymentDeclined.self, publishes: .optional(StockReleased.self), compensates: StockReserved.self) {
            declined, context in
            guard case .released(let reason) = try store.decline(declined, eventID: context.eventID) else { return nil }
            return StockReleased(orderID: declined.orderID, reason: reason)
        }
        return router
    }
}
