// How a response goes to libmicrohttpd, and what the server itself answers.

import CMicroHTTPD
import Synchronization
import Troupe

extension ServerCore {
    var tooLarge: HTTPProblem {
        HTTPProblem(.contentTooLarge, "The body is larger than \(limits.maxBodyBytes) bytes")
    }

    static let overloaded = HTTPProblem.unavailable("The server has as many requests as it can answer")
    static let stoppingProblem = HTTPProblem.unavailable("The server is stopping")
    static let stopping = stoppingProblem.response
    static let tookTooLong = HTTPProblem.unavailable("The answer took too long").response

    /// Hands a response to libmicrohttpd, on its thread; `false` when it does not take it.
    func answer(_ exchange: Exchange, _ response: HTTPResponse, isHead: Bool) -> Bool {
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
        exchange.client?.setDeadline(isStream ? nil : monotonicMilliseconds() + limits.writeTimeout.milliseconds)
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
