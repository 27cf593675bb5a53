// Owns one connection of SQLite's and the statements prepared on it.

internal import CSQLite

/// One open connection, as the bodies of `Database.read` and `Database.transaction` see it.
///
/// Statements are prepared once and kept for the connection's life, so give values as parameters (`?`), never in the
/// text.
public struct Connection: ~Copyable {
    private let handle: OpaquePointer
    private let statements = StatementCache()

    init(path: String, flags: Int32, busyTimeoutMilliseconds: Int32) throws(SQLiteError) {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(handle)
            throw SQLiteError(SQLiteError.Code(rawValue: code), message, path: path)
        }
        self.handle = handle
        sqlite3_busy_timeout(handle, busyTimeoutMilliseconds)
    }

    deinit {
        statements.removeAll()
        sqlite3_close_v2(handle)
    }

    /// Runs one statement and returns the number of rows it inserted, changed or deleted.
    @discardableResult
    public func execute(_ sql: String, _ values: any ValueConvertible...) throws -> Int {
        try run(sql, values.map(\.sqliteValue)) { statement in while try statement.step() {} }
        return Int(sqlite3_changes64(handle))
    }

    /// Runs one statement with values that were collected, and returns the number of rows it inserted, changed or deleted.
    @discardableResult
    public func execute(_ sql: String, arguments: [Value]) throws -> Int {
        try run(sql, arguments) { statement in while try statement.step() {} }
        return Int(sqlite3_changes64(handle))
    }

    /// Runs a query and converts each row.
    @discardableResult
    public func query<T>(
        _ sql: String, _ values: any ValueConvertible..., row: (borrowing Row) throws -> T
    ) throws -> [T] {
        try query(sql, arguments: values.map(\.sqliteValue), row: row)
    }

    /// Runs a query with values that were collected, and converts each row.
    @discardableResult
    public func query<T>(
        _ sql: String, arguments: [Value], row: (borrowing Row) throws -> T
    ) throws -> [T] {
        var result: [T] = []
        try run(sql, arguments) { statement in
            while try statement.step() {
                // Named, because the optimizer of Swift 6.3.1 crashes on a temporary here, and in `first`.
                let current = Row(statement: statement)
                result.append(try row(current))
            }
        }
        return result
    }

    /// Runs a query and converts its first row; `nil` when there is none.
    public func first<T>(
        _ sql: String, _ values: any ValueConvertible..., row: (borrowing Row) throws -> T
    ) throws -> T? {
        try first(sql, arguments: values.map(\.sqliteValue), row: row)
    }

    /// Runs a query with values that were collected, and converts its first row; `nil` when there is none.
    public func first<T>(
        _ sql: String, arguments: [Value], row: (borrowing Row) throws -> T
    ) throws -> T? {
        var result: T?
        try run(sql, arguments) { statement in
            guard try statement.step() else { return }
            let current = Row(statement: statement)
            result = try row(current)
        }
        return result
    }

    /// Runs any number of statements without parameters, such as a schema.
    public func executeScript(_ sql: String) throws {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else {
            throw SQLiteError(lastOn: handle, statement: sql)
        }
    }

    private func run(
        _ sql: String, _ values: [Value], _ body: (Statement) throws -> Void
    ) throws {
        let statement: Statement
        if let idle = statements.take(sql) { statement = idle } else { statement = try Statement(sql, on: handle) }
        defer {
            statement.reset()
            statements.give(statement)
        }
        try statement.bind(values)
        try body(statement)
    }

    /// Whether a transaction is open: SQLite rolls one back itself after some errors, such as a full disk.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }
}

/// The idle prepared statements of a connection; one in use is taken out, so that nested queries never share one.
private final class StatementCache {
    /// The text of a statement, hashed by its length and its end: hashing all of it costs more than many a statement does.
    private struct Text: Hashable {
        let sql: String

        func hash(into hasher: inout Hasher) {
            hasher.combine(sql.utf8.count)
            for byte in sql.utf8.suffix(8) { hasher.combine(byte) }
        }
    }

    private var idle: [Text: Statement] = [:]

    func take(_ sql: String) -> Statement? { idle.removeValue(forKey: Text(sql: sql)) }
    func give(_ statement: Statement) { idle[Text(sql: statement.sql)] = statement }
    func removeAll() { idle.removeAll() }
}
