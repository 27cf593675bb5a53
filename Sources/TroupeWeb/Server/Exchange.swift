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

/// The calls under way that resume connections: a daemon must not end before they return.
final class Resumptions: Sendable {
    private let underWay = Atomic(0)

    /// Whether no call is under way.
    var isIdle: Bool { underWay.load(ordering: .acquiring) == 0 }

    /// Resumes a connection if `mayResume` says so; counted from before its question, which is what lets a request end.
    func resume(_ connection: ConnectionPointer, if mayResume: () -> Bool) {
        underWay.add(1, ordering: .acquiringAndReleasing)
        defer { underWay.subtract(1, ordering: .releasing) }
        if mayResume() { MHD_resume_connection(connection.pointer) }
    }
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
    private let resumptions: Resumptions

    init(
        _ connection: ConnectionPointer, client: ClientConnection?, target: String,
        _ resumptions: Resumptions = Resumptions()
    ) {
        self.resumptions = resumptions
        self.connection = connection
        self.client = client
        self.target = target
    }

    /// Hands in the response, if nobody else has, and has libmicrohttpd's thread send it.
    func finish(_ response: HTTPResponse) {
        resumptions.resume(connection) { state.withLock { $0.take(response) } }
    }

    /// Gives up the handler, with `response` in its place, if it is at it still and its time is over at `now`.
    func expire(at now: Int64, _ response: HTTPResponse) {
        var task: Task<Void, Never>?
        resumptions.resume(connection) {
            // In one go: an answer that comes at this moment may bring a stream with a task of its own.
            state.withLock { state in
                guard state.deadline != 0, state.deadline <= now, state.take(response) else { return false }
                task = state.task
                return true
            }
        }
        task?.cancel()
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

extension Exchange.State {
    /// Takes the response if a handler is at it; then the connection is to be resumed.
    fileprivate mutating func take(_ response: HTTPResponse) -> Bool {
        guard case .handling(let isHead) = phase else { return false }
        phase = .ready(response, isHead: isHead)
        deadline = 0
        return true
    }
}
