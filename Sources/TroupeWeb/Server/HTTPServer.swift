// A server: libmicrohttpd's threads, and one that watches over time limits and stops it.

import KafkaClient
import Synchronization
import Troupe

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An HTTP/1.1 server.
///
/// ```swift
/// var router = HTTPRouter()
/// router.get("/health") { _ in .text("well") }
/// let server = try HTTPServer(router, HTTPServerConfiguration(port: 8080))
/// ...
/// await server.stop()
/// ```
///
/// It runs from its making on. Requests are read and answers written on a few threads of libmicrohttpd's; a handler runs
/// in a task, and a request that waits costs a connection and that task, no thread. Stop it before you drop it: it goes
/// on otherwise.
public final class HTTPServer: Sendable {
    private let core: ServerCore
    private let supervisor: Supervisor
    /// The port it listens on.
    public let port: UInt16

    /// Starts a server.
    ///
    /// - Parameters:
    ///   - router: What it answers.
    ///   - configuration: Where it listens, and its limits.
    /// - Throws: `HTTPServerError` when it cannot listen, or a certificate cannot be read.
    public init(_ router: HTTPRouter, _ configuration: HTTPServerConfiguration = HTTPServerConfiguration()) throws {
        let core = ServerCore(router, configuration)
        DescriptorLimit.raise(to: configuration.limits.maxConnections + 256, logger: core.logger)
        let waker = try Waker()
        let daemon = try Daemon(configuration, core: core)
        self.core = core
        port = daemon.port
        let supervisor = Supervisor(core, daemon, waker)
        self.supervisor = supervisor
        do {
            try startThread(named: "troupe-web") { supervisor.run() }
        } catch {
            daemon.stop()
            throw error
        }
        core.logger.info(
            "Listening",
            metadata: [
                "address": configuration.host, "port": "\(port)", "scheme": configuration.tls == nil ? "http" : "https",
            ])
    }

    /// How many connections there are.
    public var connectionCount: Int { core.connectionCount }

    /// How many requests are being answered.
    public var requestsInFlight: Int { core.requestsInFlight }

    /// Stops the server: no new connection or request is taken, and what is being answered is answered.
    ///
    /// Streams end at once. What takes longer than `HTTPLimits.gracePeriod` is cancelled, and the client told 503. It
    /// returns when no thread or descriptor of the server's is left; a cancelled task waits for that too.
    public func stop() async { await supervisor.stop() }
}

/// The one thread that looks at time limits while the server runs, and stops it.
private final class Supervisor: Sendable {
    /// How often time limits are looked at, in milliseconds.
    private static let interval: Int32 = 100

    private struct State {
        var isStopping = false
        var isStopped = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let core: ServerCore
    private let daemon: Daemon
    private let waker: Waker
    private let state = Mutex(State())

    init(_ core: ServerCore, _ daemon: Daemon, _ waker: Waker) {
        self.core = core
        self.daemon = daemon
        self.waker = waker
    }

    func stop() async {
        await withCheckedContinuation { continuation in
            let isStopped = state.withLock { state in
                state.isStopping = true
                if !state.isStopped { state.waiting.append(continuation) }
                return state.isStopped
            }
            if isStopped { continuation.resume() } else { waker.wake() }
        }
    }

    func run() {
        while true {
            waker.prepareToSleep()
            if state.withLock({ $0.isStopping }) { break }
            waker.sleep(milliseconds: Self.interval)
            core.sweep(at: monotonicMilliseconds())
        }
        waker.cancelSleep()
        shutDown()
        let waiting = state.withLock { state in
            state.isStopped = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func shutDown() {
        daemon.stopListening()
        core.drain()
        if !drained(within: core.limits.gracePeriod) {
            core.cancelAll()
            // What was told 503 has yet to be sent; whoever does not read it is cut.
            if !drained(within: .seconds(1)) { core.cutAll() }
        }
        // A suspended connection would end the process: rather leave the daemon be.
        guard drained(within: .seconds(30)) else {
            core.logger.critical("The HTTP server cannot be stopped: a request does not end")
            // Its threads go on calling the core, which must outlive them.
            _ = Unmanaged.passRetained(core)
            return
        }
        daemon.stop()
        core.logger.info("Stopped")
    }

    /// Waits until no request is in flight; `false` when that takes too long.
    private func drained(within limit: Duration) -> Bool {
        let end = deadline(in: limit)
        // A request may be over while the call that resumed it for its end has not returned.
        while core.requestsInFlight > 0 || !core.resumptions.isIdle {
            let now = monotonicMilliseconds()
            guard now < end else { return false }
            core.sweep(at: now)
            waker.sleep(milliseconds: 2)
        }
        return true
    }
}

/// The number of descriptors the process may open.
enum DescriptorLimit {
    /// Raises the process's soft limit of open files to `count`, as far as its hard limit allows.
    static func raise(to count: Int, logger: Logger) {
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < rlim_t(count) else { return }
        limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
        setrlimit(resource, &limit)
        if limit.rlim_cur < rlim_t(count) {
            logger.warning(
                "The process may open fewer files than the server may have connections; raise ulimit -n",
                metadata: ["limit": "\(limit.rlim_cur)", "wanted": "\(count)"])
        }
    }
}
