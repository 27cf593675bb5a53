// Which handler answers which request.

/// Answers a request; it may take its time, within the route's limit.
///
/// It throws `HTTPProblem` for what the client is to be told.
public typealias HTTPHandler = @Sendable (HTTPRequest) async throws -> HTTPResponse

/// The routes of a server.
///
/// ```swift
/// var router = HTTPRouter()
/// router.get("/flows/{id}") { request in
///     guard let flow = store.flow(request.parameters["id"]) else { throw HTTPProblem(.notFound, "No such flow") }
///     return try .json(flow)
/// }
/// router.get("/app.js", asset: StaticAsset(script, contentType: "text/javascript"))
/// ```
///
/// A `GET` route answers `HEAD` too. Where two patterns fit, the one with the earlier literal segment is taken.
public struct HTTPRouter: Sendable {
    /// How a route answers.
    enum Answer: Sendable {
        /// At once, on the thread that read the request.
        case now(@Sendable (HTTPRequest) -> HTTPResponse)
        /// In a task.
        case later(HTTPHandler)
    }

    struct Route: Sendable {
        var method: HTTPMethod
        var pattern: RoutePattern
        var tokens: BearerTokens?
        var timeLimit: Duration?
        var answer: Answer
    }

    /// What a path leads to.
    enum Match {
        case route(Route, parameters: [String: String])
        /// The methods there are for the path.
        case otherMethods([HTTPMethod])
        case nothing
        /// The path's escapes are broken.
        case malformed
    }

    private(set) var routes: [Route] = []

    /// The tokens of routes that name none of their own; without them they are open to everybody.
    public let tokens: BearerTokens?

    /// Makes a router without routes.
    ///
    /// - Parameter tokens: Who may ask, for routes that do not say it themselves.
    public init(requiring tokens: BearerTokens? = nil) { self.tokens = tokens }

    /// Adds a route; a later one replaces an earlier one of the same method and path.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The path, with parameters in braces: `/flows/{id}`.
    ///   - tokens: Who may ask; as the router says when `nil`.
    ///   - timeLimit: How long the handler may take before its task is cancelled and the client is told 503; as the server
    ///     says when `nil`.
    ///   - handler: Answers.
    public mutating func on(
        _ method: HTTPMethod, _ path: String, requiring tokens: BearerTokens? = nil, timeLimit: Duration? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        add(method, path, tokens, timeLimit, .later(handler))
    }

    /// Adds a route for `GET`.
    public mutating func get(
        _ path: String, requiring tokens: BearerTokens? = nil, timeLimit: Duration? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        on(.get, path, requiring: tokens, timeLimit: timeLimit, handler)
    }

    /// Adds a route for `POST`.
    public mutating func post(
        _ path: String, requiring tokens: BearerTokens? = nil, timeLimit: Duration? = nil,
        _ handler: @escaping HTTPHandler
    ) {
        on(.post, path, requiring: tokens, timeLimit: timeLimit, handler)
    }

    /// Adds a route for `GET` that answers a body which never changes, or 304 where the client has it.
    public mutating func get(_ path: String, requiring tokens: BearerTokens? = nil, asset: StaticAsset) {
        add(.get, path, tokens, nil, .now { asset.response(to: $0) })
    }

    /// Adds all routes of another router.
    ///
    /// - Parameters:
    ///   - router: The other router.
    ///   - prefix: What is put before its paths, such as `/dashboard`.
    ///   - isOpen: Whether routes of it that name no tokens are open to everybody, rather than as this router says.
    public mutating func mount(_ router: HTTPRouter, at prefix: String = "", isOpen: Bool = false) {
        for route in router.routes {
            let tokens = route.tokens ?? (isOpen ? nil : self.tokens)
            insert(route.method, prefix + route.pattern.text, tokens, route.timeLimit, route.answer)
        }
    }

    private mutating func add(
        _ method: HTTPMethod, _ path: String, _ tokens: BearerTokens?, _ timeLimit: Duration?, _ answer: Answer
    ) {
        insert(method, path, tokens ?? self.tokens, timeLimit, answer)
    }

    private mutating func insert(
        _ method: HTTPMethod, _ path: String, _ tokens: BearerTokens?, _ timeLimit: Duration?, _ answer: Answer
    ) {
        let pattern = RoutePattern(path)
        let route = Route(method: method, pattern: pattern, tokens: tokens, timeLimit: timeLimit, answer: answer)
        routes.removeAll { $0.method == method && $0.pattern == pattern }
        let place = routes.firstIndex { pattern.isMoreSpecific(than: $0.pattern) } ?? routes.endIndex
        routes.insert(route, at: place)
    }

    /// Finds the route of a request.
    func match(_ method: HTTPMethod, _ path: String) -> Match {
        var segments: [String] = []
        for segment in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let segment = PercentCoding.decode(segment) else { return .malformed }
            segments.append(segment)
        }
        var others: [HTTPMethod] = []
        for route in routes {
            guard let parameters = route.pattern.match(segments) else { continue }
            if route.method == method { return .route(route, parameters: parameters) }
            if !others.contains(route.method) { others.append(route.method) }
        }
        guard !others.isEmpty else { return .nothing }
        if others.contains(.get) { others.append(.head) }
        return .otherMethods((others + [.options]).sorted { $0.rawValue < $1.rawValue })
    }
}
