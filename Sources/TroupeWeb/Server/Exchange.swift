// One request and its answer: what is known of it from its request line to its end.

import CMicroHTTPD
import Synchronization

/// One connection: when it is cut, unless something happens.
final class ClientConnection: Sendable {
    /// The connection's socket, which is open as long as the server knows the connection.
    let socket: Int32
    /// The client's address as text, or nothing.
    let address: String
    /// When the connection is cut, in milliseconds; 0 for not now.
    let deadline: Atomic<Int64>

    init(socket: Int32, address: String, deadline: Int64) {
        self.socket = socket
        self.address = address
        self.deadline = Atomic(deadline)
    }

    /// Sets when the connection is cut; `nil` for not now.
    func setDeadline(_ time: Int64?) { deadline.store(time ?? 0, ordering: .relaxed) }
}

/// One request and its answer.
///
/// libmicrohttpd's thread moves it on; the handler's task, the sweep and a stop hand in a response. Only who finds it
/// `handling` may do that, and resumes the connection, which is suspended just as long.
final class Exchange: Sendable {
    /// What becomes of the request once its body was read.
    enum Plan {
        case handle(HTTPRouter.Route, HTTPRequest, isHead: Bool)
        /// It is refused; a body is read to its end first, within bounds, or the client would not hear why.
        case refuse(HTTPResponse)
    }

    enum Phase {
        /// The request line is there.
        case begun
        /// The header is there.
        case reading(Plan)
        /// A handler is at it, and the connection is suspended.
        case handling(isHead: Bool)
        /// The response waits for libmicrohttpd's thread.
        case ready(HTTPResponse, isHead: Bool)
        /// The response was handed over.
        case answered
    }

    struct State {
        var phase = Phase.begun
        var body: [UInt8] = []
        /// Bytes of the body that were read and not kept.
        var discarded = 0
        var task: Task<Void, Never>?
        var stream: ResponseStream?
        /// When the handler has taken too long, in milliseconds; 0 for no limit.
        var deadline: Int64 = 0
        /// Whether it counts among the requests in flight.
        var isCounted = false
        /// Whether the request is over: a task that is made late is cancelled at once.
        var isOver = false
    }

    let connection: ConnectionPointer
    let client: ClientConnection?
    let target: String
    let state = Mutex(State())

    init(_ connection: ConnectionPointer, client: ClientConnection?, target: String) {
        self.connection = connection
        self.client = client
        self.target = target
    }

    /// Hands in the response, if nobody else has, and has libmicrohttpd's thread send it.
    func finish(_ response: HTTPResponse) {
        let isMine = state.withLock { state in
            guard case .handling(let isHead) = state.phase else { return false }
            state.phase = .ready(response, isHead: isHead)
            state.deadline = 0
            return true
        }
        if isMine { MHD_resume_connection(connection.pointer) }
    }

    /// Ends what runs for the request: the handler is cancelled and `response` given in its place; a stream ends.
    func cancel(_ response: HTTPResponse) {
        let (task, stream) = state.withLock { ($0.task, $0.stream) }
        // First the response: the handler would hand in another one when it finds itself cancelled.
        finish(response)
        task?.cancel()
        stream?.end()
    }

    /// Keeps the task that runs for the request, for cancelling it.
    func keep(_ task: Task<Void, Never>) {
        let isLate = state.withLock { state in
            if !state.isOver { state.task = task }
            return state.isOver
        }
        if isLate { task.cancel() }
    }
}
