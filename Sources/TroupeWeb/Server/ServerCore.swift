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
    let router: HTTPRouter
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
            deadline: monotonicMilliseconds() + limits.headerTimeout.milliseconds)
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
        client?.setDeadline(monotonicMilliseconds() + limits.headerTimeout.milliseconds)
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
                    state.deadline = monotonicMilliseconds() + limit.milliseconds
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
        exchange.client?.setDeadline(monotonicMilliseconds() + limits.bodyTimeout.milliseconds)
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

    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// How long a client that asks too often has to wait; `nil` when it does not.
    func secondsToWait(_ address: String) -> Int? {
        state.withLock { $0.rates?.take(ClientRates.client(of: address), at: monotonicMilliseconds()) }
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
        exchange.client?.setDeadline(monotonicMilliseconds() + limits.idleTimeout.milliseconds)
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
}
