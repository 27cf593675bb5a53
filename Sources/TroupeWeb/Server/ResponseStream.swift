// A body that is written while it is sent: a bounded queue between a task and libmicrohttpd's reader.

import CMicroHTTPD
import Synchronization

/// A body that a handler's task writes while it is sent.
public final class ResponseStream: Sendable {
    /// The bytes that may wait for a slow client before `write` waits for them.
    static let bound = 64 * 1024

    private struct State {
        /// What waits for the client, behind what was sent already.
        var waiting: [UInt8] = []
        /// How many bytes at the beginning of `waiting` were sent.
        var sent = 0
        /// The connection is suspended until there is something to send.
        var isSuspended = false
        var isEnded = false
        var lastWrite: Int64
        /// When something was sent last, or began to wait for it.
        var lastProgress: Int64
        var writers: [UnsafeContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>
    private let connection: ConnectionPointer
    private let heartbeat: [UInt8]
    private let resumptions: Resumptions

    init(_ connection: ConnectionPointer, heartbeat: [UInt8], _ resumptions: Resumptions = Resumptions()) {
        self.connection = connection
        self.resumptions = resumptions
        self.heartbeat = heartbeat
        let now = monotonicMilliseconds()
        state = Mutex(State(lastWrite: now, lastProgress: now))
    }

    /// Writes bytes; waits while more than 64 KiB wait for the client.
    ///
    /// - Throws: `CancellationError` when the client has left or the server stops.
    public func write(_ bytes: [UInt8]) async throws {
        guard append(bytes) else { throw CancellationError() }
        await withUnsafeContinuation { continuation in
            let mayGoOn = state.withLock { state in
                if state.isEnded || state.waiting.count - state.sent <= Self.bound { return true }
                state.writers.append(continuation)
                return false
            }
            if mayGoOn { continuation.resume() }
        }
        try Task.checkCancellation()
    }

    /// Queues bytes; `false` when nobody will read them.
    private func append(_ bytes: [UInt8]) -> Bool {
        var isOpen = false
        resumptions.resume(connection) {
            state.withLock { state in
                if state.isEnded { return false }
                isOpen = true
                let now = monotonicMilliseconds()
                if state.waiting.isEmpty { state.lastProgress = now }
                state.waiting += bytes
                state.lastWrite = now
                defer { state.isSuspended = false }
                return state.isSuspended
            }
        }
        return isOpen
    }

    /// The bytes in memory, those that were sent and not thrown away yet among them.
    var byteCount: Int { state.withLock { $0.waiting.count } }

    /// Sends the heartbeat when nothing was written for `interval` milliseconds.
    func beat(at now: Int64, every interval: Int64) {
        guard !heartbeat.isEmpty else { return }
        let isDue = state.withLock { !$0.isEnded && $0.sent == $0.waiting.count && now - $0.lastWrite >= interval }
        if isDue { _ = append(heartbeat) }
    }

    /// Whether bytes wait that the client has not taken any of for `limit` milliseconds.
    func isStalled(at now: Int64, for limit: Int64) -> Bool {
        state.withLock { !$0.waiting.isEmpty && now - $0.lastProgress >= limit }
    }

    /// Ends the body: what is queued is still sent.
    func end() {
        var writers: [UnsafeContinuation<Void, Never>] = []
        resumptions.resume(connection) {
            state.withLock { state in
                state.isEnded = true
                writers = state.writers
                defer {
                    state.isSuspended = false
                    state.writers = []
                }
                return state.isSuspended
            }
        }
        for writer in writers { writer.resume() }
    }

    /// Notes that the connection is gone: it must not be touched any more.
    func abandon() {
        let writers = state.withLock { state in
            state.isEnded = true
            state.isSuspended = false
            defer { state.writers = [] }
            return state.writers
        }
        for writer in writers { writer.resume() }
    }

    /// Copies what waits to libmicrohttpd's buffer, on its thread; suspends the connection when nothing waits.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let (count, writers) = state.withLock { state -> (Int, [UnsafeContinuation<Void, Never>]) in
            let count = min(state.waiting.count - state.sent, buffer.count)
            guard count > 0 else {
                if state.isEnded { return (ResponseReader.endOfStream, []) }
                state.isSuspended = true
                // Under the lock, so that whoever finds it suspended resumes it afterwards, never before.
                MHD_suspend_connection(connection.pointer)
                return (0, [])
            }
            state.waiting.withUnsafeBytes { waiting in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: waiting[state.sent..<state.sent + count]))
            }
            state.sent += count
            state.lastProgress = monotonicMilliseconds()
            if state.sent == state.waiting.count {
                // Many streams wait most of the time: they keep no memory meanwhile.
                state.waiting = []
                state.sent = 0
            } else if state.sent >= max(Self.bound, state.waiting.count - state.sent) {
                // A client that never catches up must not keep what it has had. No more is moved than was sent since.
                state.waiting.removeFirst(state.sent)
                state.sent = 0
            }
            guard state.waiting.count - state.sent <= Self.bound else { return (count, []) }
            defer { state.writers = [] }
            return (count, state.writers)
        }
        for writer in writers { writer.resume() }
        return count
    }
}

/// A stream of Server-Sent Events.
public struct EventStream: Sendable {
    private let stream: ResponseStream

    init(_ stream: ResponseStream) { self.stream = stream }

    /// The media type of event streams.
    public static let contentType = "text/event-stream"

    /// Sends an event; waits while the client is slow.
    ///
    /// - Throws: `CancellationError` when the client has left or the server stops.
    public func send(_ event: ServerSentEvent) async throws { try await stream.write(event.framed) }
}
