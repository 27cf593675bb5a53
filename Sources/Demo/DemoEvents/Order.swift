// The storefront's events: an order was placed, and how it ended. Topic `orders`.

public import Troupe

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One line of an order.
public struct OrderLine: Codable, Sendable, Hashable {
    /// What is ordered.
    public var sku: String
    /// How many of it.
    public var quantity: Int
    /// The price of one.
    public var unitPrice: Decimal

    /// Creates a line.
    public init(sku: String, quantity: Int, unitPrice: Decimal) {
        self.sku = sku
        self.quantity = quantity
        self.unitPrice = unitPrice
    }
}

/// A customer placed an order: the beginning of every flow.
public struct OrderPlaced: Event, Hashable {
    /// `shop.order.placed`.
    public static let type: EventType = "shop.order.placed"
    /// `orders`.
    public static let topic: Topic = "orders"
    /// The order's id.
    public var key: EventKey { EventKey(orderID) }

    /// The order's id, which every event of the flow carries as its key.
    public var orderID: String
    /// The customer's mail address.
    public var customer: String
    /// The country the parcel goes to, by ISO 3166.
    public var country: String
    /// A token that stands for the customer's card.
    public var card: String
    /// What is ordered.
    public var lines: [OrderLine]
    /// The price of all lines.
    public var total: Decimal
    /// When the order was placed.
    public var placedAt: Date

    /// Creates the event.
    public init(
        orderID: String, customer: String, country: String, card: String, lines: [OrderLine], total: Decimal,
        placedAt: Date
    ) {
        self.orderID = orderID
        self.customer = customer
        self.country = country
        self.card = card
        self.lines = lines
        self.total = total
        self.placedAt = placedAt
    }
}

/// An order was called off: its flow ends without a parcel.
public struct OrderCancelled: Event, Hashable {
    /// `shop.order.cancelled`.
    public static let type: EventType = "shop.order.cancelled"
    /// `orders`.
    public static let topic: Topic = "orders"
    /// The flow failed.
    public static var flowEnding: FlowEnding? { .failed }
    /// The order's id.
    public var key: EventKey { EventKey(orderID) }

    /// The order's id.
    public var orderID: String
    /// The customer's mail address, where the storefront knows it.
    public var customer: String?
    /// Why, in words for the customer.
    public var reason: String

    /// Creates the event.
    public init(orderID: String, customer: String?, reason: String) {
        self.orderID = orderID
        self.customer = customer
        self.reason = reason
    }
}

/// An order's parcel is on its way: its flow ends as it was meant to.
public struct OrderCompleted: Event, Hashable {
    /// `shop.order.completed`.
    public static let type: EventType = "shop.order.completed"
    /// `orders`.
    public static let topic: Topic = "orders"
    /// The flow completed.
    public static var flowEnding: FlowEnding? { .completed }
    /// The order's id.
    public var key: EventKey { EventKey(orderID) }

    /// The order's id.
    public var orderID: String

    /// Creates the event.
    public init(orderID: String) { self.orderID = orderID }
}
