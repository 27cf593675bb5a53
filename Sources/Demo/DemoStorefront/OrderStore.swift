// The storefront's file: the orders it has placed, and how they ended.

import DemoEvents
import DemoSupport
import Foundation
import SQLite

/// The orders.
struct OrderStore: Sendable {
    let store: ServiceStore

    private static let schema = [
        Migration(
            "orders",
            """
            CREATE TABLE orders (
                order_id TEXT PRIMARY KEY, customer TEXT NOT NULL, placed_at INTEGER NOT NULL,
                published INTEGER NOT NULL DEFAULT 0
            );
            CREATE TABLE endings (order_id TEXT PRIMARY KEY, ending TEXT NOT NULL);
            """)
    ]

    init(path: String) throws { store = try ServiceStore(path: path, schema: Self.schema) }

    /// Notes that an order is about to be published, and tells when it was placed; `nil` when it was published before.
    ///
    /// A storefront that died in between publishes the same order again: same content, same time, same ids.
    func begin(_ order: PlannedOrder, now: Date) throws -> Date? {
        try store.database.transaction { connection in
            let earlier = try connection.first(
                "SELECT placed_at, published FROM orders WHERE order_id = ?", order.id
            ) { (placedAt: try $0.get(0, as: Int64.self), published: try $0.get(1, as: Bool.self)) }
            if let earlier {
                return earlier.published ? nil : Date(timeIntervalSince1970: Double(earlier.placedAt) / 1_000)
            }
            let milliseconds = Int64((now.timeIntervalSince1970 * 1_000).rounded())
            try connection.execute(
                "INSERT INTO orders (order_id, customer, placed_at) VALUES (?, ?, ?)", order.id, order.customer,
                milliseconds)
            return Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        }
    }

    /// Notes that an order is on its topic.
    func published(_ order: String) throws {
        try store.database.transaction { try $0.execute("UPDATE orders SET published = 1 WHERE order_id = ?", order) }
    }

    /// Notes how an order ended, once for each event, and returns the customer's address.
    func end(_ order: String, _ ending: String, eventID: String) throws -> String? {
        try store.once(eventID, order: order) { connection in
            try connection.execute("INSERT OR IGNORE INTO endings VALUES (?, ?)", order, ending)
            return try connection.first("SELECT customer FROM orders WHERE order_id = ?", order) { try $0.get(0) }
        }
    }
}
