// What a column or a parameter can hold, and the Swift types that convert to and from it.

/// One value of SQLite: a column that was read or a parameter that is bound.
public enum Value: Sendable, Hashable {
    /// SQL's NULL.
    case null
    /// A signed 64-bit integer.
    case integer(Int64)
    /// A double-precision number.
    case real(Double)
    /// UTF-8 text.
    case text(String)
    /// Bytes.
    case blob([UInt8])

    /// The name of the value's type, as SQLite's `typeof` gives it.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .integer: "integer"
        case .real: "real"
        case .text: "text"
        case .blob: "blob"
        }
    }
}

/// A Swift type that can be bound to a parameter and read from a column.
public protocol ValueConvertible: Sendable {
    /// The value that SQLite stores.
    var sqliteValue: Value { get }

    /// Converts what SQLite stored; `nil` when it is of another type.
    init?(sqliteValue: Value)
}

extension Value: ValueConvertible {
    /// The value itself.
    public var sqliteValue: Value { self }

    /// Takes the value as it is.
    public init?(sqliteValue: Value) { self = sqliteValue }
}

extension String: ValueConvertible {
    /// Text.
    public var sqliteValue: Value { .text(self) }

    /// Reads text.
    public init?(sqliteValue: Value) {
        guard case .text(let text) = sqliteValue else { return nil }
        self = text
    }
}

extension Int64: ValueConvertible {
    /// An integer.
    public var sqliteValue: Value { .integer(self) }

    /// Reads an integer.
    public init?(sqliteValue: Value) {
        guard case .integer(let integer) = sqliteValue else { return nil }
        self = integer
    }
}

extension Int: ValueConvertible {
    /// An integer.
    public var sqliteValue: Value { .integer(Int64(self)) }

    /// Reads an integer.
    public init?(sqliteValue: Value) {
        guard case .integer(let integer) = sqliteValue else { return nil }
        self.init(exactly: integer)
    }
}

extension Bool: ValueConvertible {
    /// 0 or 1.
    public var sqliteValue: Value { .integer(self ? 1 : 0) }

    /// Reads 0 as false and any other integer as true.
    public init?(sqliteValue: Value) {
        guard case .integer(let integer) = sqliteValue else { return nil }
        self = integer != 0
    }
}

extension Double: ValueConvertible {
    /// A real number.
    public var sqliteValue: Value { .real(self) }

    /// Reads a real number, or an integer as one.
    public init?(sqliteValue: Value) {
        switch sqliteValue {
        case .real(let real): self = real
        case .integer(let integer): self.init(exactly: integer)
        default: return nil
        }
    }
}

extension [UInt8]: ValueConvertible {
    /// A blob.
    public var sqliteValue: Value { .blob(self) }

    /// Reads a blob.
    public init?(sqliteValue: Value) {
        guard case .blob(let bytes) = sqliteValue else { return nil }
        self = bytes
    }
}

extension Optional: ValueConvertible where Wrapped: ValueConvertible {
    /// The wrapped value, or NULL.
    public var sqliteValue: Value { self?.sqliteValue ?? .null }

    /// Reads NULL as `nil`.
    public init?(sqliteValue: Value) {
        if case .null = sqliteValue {
            self = Optional<Wrapped>.none
        } else {
            guard let wrapped = Wrapped(sqliteValue: sqliteValue) else { return nil }
            self = wrapped
        }
    }
}
