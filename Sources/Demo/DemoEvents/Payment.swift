// The payment service's events: money was taken, or the card was declined. Topic `payments`.

public import Troupe

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// An order is paid.
public struct PaymentTaken: Event, Hashable {
    /// `shop.payment.taken`.
    public static let type: EventType = "shop.payment.taken"
    /// `payments`.
    public static let topic: Topic = "payments"
    /// The order's id.
    public var key: EventKey { EventKey(orderID) }

    /// The order's id.
    public var orderID: String
    /// What was charged.
    public var amount: Decimal
    /// The customer's mail address.
    public var customer: String
    /// The country the parcel goes to.
    public var country: String

    /// Creates the event.
    public init(orderID: String, amount: Decimal, customer: String, country: String) {
        self.orderID = orderID
        self.amount = amount
        self.customer = customer
        self.country = country
    }
}

/// An order's card was declined: nothing was charged.
public struct PaymentDeclined: Event, Hashable {
    /// `shop.payment.declined`.
    public static let type: EventType = "shop.payment.declined"
    /// `payments`.
    public static let topic: Topic = "payments"
    /// The order's id.
    public var key: EventKey { EventKey(orderID) }

    /// The order's id.
    public var orderID: String
    /// Why, in words for the customer.
    public var reason: String

    /// Creates the event.
    public init(orderID: String, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}
