// The inventory's events: stock was reserved, could not be, or was given back. Topic `stock`.

public import Troupe

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// All of an order's lines are set aside.
public struct StockReserved: Event, Hashable {
    /// `shop.stock.reserved`.
    public static let type: EventType = "shop.stock.reserved"
    /// `stock`.
    public static let topic: Topic = "stock"
    /// The order's id.
    public var key: EventKey { EventKey(orderID) }

    /// The order's id.
    public var orderID: String
    /// The price to be charged.
    public var total: Decimal
    /// The card to be charged.
    public var card: String
    /// The customer's mail address.
    public var customer: String
    /// The country the parcel goes to.
    public var country: String

    /// Creates the event.
    public init(orderID: String, total: Decimal, card: String, customer: String, country: String) {
        self.orderID = orderID
        self.total = total
        self.card = card
        self.customer = customer
        self.country = country
    }
}

/// An order's lines cannot be set aside.
public struct StockRejected: Event, Hashable {
    /// `shop.stock.rejected`.
    public static let type: EventType = "shop.stock.rejected"
    /// `stock`.
    public static let topic: Topic = "stock"
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

/// An order's lines were given back: what `StockReserved` did is undone.
public struct StockReleased: Event, Hashable {
    /// `shop.stock.released`.
    public static let type: EventType = "shop.stock.released"
    /// `stock`.
    public static let topic: Topic = "stock"
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
