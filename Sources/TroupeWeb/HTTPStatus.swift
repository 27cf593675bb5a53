// The status of an HTTP response.

/// The status code of an HTTP response (RFC 9110).
public struct HTTPStatus: RawRepresentable, Sendable, Hashable {
    /// The code.
    public let rawValue: Int

    /// Makes a status of its code.
    public init(rawValue: Int) { self.rawValue = rawValue }
}
