// The inventory's file: the stock, and what each order holds of it.

import DemoEvents
import DemoSupport
import SQLite

/// The stock and the reservations.
struct InventoryStore: Sendable {
    let store: ServiceStore

    private static let schema = [
        Migration(
            "stock and reservations",
            """
            CREATE TABLE stock (sku TEXT PRIMARY KEY, on_hand INTEGER NOT NULL CHECK (on_hand >= 0));
            CREATE TABLE reservations (order_id TEXT PRIMARY KEY, state TEXT NOT NULL);
            CREATE TABLE held (
                order_id TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (order_id, sku)
            );
            """)
    ]

    /// Opens the file; a new one is filled with the catalogue's stock.
    init(path: String) throws {
        store = try ServiceStore(path: path, schema: Self.schema)
        try store.database.transaction { connection in
            for sku in Catalogue.articles.map(\.sku) + [Catalogue.remote] {
                try connection.execute("INSERT OR IGNORE INTO stock VALUES (?, ?)", sku, Catalogue.initialStock)
            }
        }
    }

    /// Handles a placed order, once.
    func place(_ order: OrderPlaced, eventID: String) throws -> StockDecision.Answer {
        try store.once(eventID, order: order.orderID) { connection in
            var onHand: [String: Int] = [:]
            for sku in Set(order.lines.map(\.sku)) {
                onHand[sku] = try connection.first("SELECT on_hand FROM stock WHERE sku = ?", sku) { try $0.get(0) }
            }
            let decision = try Inventory.place(
                order, reservation: try reservation(order.orderID, connection), onHand: onHand)
            try apply(decision, to: order.orderID, connection)
            return decision.answer
        }
    }

    /// Handles a declined payment, once.
    func decline(_ declined: PaymentDeclined, eventID: String) throws -> StockDecision.Answer {
        try store.once(eventID, order: declined.orderID) { connection in
            let held = try connection.query("SELECT sku, quantity FROM held WHERE order_id = ?", declined.orderID) {
                (try $0.get(0, as: String.self), try $0.get(1, as: Int.self))
            }
            let decision = Inventory.decline(
                reservation: try reservation(declined.orderID, connection),
                held: Dictionary(held) { $0 + $1 }, reason: declined.reason)
            try apply(decision, to: declined.orderID, connection)
            return decision.answer
        }
    }

    private func reservation(_ order: String, _ connection: borrowing Connection) throws -> Reservation? {
        try connection.first("SELECT state FROM reservations WHERE order_id = ?", order) {
            Reservation(rawValue: try $0.get(0))
        } ?? nil
    }

    private func apply(_ decision: StockDecision, to order: String, _ connection: borrowing Connection) throws {
        try connection.execute(
            """
            INSERT INTO reservations VALUES (?, ?) ON CONFLICT (order_id) DO UPDATE SET state = excluded.state
            """, order, decision.reservation.rawValue)
        for (sku, change) in decision.changes {
            try connection.execute("UPDATE stock SET on_hand = on_hand + ? WHERE sku = ?", change, sku)
            if change < 0 {
                try connection.execute("INSERT INTO held VALUES (?, ?, ?)", order, sku, -change)
            } else {
                try connection.execute("DELETE FROM held WHERE order_id = ? AND sku = ?", order, sku)
            }
        }
    }
}
