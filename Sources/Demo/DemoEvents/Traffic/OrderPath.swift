// The ways an order may go.

/// The ways an order of the demo may go.
public enum OrderPath: String, Codable, Sendable, CaseIterable {
    /// Reserved, paid, shipped.
    case happy = "shipped"
    /// Something of it is not on stock: cancelled.
    case outOfStock = "out of stock"
    /// The card has no cover: the reserved stock is released, then cancelled.
    case paymentDeclined = "payment declined"
    /// The card is known as stolen: it is declined at once, which overtakes the reservation.
    case stolenCard = "stolen card"
    /// Its quantities make no sense: dead-lettered at once.
    case nonsense = "nonsense order"
    /// Its bytes are no JSON: dead-lettered at once, by every service that reads orders.
    case garbled = "no JSON"
    /// It goes to the country for which the first release of shipping has a bug: dead-lettered after its retries.
    case brokenCountry = "bug in shipping"

    /// How an order of this path ends, once the bug is fixed and its letters are replayed.
    public var end: End {
        switch self {
        case .happy, .brokenCountry: .shipped
        case .outOfStock, .paymentDeclined, .stolenCard: .cancelled
        case .nonsense, .garbled: .deadLettered
        }
    }

    /// Where an order may end.
    public enum End: String, Codable, Sendable, CaseIterable {
        /// Its parcel left the house.
        case shipped
        /// It was called off.
        case cancelled
        /// It waits in a dead-letter topic.
        case deadLettered = "dead-lettered"
    }

    /// The services that dead-letter an order of this path.
    public var deadLetteringServices: Set<String> {
        switch self {
        case .nonsense: ["inventory"]
        case .garbled: ["inventory", "payments"]
        case .brokenCountry: ["shipping"]
        default: []
        }
    }
}
