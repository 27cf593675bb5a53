// The shipping service's event: a parcel left the house. Topic `shipments`.

public import Troupe

/// An order's parcel was handed to the carrier.
public struct ParcelDispatched: Event, Hashable {
    /// `shop.parcel.dispatched`.
    public static let type: EventType = "shop.parcel.dispatched"
    /// `shipments`.
    public static let topic: Topic = "shipments"
    /// The order's id.
    public var key: EventKey { EventKey(orderID) }

    /// The order's id.
    public var orderID: String
    /// The customer's mail address.
    public var customer: String
    /// The carrier's customs zone.
    public var zone: String
    /// The number the parcel can be followed by.
    public var trackingNumber: String

    /// Creates the event.
    public init(orderID: String, customer: String, zone: String, trackingNumber: String) {
        self.orderID = orderID
        self.customer = customer
        self.zone = zone
        self.trackingNumber = trackingNumber
    }
}
