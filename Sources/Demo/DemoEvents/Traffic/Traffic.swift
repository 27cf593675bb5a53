// The seeded traffic: which orders are placed, and which way each is meant to go.

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// An order as it is planned, before it is placed.
public struct PlannedOrder: Sendable, Hashable {
    /// The order's id.
    public var id: String
    /// The way it is meant to go.
    public var path: OrderPath
    /// The customer's mail address.
    public var customer: String
    /// The country the parcel goes to.
    public var country: String
    /// The token of the customer's card.
    public var card: String
    /// What is ordered.
    public var lines: [OrderLine]

    /// The event that places the order.
    public func placed(at date: Date) -> OrderPlaced {
        OrderPlaced(
            orderID: id, customer: customer, country: country, card: card, lines: lines,
            total: lines.reduce(0) { $0 + $1.unitPrice * Decimal($1.quantity) }, placedAt: date)
    }
}

/// The orders of one run: the same seed gives the same orders.
public struct Traffic: Sendable, Hashable {
    /// How many orders there are.
    public var count: Int
    /// What the traffic is drawn from.
    public var seed: UInt64

    /// Plans `count` orders.
    public init(count: Int, seed: UInt64) {
        self.count = count
        self.seed = seed
    }

    /// The orders, in the order in which they are placed.
    ///
    /// The paths are dealt from decks of 40 that hold all of them, so that a short run meets each of them too.
    public var orders: [PlannedOrder] {
        var random = SplitMix64(seed: seed)
        var deck: [OrderPath] = []
        return (0..<max(count, 0)).map { number in
            if deck.isEmpty { deck = Self.deck.shuffled(using: &random) }
            return order(number + 1, deck.removeLast(), &random)
        }
    }

    private static let deck: [OrderPath] =
        [OrderPath](repeating: .happy, count: 27) + [OrderPath](repeating: .outOfStock, count: 3)
        + [OrderPath](repeating: .paymentDeclined, count: 3) + [OrderPath](repeating: .stolenCard, count: 2)
        + [OrderPath](repeating: .brokenCountry, count: 3) + [.nonsense, .garbled]

    private func order(_ number: Int, _ path: OrderPath, _ random: inout SplitMix64) -> PlannedOrder {
        func pick<T>(_ values: [T], _ random: inout SplitMix64) -> T? { values.randomElement(using: &random) }
        let id = "order-\(String(repeating: "0", count: max(0, 5 - String(number).count)))\(number)"
        var lines = Catalogue.articles.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)).map {
            OrderLine(sku: $0.sku, quantity: Int.random(in: 1...4, using: &random), unitPrice: $0.price)
        }
        switch path {
        case .outOfStock: lines.append(OrderLine(sku: Catalogue.soldOut, quantity: 1, unitPrice: Decimal(80)))
        case .stolenCard: lines.append(OrderLine(sku: Catalogue.remote, quantity: 1, unitPrice: Decimal(120)))
        case .nonsense: lines[0].quantity = -3
        default: break
        }
        let card: String =
            switch path {
            case .paymentDeclined: Catalogue.cardWithoutCover
            case .stolenCard: Catalogue.stolenCard
            default: "card-\(Int.random(in: 1_000...9_999, using: &random))"
            }
        let name = pick(Catalogue.customers, &random) ?? "nobody"
        let country = pick(Catalogue.countries, &random) ?? "SE"
        return PlannedOrder(
            id: id, path: path, customer: "\(name)@example.org",
            country: path == .brokenCountry ? Catalogue.brokenCountry : country, card: card, lines: lines)
    }
}

/// What the shop sells, to whom, and where.
public enum Catalogue {
    /// The articles on stock.
    public static let articles: [(sku: String, price: Decimal)] = [
        ("lamp", 49), ("chair", 129), ("table", 349), ("mug", Decimal(sign: .plus, exponent: -1, significand: 125)),
        ("shelf", 89), ("rug", Decimal(sign: .plus, exponent: -2, significand: 19995)),
    ]
    /// How many of each article there are at the beginning.
    public static let initialStock = 1_000_000
    /// An article that is sold out.
    public static let soldOut = "clock"
    /// An article in a remote warehouse, whose line is busy at the first call.
    public static let remote = "piano"
    /// The token of a card that has no cover.
    public static let cardWithoutCover = "card-0000"
    /// The token of a card that is known as stolen.
    public static let stolenCard = "card-0666"
    /// The country for which the first release of shipping has a bug.
    public static let brokenCountry = "IS"

    static let customers = ["ada", "alan", "barbara", "edsger", "frances", "grace", "john", "margaret"]
    static let countries = ["AT", "CH", "DE", "FR", "NO", "PL", "SE", "US"]
}

/// A small generator of random numbers with a seed (SplitMix64).
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts the sequence that belongs to `seed`.
    public init(seed: UInt64) { state = seed }

    /// The next number of the sequence.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
