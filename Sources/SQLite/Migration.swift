// Brings a database's schema to the version the program knows.

/// One step of a schema's history.
///
/// Steps are only ever appended: what a released step does never changes.
public struct Migration: Sendable {
    /// What the step is for, named in errors.
    public var name: String
    /// The statements of the step.
    public var sql: String

    /// Creates a step.
    public init(_ name: String, _ sql: String) {
        self.name = name
        self.sql = sql
    }
}

extension Database {
    /// Runs the steps that the file has not seen, each in a transaction of its own.
    ///
    /// The number of steps done is kept in SQLite's `user_version`. Several processes may migrate one file at the same
    /// time. Throws `.newerSchema`, and changes nothing, when the file has more steps than the program knows.
    public func migrate(_ steps: [Migration]) throws {
        for (number, step) in zip(1..., steps) {
            try transaction { connection in
                let version = try connection.schemaVersion
                guard version <= steps.count else {
                    throw SQLiteError(
                        .newerSchema, "The schema has version \(version), this program knows \(steps.count)",
                        path: path)
                }
                guard version < number else { return }
                do {
                    try connection.executeScript(step.sql)
                } catch var error as SQLiteError {
                    error.message = "Migration \(number) (\(step.name)) failed: \(error.message)"
                    throw error
                }
                try connection.executeScript("PRAGMA user_version = \(number)")
            }
        }
    }
}

extension Connection {
    /// The number of migrations the file has seen.
    public var schemaVersion: Int {
        get throws { try first("PRAGMA user_version") { try $0.get(0) } ?? 0 }
    }
}
