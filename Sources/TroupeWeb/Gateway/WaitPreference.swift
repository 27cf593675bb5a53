// How long a client would wait for its flow's end.

/// How long a client would wait, by `?wait=5s` or `Prefer: wait=5` (RFC 7240, section 4.3).
struct WaitPreference: Sendable, Hashable {
    /// How long to wait, at most as long as the gateway allows.
    var time: Duration
    /// What the answer says of the header `Prefer`; `nil` when the query asked.
    var applied: String?

    /// Reads a request's wish; `nil` when it has none.
    ///
    /// The query goes over the header. A wish for longer than `longest` counts as that.
    static func read(_ request: HTTPRequest, longest: Duration) throws(HTTPProblem) -> WaitPreference? {
        if let text = request.query["wait"] {
            guard let time = duration(text) else {
                throw HTTPProblem(
                    .badRequest, "The query's wait is a time like 5s or 500ms", members: ["parameter": "wait"])
            }
            return WaitPreference(time: min(time, longest), applied: nil)
        }
        // A preference that cannot be read is passed over: that is what makes it one.
        for field in request.headers.values(of: "Prefer") {
            for preference in field.split(separator: ",") {
                let parts = preference.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map(trimmed)
                guard parts.count == 2, parts[0].lowercased() == "wait", let seconds = whole(parts[1]) else { continue }
                let time = min(.seconds(seconds), longest)
                return WaitPreference(time: time, applied: "wait=\(time.components.seconds)")
            }
        }
        return nil
    }

    /// Reads `5s`, `500ms` or plain seconds.
    static func duration(_ text: String) -> Duration? {
        if text.hasSuffix("ms") { return whole(text.dropLast(2)).map { .milliseconds($0) } }
        if text.hasSuffix("s") { return whole(text.dropLast()).map { .seconds($0) } }
        return whole(text[...]).map { .seconds($0) }
    }

    /// Digits only, and not so many that they could overflow anything.
    private static func whole(_ text: Substring) -> Int64? {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    /// The text without spaces and tabs around it.
    static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
