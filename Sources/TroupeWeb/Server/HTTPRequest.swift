// A request, as handlers see it.

/// A request that was read to its end.
public struct HTTPRequest: Sendable {
    /// The method; `GET` where the client sent `HEAD`, whose answer is the same without a body.
    public var method: HTTPMethod
    /// The path as the client wrote it, without the query.
    public var path: String
    /// The values of the route's parameters, decoded, by name.
    public var parameters: [String: String]
    /// What stands behind the `?`.
    public var query: HTTPQuery
    /// The header fields.
    public var headers: HTTPHeaders
    /// The body, at most as large as the server's limit.
    public var body: [UInt8]
    /// The client's address as text, without its port; empty when it is unknown.
    ///
    /// Behind a proxy it is the proxy's.
    public var clientAddress: String

    /// Makes a request, as tests need it.
    public init(
        _ method: HTTPMethod, _ path: String, parameters: [String: String] = [:], query: HTTPQuery = HTTPQuery(),
        headers: HTTPHeaders = [:], body: [UInt8] = [], clientAddress: String = ""
    ) {
        self.method = method
        self.path = path
        self.parameters = parameters
        self.query = query
        self.headers = headers
        self.body = body
        self.clientAddress = clientAddress
    }

    /// The body's media type in lower case, without its parameters; `nil` when the client names none.
    public var mediaType: String? {
        guard let value = headers["Content-Type"] else { return nil }
        let type = value.prefix { $0 != ";" }.lowercased()
        return String(type.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
