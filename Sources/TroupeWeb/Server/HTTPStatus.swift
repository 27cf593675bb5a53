// The status of an HTTP response.

/// The status code of an HTTP response (RFC 9110).
public struct HTTPStatus: RawRepresentable, Sendable, Hashable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// The code.
    public let rawValue: Int

    /// Makes a status of its code.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Makes a status of its code.
    public init(integerLiteral value: Int) { rawValue = value }

    /// 200: here it is.
    public static let ok = HTTPStatus(rawValue: 200)
    /// 202: taken over, and not done yet.
    public static let accepted = HTTPStatus(rawValue: 202)
    /// 204: done, and nothing to say.
    public static let noContent = HTTPStatus(rawValue: 204)
    /// 304: what the client has is still right.
    public static let notModified = HTTPStatus(rawValue: 304)
    /// 400: the request makes no sense.
    public static let badRequest = HTTPStatus(rawValue: 400)
    /// 401: a token is needed, or another one.
    public static let unauthorized = HTTPStatus(rawValue: 401)
    /// 403: this client may not do this.
    public static let forbidden = HTTPStatus(rawValue: 403)
    /// 404: there is no such thing.
    public static let notFound = HTTPStatus(rawValue: 404)
    /// 405: it is there, but not for this method.
    public static let methodNotAllowed = HTTPStatus(rawValue: 405)
    /// 409: it does not fit the present state.
    public static let conflict = HTTPStatus(rawValue: 409)
    /// 413: the body is too large.
    public static let contentTooLarge = HTTPStatus(rawValue: 413)
    /// 415: the body is of a type that is not read here.
    public static let unsupportedMediaType = HTTPStatus(rawValue: 415)
    /// 421: the request was meant for another host.
    public static let misdirectedRequest = HTTPStatus(rawValue: 421)
    /// 422: it is understood, and cannot be done.
    public static let unprocessableContent = HTTPStatus(rawValue: 422)
    /// 429: this client asks too often.
    public static let tooManyRequests = HTTPStatus(rawValue: 429)
    /// 500: the server failed.
    public static let internalServerError = HTTPStatus(rawValue: 500)
    /// 503: not now.
    public static let serviceUnavailable = HTTPStatus(rawValue: 503)

    /// The code and what it is called.
    public var description: String { "\(rawValue) \(title)" }

    /// What the code is called in RFC 9110 and RFC 6585, and the class of the code where it is not known here.
    public var title: String {
        switch rawValue {
        case 200: "OK"
        case 202: "Accepted"
        case 204: "No Content"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        case 200..<300: "Success"
        case 300..<400: "Redirection"
        case 400..<500: "Client Error"
        default: "Server Error"
        }
    }
}
