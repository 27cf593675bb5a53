// Shipping's file: the parcels.

import DemoEvents
import DemoSupport
import SQLite

/// The parcels that left the house.
struct ShippingStore: Sendable {
    let store: ServiceStore

    init(path: String) throws {
        store = try ServiceStore(
            path: path,
            schema: [
                Migration(
                    "parcels",
                    """
                    CREATE TABLE parcels (order_id TEXT PRIMARY KEY, tracking_number TEXT NOT NULL, release INTEGER NOT NULL)
                    """)
            ])
    }

    /// Dispatches an order's parcel, once.
    func dispatch(_ order: PaymentTaken, by shipping: Shipping, eventID: String) throws -> ParcelDispatched {
        try store.once(eventID, order: order.orderID) { connection in
            let parcel = try shipping.dispatch(order)
            try connection.execute(
                "INSERT INTO parcels VALUES (?, ?, ?)", order.orderID, parcel.trackingNumber, shipping.release)
            return parcel
        }
    }
}
