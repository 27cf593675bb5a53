// What the payment service decides, as a function of an event and what is known of its order.

import DemoEvents

/// What is known of an order's payment.
enum Payment: String, Codable, Equatable {
    /// The card was charged.
    case taken
    /// The card was declined: nothing was charged.
    case declined
}

/// What is published.
enum PaymentAnswer: Codable, Equatable {
    case taken
    case declined(reason: String)
    /// Another event of the order has decided already.
    case nothing
}

/// The rules of the payment service: each order is decided once, by whichever of its events comes first.
enum Payments {
    /// An order was placed: a card that is known as stolen is declined before anything is reserved for it.
    static func precheck(_ order: OrderPlaced, payment: Payment?) -> PaymentAnswer {
        payment == nil && isStolen(order.card) ? .declined(reason: "the card is reported as stolen") : .nothing
    }

    /// The provider has answered, or was not asked because the card is stolen.
    static func settle(_ answer: ProviderAnswer?, payment: Payment?) -> PaymentAnswer {
        switch (payment, answer) {
        case (.some, _): .nothing
        case (nil, .charged): .taken
        case (nil, .declined(let reason)): .declined(reason: reason)
        case (nil, nil): .declined(reason: "the card is reported as stolen")
        }
    }

    /// Whether a card must not even be shown to the provider.
    static func isStolen(_ card: String) -> Bool { card == Catalogue.stolenCard }
}
