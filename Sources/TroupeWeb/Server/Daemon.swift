// The one owner of a libmicrohttpd daemon, and what its callbacks get.
//
// All callbacks come on the daemon's own threads; those of one connection never at the same time.

import CMicroHTTPD
import KafkaClient
import Troupe

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A connection of libmicrohttpd's.
///
/// `@unchecked Sendable`: libmicrohttpd's calls for resuming take any thread. It is valid from its first callback to its
/// last, and as long as it is suspended.
struct ConnectionPointer: @unchecked Sendable {
    let pointer: OpaquePointer
}

/// A daemon that runs from its making until `stop`.
///
/// `@unchecked Sendable`: the pointers are set once, and the server's one supervisor ends it.
final class Daemon: @unchecked Sendable {
    private let daemon: OpaquePointer
    private let callbacks: UnsafeMutablePointer<troupe_mhd_callbacks>
    private let texts: [UnsafeMutablePointer<CChar>]
    /// The end of a pipe whose other end has taken the listening socket's place; -1 while it listens.
    private var placeholder: Int32 = -1

    /// Starts a daemon that calls `core`, which must outlive it.
    init(_ configuration: HTTPServerConfiguration, core: ServerCore) throws {
        let limits = configuration.limits
        let host = configuration.host == "localhost" ? "127.0.0.1" : configuration.host
        // All of it is read before any of it is copied: what throws leaves nothing behind.
        var values = [host]
        if let tls = configuration.tls {
            values.append(try Self.read(tls.key, "private key"))
            values.append(try Self.read(tls.certificate, "certificate"))
        }
        texts = values.compactMap { strdup($0) }
        guard texts.count == values.count else {
            Self.release(texts)
            throw HTTPServerError("There is no memory left")
        }
        var settings = troupe_mhd_settings()
        settings.address = UnsafePointer(self.texts[0])
        settings.port = configuration.port
        settings.threads = UInt32(min(max(limits.threads, 1), 64))
        settings.connections = UInt32(min(max(limits.maxConnections, Int(settings.threads)), 1 << 20))
        settings.connections_per_ip = UInt32(min(max(limits.maxConnectionsPerAddress, 0), 1 << 20))
        // The sweep is exact; this one is for what it does not see, a stream that its client does not read.
        let longest = max(limits.writeTimeout, limits.idleTimeout, limits.headerTimeout, limits.bodyTimeout)
        settings.inactivity = UInt32(clamping: (longest.milliseconds + 999) / 1000 + 1)
        settings.backlog = 4096
        settings.memory = max(limits.maxHeaderBytes, 2048)
        if self.texts.count == 3 {
            settings.key = UnsafePointer(self.texts[1])
            settings.certificate = UnsafePointer(self.texts[2])
        }
        callbacks = .allocate(capacity: 1)
        callbacks.initialize(
            to: troupe_mhd_callbacks(
                target: onTarget, access: onAccess, completed: onCompleted, connection: onConnection, log: onLog,
                context: Unmanaged.passUnretained(core).toOpaque()))
        errno = 0
        guard let daemon = troupe_mhd_start(&settings, callbacks) else {
            let cause = errno == 0 ? "" : ": \(String(cString: strerror(errno)))"
            callbacks.deallocate()
            Self.release(texts)
            throw HTTPServerError(
                "Listening on \(configuration.host) port \(configuration.port) failed\(cause)",
                advice: configuration.tls == nil
                    ? "The host is an address of this machine, and the port is free and allowed to this user"
                    : "The address is free, and the files hold a certificate and its key in PEM")
        }
        self.daemon = daemon
    }

    /// The port it listens on.
    var port: UInt16 { troupe_mhd_port(daemon) }

    /// Stops taking connections; those that are there go on.
    ///
    /// The listening socket is closed by putting a pipe that never has anything to read in its place. `MHD_quiesce_daemon`
    /// is not for a daemon of several threads: it takes the socket out of each thread's epoll set, and ends the process
    /// when the thread, which was told to do the same, was faster (libmicrohttpd 0.9.75, seen: "Failed to remove listen FD
    /// from epoll set").
    func stopListening() {
        let listener = troupe_mhd_listener(daemon)
        var ends: [Int32] = [-1, -1]
        guard listener >= 0, pipe(&ends) == 0 else { return }
        dup2(ends[0], listener)
        close(ends[0])
        for end in [listener, ends[1]] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        placeholder = ends[1]
    }

    /// Ends the daemon and its threads; no connection may be suspended.
    func stop() {
        MHD_stop_daemon(daemon)
        if placeholder >= 0 { close(placeholder) }
        callbacks.deallocate()
        Self.release(texts)
    }

    private static func release(_ texts: [UnsafeMutablePointer<CChar>]) {
        for text in texts {
            // The private key is among them.
            memset(text, 0, strlen(text))
            free(text)
        }
    }

    private static func read(_ path: String, _ what: String) throws -> String {
        do {
            return String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        } catch {
            throw HTTPServerError(
                "The \(what) in \(path) cannot be read", advice: "Name a file in PEM that this user may read")
        }
    }
}

/// A server cannot be started.
public struct HTTPServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened.
    public let reason: String
    /// What to do.
    public let advice: String?

    init(_ reason: String, advice: String? = nil) {
        self.reason = reason
        self.advice = advice
    }

    /// What happened, and what to do.
    public var description: String { advice.map { "\(reason). \($0)" } ?? reason }
}

/// How a body's reader says that there is nothing more.
enum ResponseReader {
    /// `MHD_CONTENT_READER_END_OF_STREAM`, a macro that Swift does not import.
    static let endOfStream = -1
}

/// Milliseconds of a clock that only goes forward.
func monotonicMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}

// The context is the server's core, which outlives the daemon.
private func core(_ context: UnsafeMutableRawPointer) -> ServerCore {
    Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
}

/// The request line has come: the exchange begins, and what is returned stays with the request.
private let onTarget:
    @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer? = {
        context, target, connection in
        guard let context, let target, let connection else { return nil }
        return core(context).begin(ConnectionPointer(pointer: connection), target: String(cString: target))
    }

/// The header has come, then pieces of the body, then its end, then again after each resuming.
private let onAccess: MHD_AccessHandlerCallback = { context, connection, _, method, _, bytes, count, request in
    guard let context, let connection, let method, let count, let exchange = request?.pointee else { return .NO }
    let piece = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count.pointee)
    count.pointee = 0
    return core(context).advance(
        Unmanaged<Exchange>.fromOpaque(exchange).takeUnretainedValue(), method: String(cString: method), piece)
        ? .YES : .NO
}

/// The request is over, however it ended.
private let onCompleted: MHD_RequestCompletedCallback = { context, connection, request, _ in
    guard let context, let connection, let exchange = request?.pointee else { return }
    request?.pointee = nil
    core(context).end(Unmanaged<Exchange>.fromOpaque(exchange).takeRetainedValue())
}

/// A connection was opened, or is about to be closed.
private let onConnection: MHD_NotifyConnectionCallback = { context, connection, slot, code in
    guard let context, let connection, let slot else { return }
    if code == .CONNECTION_NOTIFY_STARTED {
        let opened = core(context).open(ConnectionPointer(pointer: connection))
        slot.pointee = Unmanaged.passRetained(opened).toOpaque()
    } else if let closed = slot.pointee {
        slot.pointee = nil
        core(context).close(Unmanaged<ClientConnection>.fromOpaque(closed).takeRetainedValue())
    }
}

private let onLog: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?) -> Void = { context, line in
    guard let context, let line else { return }
    core(context).note(String(cString: line))
}
