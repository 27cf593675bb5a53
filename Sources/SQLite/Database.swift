// A database file that many tasks may use: one connection behind a lock.

internal import CSQLite
internal import Synchronization

/// A SQLite database.
///
/// It is opened in write-ahead mode, so that readers in other processes never wait for the writer. Tasks share the one
/// connection: a body runs while no other does, and cannot suspend. Do not call the database from within a body.
public final class Database: Sendable {
    /// What the connection may do.
    public enum Mode: Sendable {
        /// Reads and writes; the file is created when it is missing.
        case readWrite
        /// Reads only; the file must exist.
        case readOnly
    }

    /// What survives what.
    ///
    /// A committed transaction survives the death of the process in either case.
    public enum Durability: Sendable {
        /// A power cut may take the last transactions, never the file's integrity (`synchronous=NORMAL`).
        case normal
        /// Each transaction is on the disk before it returns (`synchronous=FULL`).
        case full
    }

    /// How a transaction begins.
    public enum TransactionKind: String, Sendable {
        /// Takes the write lock at once: nothing can come between what it reads and what it writes.
        case immediate = "BEGIN IMMEDIATE"
        /// Reads from one unchanging snapshot.
        case deferred = "BEGIN DEFERRED"
    }

    /// The path of the file.
    public let path: String
    private let connection: Mutex<Connection>

    /// Opens the file at `path`, or a private database in memory for `:memory:`.
    ///
    /// A lock that another process holds is waited for, at most `busyTimeout`; then the call throws `.busy`.
    public init(
        path: String, mode: Mode = .readWrite, durability: Durability = .normal, busyTimeout: Duration = .seconds(5)
    ) throws {
        self.path = path
        let flags = mode == .readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let opened = try Connection(path: path, flags: flags, busyTimeoutMilliseconds: busyTimeout.clampedMilliseconds)
        if mode == .readWrite {
            try opened.executeScript(
                """
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = \(durability == .full ? "FULL" : "NORMAL");
                PRAGMA foreign_keys = ON;
                """)
        }
        connection = Mutex(opened)
    }

    /// Calls `body` with the connection, outside of a transaction: each statement sees and commits its own.
    @discardableResult
    public func read<Result: Sendable>(_ body: (borrowing Connection) throws -> Result) throws -> Result {
        try connection.withLock { try body($0) }
    }

    /// Calls `body` within a transaction, which commits when it returns and is undone when it throws.
    @discardableResult
    public func transaction<Result: Sendable>(
        _ kind: TransactionKind = .immediate, _ body: (borrowing Connection) throws -> Result
    ) throws -> Result {
        try connection.withLock { connection in
            try connection.execute(kind.rawValue)
            do {
                let result = try body(connection)
                try connection.execute("COMMIT")
                return result
            } catch {
                if connection.isInTransaction { _ = try? connection.execute("ROLLBACK") }
                throw error
            }
        }
    }
}

extension Duration {
    /// Whole milliseconds, at most what SQLite takes.
    fileprivate var clampedMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        let milliseconds = Double(seconds) * 1_000 + Double(attoseconds) / 1e15
        return Int32(max(0, min(milliseconds, Double(Int32.max))))
    }
}
