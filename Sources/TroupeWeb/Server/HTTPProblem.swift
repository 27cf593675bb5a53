// What went wrong with a request, as the client is told it: RFC 9457.

/// A request that cannot be answered as it was meant, told as `application/problem+json` (RFC 9457).
///
/// A handler throws it. What else a handler throws is logged, and the client is told 500 without details.
public struct HTTPProblem: Error, Sendable, Hashable {
    /// The status.
    public var status: HTTPStatus
    /// What kind of problem it is, in a few words; the status's own name when `nil`.
    public var title: String?
    /// What is wrong with this request, and what to do.
    public var detail: String
    /// Members beside those of the standard.
    public var members: [String: String]
    /// Header fields of the response.
    public var headers: HTTPHeaders

    /// Describes a problem.
    public init(
        _ status: HTTPStatus, _ detail: String, title: String? = nil, members: [String: String] = [:],
        headers: HTTPHeaders = [:]
    ) {
        self.status = status
        self.title = title
        self.detail = detail
        self.members = members
        self.headers = headers
    }

    /// The media type of a problem.
    public static let contentType = "application/problem+json"

    /// The response that tells of it.
    public var response: HTTPResponse {
        var json = JSONText()
        json.add("type", "about:blank")
        json.add("title", title ?? status.title)
        json.add("status", status.rawValue)
        json.add("detail", detail)
        for (name, value) in members.sorted(by: { $0.key < $1.key }) { json.add(name, value) }
        var response = HTTPResponse(status, bytes: json.finished, contentType: Self.contentType)
        response.headers["Cache-Control"] = "no-store"
        response.headers.merge(headers)
        return response
    }

    /// 503, with when to ask again.
    static func unavailable(_ detail: String, retryAfter seconds: Int = 1) -> HTTPProblem {
        HTTPProblem(.serviceUnavailable, detail, headers: ["Retry-After": String(seconds)])
    }
}
