// The one error type of the module.

internal import CSQLite

/// What went wrong with a database: SQLite's code and message, where it happened, and what to do next.
///
/// Neither `description` nor `debugDescription` contains values that were bound or stored; the latter adds the text
/// of the statement.
public struct SQLiteError: Error, Sendable, Hashable {
    /// The kind of error, by SQLite's extended result code.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// SQLite's extended result code (https://sqlite.org/rescode.html), or a negative number of this module's own.
        public let rawValue: Int32

        /// Names the error with SQLite's number `rawValue`.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// The primary result code: the low byte of an extended one.
        public var primary: Code { rawValue < 0 ? self : Code(rawValue: rawValue & 0xff) }

        /// SQLite's English phrase for the code, with the number.
        public var description: String {
            switch self {
            case .typeMismatch: "type mismatch"
            case .misuse: "misuse"
            case .newerSchema: "newer schema"
            default: "\(String(cString: sqlite3_errstr(rawValue))) (\(rawValue))"
            }
        }

        /// Another connection holds a lock for longer than the busy timeout.
        public static let busy = Code(rawValue: SQLITE_BUSY)
        /// A constraint such as UNIQUE or CHECK was violated.
        public static let constraint = Code(rawValue: SQLITE_CONSTRAINT)
        /// The file cannot be opened.
        public static let cannotOpen = Code(rawValue: SQLITE_CANTOPEN)
        /// The file is not a database.
        public static let notADatabase = Code(rawValue: SQLITE_NOTADB)
        /// The database was opened for reading only.
        public static let readOnly = Code(rawValue: SQLITE_READONLY)
        /// The disk or the quota is full.
        public static let full = Code(rawValue: SQLITE_FULL)
        /// A column's value is not of the type that was asked for.
        public static let typeMismatch = Code(rawValue: -1)
        /// The call does not fit the statement: values that do not match its parameters, or several statements in one.
        public static let misuse = Code(rawValue: -2)
        /// The file was written by a newer version of the program.
        public static let newerSchema = Code(rawValue: -3)
    }

    /// The kind of error.
    public var code: Code
    /// What happened, in SQLite's words.
    public var message: String
    /// The path of the database file, where it is known.
    public var path: String?
    /// The statement's text, with its parameters as `?`.
    public var statement: String?

    /// Creates an error.
    public init(_ code: Code, _ message: String, path: String? = nil, statement: String? = nil) {
        self.code = code
        self.message = message
        self.path = path
        self.statement = statement
    }
}

extension SQLiteError: CustomStringConvertible, CustomDebugStringConvertible {
    /// What happened, where, and what to do next, in one line.
    public var description: String {
        var text = "\(message) [\(code)]"
        if let path { text += " in \(path)" }
        if let advice = code.advice { text += ". \(advice)" }
        return text
    }

    /// The description and the statement's text.
    public var debugDescription: String { statement.map { "\(description) (statement: \($0))" } ?? description }
}

extension SQLiteError.Code {
    /// What to do next, for the errors that have one usual cause.
    fileprivate var advice: String? {
        switch primary {
        case .busy: "Another process is writing; try again, or raise the busy timeout"
        case .cannotOpen: "Check that the directory exists and may be written"
        case .notADatabase: "Check the path: the file holds something else"
        case .full: "Free some disk space"
        case .newerSchema: "Use the newer version of the program, or another file"
        default: nil
        }
    }
}
