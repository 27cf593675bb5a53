// A value that must not be seen.

/// A credential: it can be used, but appears in no description, dump, log or error.
public struct Secret: Sendable, Hashable {
    private let value: String

    /// Hides `value`.
    public init(_ value: String) { self.value = value }

    /// The hidden value, for handing it to whoever has to check it.
    public func reveal() -> String { value }
}

extension Secret: ExpressibleByStringLiteral {
    /// Hides a literal, as tests and examples need it.
    public init(stringLiteral value: String) { self.init(value) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    static let placeholder = "<redacted>"

    /// Always `<redacted>`.
    public var description: String { Self.placeholder }
    /// Always `<redacted>`.
    public var debugDescription: String { Self.placeholder }
    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
