// What a route's path looks like, and whether a request's path is one of it.

/// A path with parameters, such as `/flows/{id}/events`.
struct RoutePattern: Sendable, Hashable {
    private enum Segment: Sendable, Hashable {
        case literal(String)
        case parameter(String)
    }

    private let segments: [Segment]
    /// The pattern as it was written.
    let text: String

    /// Reads a pattern.
    ///
    /// A missing leading slash is added; a segment in braces is a parameter.
    init(_ text: String) {
        let path = text.hasPrefix("/") ? text : "/" + text
        self.text = path
        segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { segment in
            guard segment.count > 2, segment.first == "{", segment.last == "}" else { return .literal(String(segment)) }
            return .parameter(String(segment.dropFirst().dropLast()))
        }
    }

    /// The parameters' values when the segments, decoded already, are of this pattern.
    ///
    /// A parameter is never empty.
    func match(_ path: [String]) -> [String: String]? {
        guard path.count == segments.count else { return nil }
        var parameters: [String: String] = [:]
        for (segment, value) in zip(segments, path) {
            switch segment {
            case .literal(let text): if text != value { return nil }
            case .parameter(let name):
                guard !value.isEmpty else { return nil }
                parameters[name] = value
            }
        }
        return parameters
    }

    /// Whether this one is to be tried before `other`: where they first differ in kind, it has the literal.
    func isMoreSpecific(than other: RoutePattern) -> Bool {
        for (mine, its) in zip(segments, other.segments) {
            switch (mine, its) {
            case (.literal, .parameter): return true
            case (.parameter, .literal): return false
            default: continue
            }
        }
        return false
    }
}
