// Which requests are taken: by host, rate, target, route, token and length.

extension ServerCore {
    /// Finds the route, and whether this client may take it with a body of this length.
    func route(
        _ exchange: Exchange, _ method: HTTPMethod, _ headers: HTTPHeaders, _ framing: RequestFraming, _ isHead: Bool
    ) throws(HTTPProblem) -> Exchange.Plan {
        guard configuration.admits(host: headers["Host"]) else {
            throw HTTPProblem(
                .misdirectedRequest, "This server does not go by the name in the Host header",
                members: ["setting": "allowedHosts"])
        }
        let address = exchange.client?.address ?? ""
        if let wait = secondsToWait(address) {
            throw HTTPProblem(
                .tooManyRequests, "This client asks too often", headers: ["Retry-After": String(wait)])
        }
        guard let target = RequestTarget(exchange.target), let query = HTTPQuery(target.query) else {
            throw HTTPProblem(.badRequest, "The request's target is no path, or its escapes are broken")
        }
        let route: HTTPRouter.Route
        let parameters: [String: String]
        switch router.match(method, target.path) {
        case .route(let found, let values): (route, parameters) = (found, values)
        case .malformed: throw HTTPProblem(.badRequest, "The path's escapes are broken")
        case .nothing: throw HTTPProblem(.notFound, "There is nothing at this path")
        case .otherMethods(let methods):
            let allow: HTTPHeaders = ["Allow": methods.map(\.rawValue).joined(separator: ", ")]
            if method == .options { return .refuse(HTTPResponse(.noContent, headers: allow)) }
            throw HTTPProblem(
                .methodNotAllowed, "This path does not take the method; the header Allow names those it takes",
                headers: allow)
        }
        if let tokens = route.tokens, !tokens.admit(authorization: headers["Authorization"]) {
            throw HTTPProblem(
                .unauthorized, "A bearer token is needed that is valid here", headers: ["WWW-Authenticate": "Bearer"])
        }
        if case .length(let length) = framing, length > limits.maxBodyBytes { throw tooLarge }
        let request = HTTPRequest(
            method, target.path, parameters: parameters, query: query, headers: headers, clientAddress: address)
        return .handle(route, request, isHead: isHead)
    }
}
