// The method of an HTTP request.

/// The method of an HTTP request, such as `GET` (RFC 9110).
public struct HTTPMethod: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The name, in upper case for all that are standardised.
    public let rawValue: String

    /// Names a method.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The name.
    public var description: String { rawValue }

    /// Reads.
    public static let get = HTTPMethod(rawValue: "GET")
    /// Reads the headers of what `GET` would answer.
    public static let head = HTTPMethod(rawValue: "HEAD")
    /// Hands something over.
    public static let post = HTTPMethod(rawValue: "POST")
    /// Replaces.
    public static let put = HTTPMethod(rawValue: "PUT")
    /// Changes.
    public static let patch = HTTPMethod(rawValue: "PATCH")
    /// Removes.
    public static let delete = HTTPMethod(rawValue: "DELETE")
    /// Asks which methods there are.
    public static let options = HTTPMethod(rawValue: "OPTIONS")
}
