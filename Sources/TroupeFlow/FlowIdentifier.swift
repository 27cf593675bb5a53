// What a flow is known by.

/// The id of a flow: the correlation id that all its events carry.
public struct FlowIdentifier: RawRepresentable, Sendable, Hashable, Codable, CustomStringConvertible {
    /// The correlation id.
    public let rawValue: String

    /// Names a flow by its correlation id.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The correlation id.
    public var description: String { rawValue }
}
