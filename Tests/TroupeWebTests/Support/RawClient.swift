// A client that sends whatever bytes it is told to: what a proper client would never send, too.

import Foundation
import KafkaClient
import Synchronization
import TroupeWeb

/// A response as it came over the wire.
struct RawResponse: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:] }
}

/// What a client did not get in time, or a connection that ended too early.
struct RawClientError: Error, CustomStringConvertible {
    let description: String
}

/// A connection to a server on this machine.
///
/// Its calls block, so they are made on threads of their own.
final class RawClient: Sendable {
    private let socket: Int32
    private let received = Mutex<[UInt8]>([])

    /// Connects.
    ///
    /// - Parameter receiveBuffer: The bytes the system keeps for a client that does not read; as it likes when `nil`.
    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var receiveBuffer { setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            // Every property has its value, so that deinit runs and closes the socket: closed here as well, a number that
            // another thread was given meanwhile would be closed, a broker's listener or a file.
            throw RawClientError(description: "connecting failed: \(String(cString: strerror(errno)))")
        }
    }

    deinit { Foundation.close(socket) }

    /// Sends text as it is.
    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends bytes as they are.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw RawClientError(description: "sending failed after \(sent) bytes") }
            sent += count
        }
    }

    /// Sends a request and reads its response.
    static func ask(
        _ port: UInt16, _ request: String, body: String? = nil, headers: [String] = [], within seconds: Double = 120
    ) async throws -> RawResponse {
        let client = try RawClient(port: port)
        try client.ask(request, body: body, headers: headers)
        return try await client.response(isHead: request.hasPrefix("HEAD"), within: seconds)
    }

    /// Sends a request with the header fields it needs.
    func ask(_ request: String, body: String? = nil, headers: [String] = []) throws {
        var lines = [request + " HTTP/1.1"]
        if !headers.contains(where: { $0.hasPrefix("Host:") }) { lines.append("Host: localhost") }
        lines += headers
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        try send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
    }

    /// The next response, to its end.
    func response(isHead: Bool = false, within seconds: Double = 120) async throws -> RawResponse {
        try await blocking { try self.readResponse(isHead, deadline: Date() + seconds) }
    }

    /// The header of the next response.
    func header(within seconds: Double = 120) async throws -> RawResponse {
        try await blocking { try self.readHeader(deadline: Date() + seconds) }
    }

    /// The chunks of a body whose header was read, to their end.
    func chunks(within seconds: Double = 120) async throws -> String {
        try await blocking { String(decoding: try self.readChunks(Date() + seconds), as: UTF8.self) }
    }

    /// What comes until `isEnough` says so of it, with the chunks' sizes in between.
    func text(within seconds: Double = 120, until isEnough: @escaping @Sendable (String) -> Bool) async throws -> String
    {
        try await blocking {
            let deadline = Date() + seconds
            while true {
                let text = self.received.withLock { String(decoding: $0, as: UTF8.self) }
                if isEnough(text) { return text }
                try self.receive(deadline)
            }
        }
    }

    /// Waits until the server closes the connection, and returns what was left.
    func untilClosed(within seconds: Double = 120) async throws -> String {
        try await blocking {
            let deadline = Date() + seconds
            while try self.receiveSome(deadline) {}
            return self.received.withLock { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// On a thread of its own: Dispatch's are those that Swift's tasks run on, and there are not many.
    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try startThread(named: "raw-client") { continuation.resume(with: Result { try body() }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    private func receive(_ deadline: Date) throws {
        guard try receiveSome(deadline) else {
            let rest = received.withLock { String(decoding: $0, as: UTF8.self) }
            throw RawClientError(description: "the connection was closed after: \(rest)")
        }
    }

    /// Reads what there is; `false` at the end.
    private func receiveSome(_ deadline: Date) throws -> Bool {
        var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(max(0, deadline.timeIntervalSinceNow * 1000))
        guard poll(&descriptor, 1, milliseconds) > 0 else {
            let rest = received.withLock { String(decoding: $0, as: UTF8.self) }
            throw RawClientError(description: "nothing came in time, after: \(rest)")
        }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        received.withLock { $0 += buffer[..<count] }
        return true
    }

    private func readHeader(deadline: Date) throws -> RawResponse {
        let end: [UInt8] = Array("\r\n\r\n".utf8)
        while received.withLock({ $0.firstRange(of: end) }) == nil { try receive(deadline) }
        let header = received.withLock { received -> String in
            guard let range = received.firstRange(of: end) else { return "" }
            let header = String(decoding: received[..<range.lowerBound], as: UTF8.self)
            received.removeSubrange(..<range.upperBound)
            return header
        }
        var lines = header.components(separatedBy: "\r\n")
        let parts = lines.removeFirst().split(separator: " ")
        guard parts.count > 1, let status = Int(parts[1]) else {
            throw RawClientError(description: "no HTTP: \(header)")
        }
        var headers = HTTPHeaders()
        for line in lines {
            let field = line.split(separator: ":", maxSplits: 1)
            headers.append(String(field[0]), field.count > 1 ? field[1].trimmingCharacters(in: .whitespaces) : "")
        }
        return RawResponse(status: status, headers: headers, body: [])
    }

    private func readResponse(_ isHead: Bool, deadline: Date) throws -> RawResponse {
        var response = try readHeader(deadline: deadline)
        if isHead || response.status == 204 || response.status == 304 { return response }
        if response.headers["Transfer-Encoding"] == "chunked" {
            response.body = try readChunks(deadline)
            return response
        }
        response.body = try take(Int(response.headers["Content-Length"] ?? "") ?? 0, deadline)
        return response
    }

    private func readChunks(_ deadline: Date) throws -> [UInt8] {
        let line: [UInt8] = [0x0d, 0x0a]
        var body: [UInt8] = []
        while true {
            while received.withLock({ $0.firstRange(of: line) }) == nil { try receive(deadline) }
            let size = received.withLock { received -> Int in
                guard let range = received.firstRange(of: line) else { return 0 }
                defer { received.removeSubrange(..<range.upperBound) }
                return Int(String(decoding: received[..<range.lowerBound], as: UTF8.self), radix: 16) ?? 0
            }
            body += try take(size, deadline)
            _ = try take(2, deadline)
            if size == 0 { return body }
        }
    }

    private func take(_ count: Int, _ deadline: Date) throws -> [UInt8] {
        while received.withLock({ $0.count }) < count { try receive(deadline) }
        return received.withLock { received in
            defer { received.removeFirst(count) }
            return Array(received.prefix(count))
        }
    }
}
