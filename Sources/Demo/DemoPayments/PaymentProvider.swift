// The payment provider: another company's system, with a ledger of its own, that answers slowly and has outages.

import DemoEvents
import Foundation
import SQLite

/// What the provider answers to a charge.
enum ProviderAnswer: Codable, Equatable {
    case charged
    case declined(reason: String)
}

/// The provider does not answer: worth another try, later.
struct ProviderUnavailable: Error, CustomStringConvertible {
    let description = "the payment provider does not answer"
}

/// A stand-in for a payment provider.
///
/// Like real ones it takes an idempotency key: a charge that is asked for again is answered as before and moves no
/// money. Its ledger has one row for each movement of money, whatever the keys, so that a mistake would show.
struct PaymentProvider: Sendable {
    private let ledger: Database
    private let isDown: @Sendable () -> Bool
    /// How long an answer takes at the longest, in milliseconds.
    private let slowestAnswer: Int

    init(ledgerPath: String, slowestAnswer: Int = 50, isDown: @escaping @Sendable () -> Bool) throws {
        ledger = try Database(path: ledgerPath)
        self.isDown = isDown
        self.slowestAnswer = slowestAnswer
        try ledger.migrate([
            Migration(
                "ledger",
                """
                CREATE TABLE movements (
                    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL, idempotency_key TEXT NOT NULL,
                    amount TEXT NOT NULL, times_asked INTEGER NOT NULL DEFAULT 1
                );
                CREATE INDEX movements_by_key ON movements (idempotency_key);
                """)
        ])
    }

    /// Charges a card.
    func charge(order: String, amount: Decimal, card: String, idempotencyKey: String) async throws -> ProviderAnswer {
        try await wait()
        if isDown() { throw ProviderUnavailable() }
        if card == Catalogue.cardWithoutCover { return .declined(reason: "the card has no cover") }
        try ledger.transaction { connection in
            let repeated = try connection.execute(
                "UPDATE movements SET times_asked = times_asked + 1 WHERE idempotency_key = ?", idempotencyKey)
            if repeated == 0 {
                try connection.execute(
                    "INSERT INTO movements (order_id, idempotency_key, amount) VALUES (?, ?, ?)", order, idempotencyKey,
                    amount.description)
            }
        }
        // The answer has its way back: a kill may come between the charge and the news of it.
        try await wait()
        return .charged
    }

    private func wait() async throws {
        guard slowestAnswer > 0 else { return }
        try await Task.sleep(for: .milliseconds(Int.random(in: slowestAnswer / 5...slowestAnswer)))
    }
}
