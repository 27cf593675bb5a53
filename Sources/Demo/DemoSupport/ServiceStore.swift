// A service's own SQLite file, with an inbox: an event that comes again changes nothing and is answered as before.

internal import Foundation
public import SQLite

/// A service's state, in a SQLite file of its own.
///
/// Kafka delivers at least once. `once` makes that exactly once for the state: the id of a handled event, what the
/// handling changed and what it answered are written in one transaction. When the event comes again, also after a
/// hard kill, the first answer is given again, so that the same follow-on events are published.
public struct ServiceStore: Sendable {
    /// The file.
    public let database: Database

    private static let inbox = Migration(
        "inbox",
        """
        CREATE TABLE inbox (
            event_id TEXT PRIMARY KEY,
            order_id TEXT NOT NULL,
            outcome BLOB NOT NULL,
            times INTEGER NOT NULL DEFAULT 1
        ) WITHOUT ROWID
        """)

    /// Opens the file at `path` and brings its schema up to date.
    public init(path: String, schema: [Migration] = []) throws {
        database = try Database(path: path)
        try database.migrate([Self.inbox] + schema)
    }

    /// Handles an event unless it was handled before, and returns the outcome of the handling that counted.
    @discardableResult
    public func once<Outcome: Codable & Sendable>(
        _ eventID: String, order: String, _ handle: (borrowing Connection) throws -> Outcome
    ) throws -> Outcome {
        try database.transaction { connection in
            let earlier: [UInt8]? = try connection.first(
                "UPDATE inbox SET times = times + 1 WHERE event_id = ? RETURNING outcome", eventID
            ) { try $0.get(0) }
            if let earlier { return try JSONDecoder().decode(Outcome.self, from: Data(earlier)) }
            let outcome = try handle(connection)
            try connection.execute(
                "INSERT INTO inbox (event_id, order_id, outcome) VALUES (?, ?, ?)", eventID, order,
                Array(try JSONEncoder().encode(outcome)))
            return outcome
        }
    }

    /// The outcome of an event that was handled before; `nil` when it was not.
    public func outcome<Outcome: Codable & Sendable>(
        of eventID: String, as type: Outcome.Type = Outcome.self
    ) throws -> Outcome? {
        try database.read { connection in
            try connection.first("SELECT outcome FROM inbox WHERE event_id = ?", eventID) {
                try JSONDecoder().decode(Outcome.self, from: Data($0.get(0, as: [UInt8].self)))
            }
        }
    }
}
