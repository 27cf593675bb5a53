// Shipping: prints a label for each paid order and hands the parcel to the carrier.

import DemoEvents
import DemoSupport
import Troupe

@main
enum Main {
    static func main() async {
        await DemoService.main("shipping") { settings in
            router(
                store: try ShippingStore(path: settings.file("shipping.db")),
                shipping: Shipping(release: settings.shippingRelease))
        }
    }

    static func router(store: ShippingStore, shipping: Shipping) -> EventRouter {
        var router = EventRouter()
        router.on(
            PaymentTaken.self, publishes: .one(ParcelDispatched.self),
            retry: .fixed(.milliseconds(300), maxRetries: 2)
        ) { order, context in
            try store.dispatch(order, by: shipping, eventID: context.eventID)
        }
        return router
    }
}
