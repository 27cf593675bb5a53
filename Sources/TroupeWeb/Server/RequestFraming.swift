// What the header says of the body's length, and whether it can be believed.

/// How long a request's body is, by its header (RFC 9112, section 6).
enum RequestFraming: Sendable, Hashable {
    /// There is none.
    case none
    /// It has this many bytes.
    case length(Int)
    /// It is chunked, and its end is known when it comes.
    case chunked

    /// Reads the header; throws for what two readers could understand differently, which is how requests are smuggled.
    init(_ headers: HTTPHeaders) throws(HTTPProblem) {
        let lengths = headers.values(of: "Content-Length")
        let codings = headers.values(of: "Transfer-Encoding")
        if !codings.isEmpty {
            guard lengths.isEmpty else {
                throw HTTPProblem(.badRequest, "The request has both Content-Length and Transfer-Encoding")
            }
            guard codings.count == 1, HTTPHeaders.isSame(codings[0], "chunked") else {
                throw HTTPProblem(.badRequest, "The only Transfer-Encoding that is read here is chunked")
            }
            self = .chunked
            return
        }
        guard let text = lengths.first else {
            self = .none
            return
        }
        guard lengths.count == 1 else {
            throw HTTPProblem(.badRequest, "The request has Content-Length more than once")
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let length = Int(text)
        else { throw HTTPProblem(.badRequest, "The Content-Length is not a number") }
        self = length == 0 ? .none : .length(length)
    }
}
