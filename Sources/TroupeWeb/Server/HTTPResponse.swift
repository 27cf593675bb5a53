// A response, as handlers make it.

import EventJSON

/// What a handler answers.
public struct HTTPResponse: Sendable {
    /// What is sent behind the header.
    public enum Body: Sendable {
        /// These bytes.
        case bytes([UInt8])
        /// What a function writes, for as long as it runs.
        ///
        /// It runs in a task of its own, which is cancelled when the client leaves or the server stops.
        case stream(@Sendable (ResponseStream) async throws -> Void)
    }

    /// The status.
    public var status: HTTPStatus
    /// The header fields; length, date and connection are set by the server.
    public var headers: HTTPHeaders
    /// What is sent behind the header.
    public var body: Body

    /// Makes a response.
    public init(_ status: HTTPStatus, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Makes a response of bytes of a media type.
    public init(_ status: HTTPStatus = .ok, bytes: [UInt8], contentType: String) {
        self.init(status, headers: ["Content-Type": contentType], body: .bytes(bytes))
    }

    /// Answers plain text in UTF-8.
    public static func text(_ text: String, status: HTTPStatus = .ok) -> HTTPResponse {
        HTTPResponse(status, bytes: Array(text.utf8), contentType: "text/plain; charset=utf-8")
    }

    /// Answers bytes that are JSON already.
    public static func json(_ bytes: [UInt8], status: HTTPStatus = .ok) -> HTTPResponse {
        HTTPResponse(status, bytes: bytes, contentType: "application/json")
    }

    /// Answers a value as JSON, by Troupe's rules for dates, data and decimals.
    ///
    /// - Throws: `EncodingError`.
    public static func json(_ value: some Encodable, status: HTTPStatus = .ok) throws -> HTTPResponse {
        .json(try EventJSONEncoder().encode(value), status: status)
    }

    /// Answers a stream of Server-Sent Events, for as long as `write` runs.
    ///
    /// A comment is sent every 15 seconds when there is no event, so that nothing on the way takes the connection for dead.
    public static func events(_ write: @escaping @Sendable (EventStream) async throws -> Void) -> HTTPResponse {
        HTTPResponse(
            .ok,
            headers: [
                "Content-Type": EventStream.contentType, "Cache-Control": "no-store", "X-Accel-Buffering": "no",
            ],
            body: .stream { try await write(EventStream($0)) })
    }
}
