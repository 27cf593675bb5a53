// The key by which a repeated request is known.

/// The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the flow's and the event's id are derived
/// from it, so that every gateway of a service gives a repeated request the same ones, without asking anybody.
enum IdempotencyKey {
    static let header = "Idempotency-Key"
    /// The most bytes of a key.
    static let maxBytes = 255

    /// Reads the key of a request; `nil` when it has none.
    ///
    /// The draft has it as a quoted string; many clients leave the quotes out.
    static func read(_ headers: HTTPHeaders) throws(HTTPProblem) -> String? {
        let values = headers.values(of: header)
        guard let value = values.first else { return nil }
        guard values.count == 1 else { throw malformed("is there more than once") }
        var key = value[...]
        if key.count >= 2, key.first == "\"", key.last == "\"" { key = key.dropFirst().dropLast() }
        guard !key.isEmpty, key.utf8.count <= maxBytes else { throw malformed("has not 1 to \(maxBytes) characters") }
        guard key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
        else { throw malformed("is not of visible ASCII characters") }
        return String(key)
    }

    /// What tells a request's body from others; it holds within this process.
    static func digest(_ body: [UInt8]) -> Int {
        var hasher = Hasher()
        body.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// The key was used for another request.
    static var isTaken: HTTPProblem {
        HTTPProblem(
            .unprocessableContent,
            "The header \(header) has the key of an earlier request with another body; use a key of its own for each request",
            title: "The key was used with another body", members: ["header": header])
    }

    private static func malformed(_ what: String) -> HTTPProblem {
        HTTPProblem(
            .badRequest, "The header \(header) \(what); a random UUID is a good key", members: ["header": header])
    }
}
