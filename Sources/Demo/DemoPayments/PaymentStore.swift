// The payment service's file: what became of each order's payment, and which calls to the provider are open.

import DemoEvents
import DemoSupport
import SQLite

/// The payments and the calls to the provider.
struct PaymentStore: Sendable {
    let store: ServiceStore

    private static let schema = [
        Migration(
            "payments and calls",
            """
            CREATE TABLE payments (order_id TEXT PRIMARY KEY, state TEXT NOT NULL);
            CREATE TABLE calls (
                event_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, open INTEGER NOT NULL,
                failures INTEGER NOT NULL DEFAULT 0
            );
            """)
    ]

    init(path: String) throws { store = try ServiceStore(path: path, schema: Self.schema) }

    /// Handles a placed order, once.
    func precheck(_ order: OrderPlaced, eventID: String) throws -> PaymentAnswer {
        try decide(order.orderID, eventID: eventID) { Payments.precheck(order, payment: $0) }
    }

    /// Handles the provider's answer, once; `nil` when the provider was not asked.
    func settle(_ answer: ProviderAnswer?, order: String, eventID: String) throws -> PaymentAnswer {
        try decide(order, eventID: eventID) { Payments.settle(answer, payment: $0) }
    }

    private func decide(
        _ order: String, eventID: String, _ rule: (Payment?) -> PaymentAnswer
    ) throws -> PaymentAnswer {
        try store.once(eventID, order: order) { connection in
            let payment = try payment(of: order, connection)
            let answer = rule(payment)
            let state: Payment? =
                switch answer {
                case .taken: .taken
                case .declined: .declined
                case .nothing: nil
                }
            if let state { try connection.execute("INSERT INTO payments VALUES (?, ?)", order, state.rawValue) }
            try connection.execute("UPDATE calls SET open = 0 WHERE event_id = ?", eventID)
            return answer
        }
    }

    /// Whether the order is decided already, so that the provider need not be asked.
    func isDecided(_ order: String) throws -> Bool {
        try store.database.read { try payment(of: order, $0) } != nil
    }

    private func payment(of order: String, _ connection: borrowing Connection) throws -> Payment? {
        try connection.first("SELECT state FROM payments WHERE order_id = ?", order) {
            Payment(rawValue: try $0.get(0))
        } ?? nil
    }

    /// Notes that the provider is being asked.
    func callBegan(order: String, eventID: String) throws {
        try store.database.transaction {
            try $0.execute(
                "INSERT INTO calls (event_id, order_id, open) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET open = 1",
                eventID, order)
        }
    }

    /// Notes that the provider did not answer.
    func callFailed(eventID: String) throws {
        try store.database.transaction {
            try $0.execute("UPDATE calls SET open = 0, failures = failures + 1 WHERE event_id = ?", eventID)
        }
    }
}
