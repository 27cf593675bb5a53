// What a server's threads share: the connections and requests there are, and how a request goes its way.

import CMicroHTTPD
import Synchronization
import Troupe

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The heart of a server: libmicrohttpd's threads call it.
final class ServerCore: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: ClientConnection] = [:]
        var exchanges: [ObjectIdentifier: Exchange] = [:]
        var inFlight = 0
        var isDraining = false
        var rates: ClientRates?
    }

    let configuration: HTTPServerConfiguration
    let limits: HTTPLimits
    let logger: Logger
    private let router: HTTPRouter
    private let state: Mutex<State>

    init(_ router: HTTPRouter, _ configuration: HTTPServerConfiguration) {
        self.router = router
        self.configuration = configuration
        limits = configuration.limits
        logger = configuration.logger ?? Logger(label: "troupe.web")
        state = Mutex(State(rates: configuration.limits.requestRate.map { ClientRates($0) }))
    }

    var connectionCount: Int { state.withLock { $0.connections.count } }
    var requestsInFlight: Int { state.withLock { $0.inFlight } }
    /// The calls that resume the connections.
    let resumptions = Resumptions()

    // MARK: Connections

    func open(_ connection: ConnectionPointer) -> ClientConnection {
        let address = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer -> String in
            guard let base = buffer.baseAddress, troupe_mhd_client(connection.pointer, base, buffer.count) != 0 else {
                return ""
            }
            return String(cString: base)
        }
        let client = ClientConnection(
            socket: troupe_mhd_socket(connection.pointer), address: address,
            deadline: deadline(in: limits.headerTimeout))
        state.withLock { $0.connections[ObjectIdentifier(client)] = client }
        return client
    }

    /// The socket is still open, and closed after this.
    func close(_ client: ClientConnection) {
        state.withLock { $0.connections[ObjectIdentifier(client)] = nil }
    }

    /// Cuts the connections, and gives up the handlings, that have taken too long.
    func sweep(at now: Int64) {
        let exchanges = state.withLock { state in
            for client in state.connections.values {
                let deadline = client.deadline.load(ordering: .relaxed)
                guard deadline != 0, deadline <= now else { continue }
                client.setDeadline(nil)
                // libmicrohttpd sees the end of the connection, and closes it. The socket is open: it leaves the table
                // before it is closed, and the table is locked.
                shutdown(client.socket, Int32(SHUT_RDWR))
            }
            return Array(state.exchanges.values)
        }
        let heartbeat = max(limits.heartbeat.milliseconds, 10)
        for exchange in exchanges {
            exchange.expire(at: now, Self.tookTooLong)
            guard let stream = exchange.state.withLock({ $0.stream }) else { continue }
            stream.beat(at: now, every: heartbeat)
            // The next sweep cuts it.
            if stream.isStalled(at: now, for: limits.writeTimeout.milliseconds) { exchange.client?.setDeadline(now) }
        }
    }

    // MARK: Stopping

    /// Has new requests refused and streams ended; what is being answered goes on.
    func drain() {
        let exchanges = state.withLock { state in
            state.isDraining = true
            return Array(state.exchanges.values)
        }
        for exchange in exchanges {
            let (stream, task) = exchange.state.withLock { ($0.stream, $0.stream == nil ? nil : $0.task) }
            stream?.end()
            task?.cancel()
        }
    }

    /// Cancels every handler that is still at it.
    func cancelAll() {
        for exchange in state.withLock({ Array($0.exchanges.values) }) { exchange.cancel(Self.stopping) }
    }

    /// Cuts every connection.
    func cutAll() {
        state.withLock { state in
            for client in state.connections.values { shutdown(client.socket, Int32(SHUT_RDWR)) }
        }
    }

    // MARK: Requests

    /// The request line was read.
    func begin(_ connection: ConnectionPointer, target: String) -> UnsafeMutableRawPointer {
        let client = troupe_mhd_socket_context(connection.pointer).map {
            Unmanaged<ClientConnection>.fromOpaque($0).takeUnretainedValue()
        }
        client?.setDeadline(deadline(in: limits.headerTimeout))
        return Unmanaged.passRetained(Exchange(connection, client: client, target: target, resumptions)).toOpaque()
    }

    /// Takes the next step of a request; `false` closes the connection.
    func advance(_ exchange: Exchange, method: String, _ piece: UnsafeRawBufferPointer) -> Bool {
        enum Step {
            case begin
            case go
            case close
            case handle(HTTPRouter.Route, HTTPRequest)
            case answer(HTTPResponse, isHead: Bool)
        }
        let step = exchange.state.withLock { state -> Step in
            switch state.phase {
            case .begun: return .begin
            case .reading(let plan):
                if !piece.isEmpty { return read(piece, plan, &state) ? .go : .close }
                switch plan {
                case .refuse(let response):
                    state.phase = .answered
                    return .answer(response, isHead: method == HTTPMethod.head.rawValue)
                case .handle(let route, var request, let isHead):
                    request.body = state.body
                    state.body = []
                    if case .now(let answer) = route.answer {
                        state.phase = .answered
                        return .answer(answer(request), isHead: isHead)
                    }
                    state.phase = .handling(isHead: isHead)
                    let limit = route.timeLimit ?? limits.handlerTimeout
                    state.deadline = deadline(in: limit)
                    return .handle(route, request)
                }
            case .handling, .answered: return .go
            case .ready(let response, let isHead):
                state.phase = .answered
                return .answer(response, isHead: isHead)
            }
        }
        switch step {
        case .begin: return receiveHeader(exchange, method)
        case .go: return true
        case .close: return false
        case .answer(let response, let isHead): return answer(exchange, response, isHead: isHead)
        case .handle(let route, let request):
            exchange.client?.setDeadline(nil)
            // Before the task is there: it may resume the connection at any moment.
            MHD_suspend_connection(exchange.connection.pointer)
            exchange.keep(Task { await self.handle(exchange, route, request) })
            return true
        }
    }

    /// Takes a piece of the body; `false` when there is too much even to throw away.
    private func read(_ piece: UnsafeRawBufferPointer, _ plan: Exchange.Plan, _ state: inout Exchange.State) -> Bool {
        if case .handle = plan {
            guard state.body.count + piece.count > limits.maxBodyBytes else {
                state.body.append(contentsOf: piece)
                return true
            }
            state.discarded = state.body.count
            state.body = []
            state.phase = .reading(.refuse(tooLarge.response))
        }
        state.discarded += piece.count
        return state.discarded <= discardLimit
    }

    /// The bytes of a refused request's body that are read, so that the client gets to hear the answer.
    private var discardLimit: Int {
        let (limit, overflow) = max(limits.maxBodyBytes, 64 << 10).multipliedReportingOverflow(by: 4)
        return overflow ? .max : limit
    }

    /// The header was read: decides what becomes of the request.
    private func receiveHeader(_ exchange: Exchange, _ method: String) -> Bool {
        let headers = HTTPHeaders(of: exchange.connection)
        let isAdmitted = state.withLock { state in
            state.inFlight += 1
            state.exchanges[ObjectIdentifier(exchange)] = exchange
            return !state.isDraining && state.inFlight <= limits.maxRequestsInFlight
        }
        exchange.client?.setDeadline(deadline(in: limits.bodyTimeout))
        let isHead = method == HTTPMethod.head.rawValue
        var framing = RequestFraming.none
        let plan: Exchange.Plan
        var mustClose = false
        do throws(HTTPProblem) {
            do throws(HTTPProblem) {
                framing = try RequestFraming(headers)
            } catch {
                mustClose = true
                throw error
            }
            if !isAdmitted { throw isDraining ? Self.stoppingProblem : Self.overloaded }
            plan = try route(exchange, isHead ? .get : HTTPMethod(rawValue: method), headers, framing, isHead)
        } catch {
            plan = .refuse(error.response)
        }
        exchange.state.withLock { state in
            state.phase = .reading(plan)
            state.isCounted = true
        }
        guard case .refuse(var response) = plan else { return true }
        if case .length(let length) = framing, length > discardLimit { mustClose = true }
        let awaitsGoAhead = headers["Expect"].map { HTTPHeaders.isSame($0, "100-continue") } ?? false
        guard mustClose || (awaitsGoAhead && framing != .none) else { return true }
        // Answered before the body, the connection is closed after it: what follows cannot be told from a request.
        response.headers["Connection"] = "close"
        exchange.state.withLock { $0.phase = .answered }
        return answer(exchange, response, isHead: isHead)
    }

    private var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Finds the route, and whether this client may take it with a body of this length.
    private func route(
        _ exchange: Exchange, _ method: HTTPMethod, _ headers: HTTPHeaders, _ framing: RequestFraming, _ isHead: Bool
    ) throws(HTTPProblem) -> Exchange.Plan {
        guard configuration.admits(host: headers["Host"]) else {
            throw HTTPProblem(
                .misdirectedRequest, "This server does not go by the name in the Host header",
                members: ["setting": "allowedHosts"])
        }
        let address = exchange.client?.address ?? ""
        let wait = state.withLock { state in
            state.rates?.take(ClientRates.client(of: address), at: monotonicMilliseconds())
        }
        if let wait {
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

    /// Runs the handler, in the request's task.
    private func handle(_ exchange: Exchange, _ route: HTTPRouter.Route, _ request: HTTPRequest) async {
        guard case .later(let handler) = route.answer else { return }
        do {
            exchange.finish(try await handler(request))
        } catch let problem as HTTPProblem {
            exchange.finish(problem.response)
        } catch is CancellationError {
            exchange.finish(Self.stopping)
        } catch {
            logger.error(
                "A handler failed",
                metadata: ["route": "\(route.method) \(route.pattern.text)", LogKey.error: "\(error)"])
            exchange.finish(HTTPProblem(.internalServerError, "The server failed; its log says why").response)
        }
    }

    /// The request is over: the client has its answer, or has left.
    func end(_ exchange: Exchange) {
        exchange.client?.setDeadline(deadline(in: limits.idleTimeout))
        let (task, stream, isCounted) = exchange.state.withLock { state in
            state.isOver = true
            state.phase = .answered
            defer { (state.task, state.stream) = (nil, nil) }
            return (state.task, state.stream, state.isCounted)
        }
        stream?.abandon()
        task?.cancel()
        guard isCounted else { return }
        state.withLock { state in
            state.inFlight -= 1
            state.exchanges[ObjectIdentifier(exchange)] = nil
        }
    }

    /// A line of libmicrohttpd's log.
    func note(_ line: String) {
        logger.debug("libmicrohttpd", metadata: ["line": String(line.prefix { $0 != "\n" })])
    }

    // MARK: Answers

    private var tooLarge: HTTPProblem {
        HTTPProblem(.contentTooLarge, "The body is larger than \(limits.maxBodyBytes) bytes")
    }

    private static let overloaded = HTTPProblem.unavailable("The server has as many requests as it can answer")
    private static let stoppingProblem = HTTPProblem.unavailable("The server is stopping")
    private static let stopping = stoppingProblem.response
    private static let tookTooLong = HTTPProblem.unavailable("The answer took too long").response

    /// Hands a response to libmicrohttpd, on its thread; `false` when it does not take it.
    private func answer(_ exchange: Exchange, _ response: HTTPResponse, isHead: Bool) -> Bool {
        let pointer = exchange.connection.pointer
        let made: OpaquePointer?
        var isStream = false
        switch response.body {
        case .stream(let run) where !isHead:
            isStream = true
            made = startStream(exchange, response, run)
        case .stream: made = MHD_create_response_from_buffer(0, nil, .RESPMEM_PERSISTENT)
        case .bytes(let bytes):
            // libmicrohttpd copies, and of a response to HEAD it sends only the length.
            made = bytes.withUnsafeBytes {
                MHD_create_response_from_buffer(
                    $0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
            }
        }
        guard let made else { return false }
        defer { MHD_destroy_response(made) }
        for field in response.headers.fields where field.isSendable {
            MHD_add_response_header(made, field.name, field.value)
        }
        if response.headers["X-Content-Type-Options"] == nil {
            MHD_add_response_header(made, "X-Content-Type-Options", "nosniff")
        }
        if isDraining, response.headers["Connection"] == nil { MHD_add_response_header(made, "Connection", "close") }
        exchange.client?.setDeadline(isStream ? nil : deadline(in: limits.writeTimeout))
        return MHD_queue_response(pointer, UInt32(clamping: response.status.rawValue), made) == .YES
    }

    /// Starts the task that writes a body, and makes the response that reads it.
    private func startStream(
        _ exchange: Exchange, _ response: HTTPResponse, _ run: @escaping @Sendable (ResponseStream) async throws -> Void
    ) -> OpaquePointer? {
        let isEvents = response.headers["Content-Type"] == EventStream.contentType
        let stream = ResponseStream(
            exchange.connection, heartbeat: isEvents ? ServerSentEvent.heartbeat : [], resumptions)
        let context = Unmanaged.passRetained(stream).toOpaque()
        let made = MHD_create_response_from_callback(
            UInt64.max, 4096,
            { context, _, buffer, count in
                guard let context, let buffer else { return ResponseReader.endOfStream }
                return Unmanaged<ResponseStream>.fromOpaque(context).takeUnretainedValue()
                    .read(into: UnsafeMutableRawBufferPointer(start: buffer, count: count))
            }, context, { context in if let context { Unmanaged<ResponseStream>.fromOpaque(context).release() } })
        guard made != nil else {
            Unmanaged<ResponseStream>.fromOpaque(context).release()
            return nil
        }
        exchange.state.withLock { $0.stream = stream }
        exchange.keep(
            Task { [logger] in
                do {
                    try await run(stream)
                } catch is CancellationError {
                } catch {
                    logger.error("A stream failed", metadata: [LogKey.error: "\(error)"])
                }
                stream.end()
            })
        if isDraining { stream.end() }
        return made
    }
}

extension HTTPHeaders {
    /// Copies the header fields of a request.
    init(of connection: ConnectionPointer) {
        self.init()
        withUnsafeMutablePointer(to: &self) { headers in
            _ = MHD_get_connection_values_n(
                connection.pointer, .HEADER_KIND,
                { headers, _, name, nameSize, value, valueSize in
                    let name = UnsafeRawBufferPointer(start: name, count: name == nil ? 0 : nameSize)
                    let value = UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueSize)
                    headers?.assumingMemoryBound(to: HTTPHeaders.self).pointee
                        .append(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
                    return .YES
                }, headers)
        }
    }
}
