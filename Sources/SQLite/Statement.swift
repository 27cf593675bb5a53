// Owns one prepared statement of SQLite's.

internal import CSQLite

/// One prepared statement, used by one call at a time, on the connection that made it.
final class Statement {
    let sql: String
    private let handle: OpaquePointer

    /// Prepares `sql` on the connection `database`.
    init(_ sql: String, on database: OpaquePointer) throws(SQLiteError) {
        var handle: OpaquePointer?
        var tailIsBlank = true
        let code = sql.withCString { text in
            var tail: UnsafePointer<CChar>?
            let code = sqlite3_prepare_v3(database, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, &tail)
            if let tail { tailIsBlank = String(cString: tail).allSatisfy { $0.isWhitespace || $0 == ";" } }
            return code
        }
        guard code == SQLITE_OK else { throw SQLiteError(lastOn: database, statement: sql) }
        guard let handle else { throw SQLiteError(.misuse, "The statement is empty", statement: sql) }
        guard tailIsBlank else {
            sqlite3_finalize(handle)
            throw SQLiteError(.misuse, "Several statements in one; use executeScript", statement: sql)
        }
        self.sql = sql
        self.handle = handle
    }

    deinit { sqlite3_finalize(handle) }

    private var database: OpaquePointer? { sqlite3_db_handle(handle) }

    /// Binds `values` to the parameters, in order; there must be one for each.
    func bind(_ values: [Value]) throws(SQLiteError) {
        let expected = sqlite3_bind_parameter_count(handle)
        guard Int(expected) == values.count else {
            throw SQLiteError(
                .misuse, "The statement has \(expected) parameters but \(values.count) values were given",
                statement: sql)
        }
        for (index, value) in zip(Int32(1)..., values) {
            guard bind(value, at: index) == SQLITE_OK else {
                throw SQLiteError(lastOn: database, statement: sql)
            }
        }
    }

    private func bind(_ value: Value, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(handle, index)
        case .integer(let integer): return sqlite3_bind_int64(handle, index, integer)
        case .real(let real): return sqlite3_bind_double(handle, index, real)
        case .text(let text):
            // Not the buffer of `withUTF8`: that of an empty text may have no address, which would bind NULL.
            return text.withCString { bytes in
                sqlite3_bind_text64(
                    handle, index, bytes, UInt64(text.utf8.count), troupe_sqlite_transient(), UInt8(SQLITE_UTF8))
            }
        case .blob(let bytes):
            // A null pointer would bind NULL, which is not an empty blob.
            if bytes.isEmpty { return sqlite3_bind_zeroblob(handle, index, 0) }
            return bytes.withUnsafeBytes { bytes in
                sqlite3_bind_blob64(
                    handle, index, bytes.baseAddress, UInt64(bytes.count), troupe_sqlite_transient())
            }
        }
    }

    /// Goes to the next row; false when there is none.
    func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw SQLiteError(lastOn: database, statement: sql)
        }
    }

    /// Makes the statement ready for its next use and lets go of what was bound.
    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    /// The number of columns of a row.
    var columnCount: Int { Int(sqlite3_column_count(handle)) }

    /// The name of a column.
    func columnName(_ index: Int) -> String {
        sqlite3_column_name(handle, Int32(index)).map { String(cString: $0) } ?? "?"
    }

    /// The value of a column of the current row.
    func value(_ index: Int) -> Value {
        let index = Int32(index)
        switch sqlite3_column_type(handle, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, index))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, index))
        case SQLITE_TEXT:
            guard let text = sqlite3_column_text(handle, index) else { return .null }
            let bytes = UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(handle, index)))
            return .text(String(decoding: bytes, as: UTF8.self))
        case SQLITE_BLOB:
            let blob = sqlite3_column_blob(handle, index)
            let bytes = UnsafeRawBufferPointer(start: blob, count: Int(sqlite3_column_bytes(handle, index)))
            return .blob(Array(bytes))
        default: return .null
        }
    }
}

/// One row of a result, valid during the call that hands it over.
public struct Row: ~Copyable {
    let statement: Statement

    /// The number of columns.
    public var columnCount: Int { statement.columnCount }

    /// The value of the column at `index`, counted from 0, as `type`.
    ///
    /// Throws `SQLiteError` with the code `.typeMismatch` when the column does not exist or holds another type.
    public func get<T: ValueConvertible>(_ index: Int, as type: T.Type = T.self) throws(SQLiteError) -> T {
        guard index >= 0, index < columnCount else {
            throw SQLiteError(.typeMismatch, "The row has no column \(index)", statement: statement.sql)
        }
        let value = statement.value(index)
        guard let converted = T(sqliteValue: value) else {
            throw SQLiteError(
                .typeMismatch, "Column \(statement.columnName(index)) holds \(value.typeName), not \(T.self)",
                statement: statement.sql)
        }
        return converted
    }
}

extension SQLiteError {
    /// The last error of a connection.
    init(lastOn database: OpaquePointer?, statement: String? = nil) {
        self.init(
            Code(rawValue: sqlite3_extended_errcode(database)), String(cString: sqlite3_errmsg(database)),
            path: sqlite3_db_filename(database, nil).map { String(cString: $0) }, statement: statement)
    }
}
