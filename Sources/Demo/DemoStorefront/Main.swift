// The storefront: places orders and hears how they ended.

import DemoEvents
import DemoSupport
import Troupe

@main
enum Main {
    static func main() async {
        await DemoService.main(
            "storefront",
            alongside: { settings, service in
                let storefront = Storefront(
                    store: try OrderStore(path: settings.file("storefront.db")),
                    publisher: try await EventPublisher("storefront"))
                try await storefront.untilAnswersAreHeard(by: service)
                try await storefront.place(
                    Traffic(count: settings.orders, seed: settings.seed), rate: settings.rate)
            },
            router: { settings in router(orders: try OrderStore(path: settings.file("storefront.db"))) })
    }

    static func router(orders: OrderStore) -> EventRouter {
        var router = EventRouter()
        router.on(StockRejected.self, publishes: .one(OrderCancelled.self)) { rejected, context in
            let customer = try orders.end(rejected.orderID, "cancelled", eventID: context.eventID)
            return OrderCancelled(orderID: rejected.orderID, customer: customer, reason: rejected.reason)
        }
        router.on(StockReleased.self, publishes: .one(OrderCancelled.self)) { released, context in
            let customer = try orders.end(released.orderID, "cancelled", eventID: context.eventID)
            return OrderCancelled(orderID: released.orderID, customer: customer, reason: released.reason)
        }
        router.on(ParcelDispatched.self, publishes: .one(OrderCompleted.self)) { parcel, context in
            _ = try orders.end(parcel.orderID, "shipped", eventID: context.eventID)
            return OrderCompleted(orderID: parcel.orderID)
        }
        return router
    }
}
