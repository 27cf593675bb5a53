// What the inventory decides, as a function of an event and what is known of its order.

import DemoEvents

/// What is known of an order's stock.
enum Reservation: String, Codable, Equatable {
    /// The lines are set aside.
    case reserved
    /// They could not be.
    case rejected
    /// They were set aside and given back.
    case released
    /// The order was given up before it was seen: the reservation, when it comes, is to be refused.
    case withdrawn
}

/// An order that no retry can make sense of.
struct InvalidOrder: Error, Equatable, CustomStringConvertible {
    let description: String
}

/// A decision: what the order's reservation becomes, how the stock changes, and what is published.
struct StockDecision: Equatable {
    /// What is published.
    enum Answer: Codable, Equatable {
        case reserved
        case rejected(reason: String)
        case released(reason: String)
        case nothing
    }

    var reservation: Reservation
    /// By how much the stock of each article changes.
    var changes: [String: Int] = [:]
    var answer: Answer
}

/// The rules of the inventory.
enum Inventory {
    /// An order was placed: sets all its lines aside, or none.
    static func place(
        _ order: OrderPlaced, reservation: Reservation?, onHand: [String: Int]
    ) throws(InvalidOrder) -> StockDecision {
        guard !order.lines.isEmpty else { throw InvalidOrder(description: "\(order.orderID) has no lines") }
        if let line = order.lines.first(where: { $0.quantity <= 0 }) {
            throw InvalidOrder(description: "\(order.orderID) asks for \(line.quantity) pieces")
        }
        switch reservation {
        case nil: break
        case .withdrawn: return StockDecision(reservation: .withdrawn, answer: .rejected(reason: "payment declined"))
        case .reserved, .rejected, .released:
            throw InvalidOrder(description: "\(order.orderID) was placed before, by another event")
        }
        var wanted: [String: Int] = [:]
        for line in order.lines {
            let (sum, overflow) = wanted[line.sku, default: 0].addingReportingOverflow(line.quantity)
            guard !overflow else {
                throw InvalidOrder(description: "\(order.orderID) asks for more pieces than can be counted")
            }
            wanted[line.sku] = sum
        }
        let missing = wanted.filter { $0.value > onHand[$0.key, default: 0] }.keys.sorted()
        guard missing.isEmpty else {
            return StockDecision(
                reservation: .rejected, answer: .rejected(reason: "out of stock: \(missing.joined(separator: ", "))"))
        }
        return StockDecision(reservation: .reserved, changes: wanted.mapValues { -$0 }, answer: .reserved)
    }

    /// A payment was declined: gives the lines back, or remembers that they must not be set aside.
    ///
    /// The two events travel on different topics, so this one may come first.
    static func decline(reservation: Reservation?, held: [String: Int], reason: String) -> StockDecision {
        switch reservation {
        case .reserved: StockDecision(reservation: .released, changes: held, answer: .released(reason: reason))
        case nil: StockDecision(reservation: .withdrawn, answer: .nothing)
        case .some(let settled): StockDecision(reservation: settled, answer: .nothing)
        }
    }
}
