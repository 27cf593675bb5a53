// Notifications: tells customers how their orders ended.

import DemoEvents
import DemoSupport
import Troupe

@main
enum Main {
    static func main() async {
        await DemoService.main("notifications") { settings in
            router(mails: try MailStore(path: settings.file("notifications.db")))
        }
    }

    static func router(mails: MailStore) -> EventRouter {
        var router = EventRouter()
        router.on(ParcelDispatched.self) { parcel, context in
            try mails.send(
                to: parcel.customer, "Your parcel \(parcel.trackingNumber) is on its way", order: parcel.orderID,
                eventID: context.eventID)
        }
        router.on(OrderCancelled.self) { order, context in
            guard let customer = order.customer else { return }
            try mails.send(
                to: customer, "Your order \(order.orderID) was cancelled: \(order.reason)", order: order.orderID,
                eventID: context.eventID)
        }
        return router
    }
}
