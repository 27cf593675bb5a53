// Where a server listens, and what it puts up with.

public import Troupe

/// Where a server listens, and what it puts up with.
public struct HTTPServerConfiguration: Sendable {
    /// The address it listens on, as text: IPv4 or IPv6, or `localhost`; only this machine when nothing is said.
    ///
    /// `0.0.0.0` or `::` listens on all of them.
    public var host = "127.0.0.1"
    /// The port; 0 takes any free one, which `HTTPServer.port` tells.
    public var port: UInt16 = 0
    /// The certificate and its key; plain HTTP when `nil`.
    public var tls: TLSFiles?
    /// The names and addresses by which clients may call the server, without port; `nil` for any.
    ///
    /// When nothing is said, a server that only this machine reaches takes only this machine's names, so that no web
    /// page can reach it under a name of its own (DNS rebinding). Behind a proxy that passes on the client's `Host`, name
    /// that here. Others are told 421.
    public var allowedHosts: Set<String>? {
        get { hosts ?? (Self.isLoopback(host) ? Self.loopbackNames : nil) }
        set { hosts = newValue ?? [] }
    }
    /// What it puts up with.
    public var limits = HTTPLimits()
    /// Where log lines go; standard error when `nil`.
    public var logger: Logger?

    private var hosts: Set<String>?

    /// Listens on this machine only, on a free port or the one that is given.
    public init(host: String = "127.0.0.1", port: UInt16 = 0) {
        self.host = host
        self.port = port
    }

    static let loopbackNames: Set<String> = ["localhost", "127.0.0.1", "::1"]

    static func isLoopback(_ host: String) -> Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    /// Whether a `Host` header names this server.
    func admits(host: String?) -> Bool {
        guard let allowed = allowedHosts, !allowed.isEmpty else { return true }
        // Only HTTP/1.0 clients may leave it out, and no browser is one.
        guard let host else { return true }
        let name: Substring
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            name = host[host.index(after: host.startIndex)..<end]
        } else {
            name = host.prefix { $0 != ":" }
        }
        return allowed.contains(name.lowercased()) || name.lowercased() == self.host.lowercased()
    }
}

/// The files of a certificate and its key, in PEM.
public struct TLSFiles: Sendable, Hashable {
    /// The path of the certificate, with those between it and the authority behind it.
    public var certificate: String
    /// The path of the private key.
    public var key: String

    /// Names the files.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// What a server puts up with; beyond each limit there is a clear answer.
public struct HTTPLimits: Sendable, Hashable {
    /// Threads that read and write.
    public var threads = 2
    /// The most connections; more wait until one is closed.
    public var maxConnections = 12_000
    /// The most connections from one address; 0 for no limit.
    ///
    /// Behind a proxy all connections are the proxy's.
    public var maxConnectionsPerAddress = 0
    /// The most requests that are being answered; more are told 503.
    public var maxRequestsInFlight = 11_000
    /// The most bytes of a body; more are told 413.
    public var maxBodyBytes = 1 << 20
    /// Bytes of memory for request line and headers of a connection; longer ones are told 431 or 414.
    public var maxHeaderBytes = 8192
    /// How often one client, that is an address, may ask, before it is told 429; as often as it likes when `nil`.
    public var requestRate: RequestRate?
    /// How long a connection may take to begin, and a request's headers to arrive.
    public var headerTimeout: Duration = .seconds(10)
    /// How long a body may take to arrive.
    public var bodyTimeout: Duration = .seconds(20)
    /// How long a connection is kept without a request.
    public var idleTimeout: Duration = .seconds(60)
    /// How long a client may take to receive an answer, and how long a stream's client may receive nothing of what waits.
    public var writeTimeout: Duration = .seconds(30)
    /// How long a handler may take, unless its route says otherwise, before the client is told 503.
    public var handlerTimeout: Duration = .seconds(30)
    /// How long a stop waits for what is being answered.
    public var gracePeriod: Duration = .seconds(10)
    /// How often a stream without events sends a comment.
    public var heartbeat: Duration = .seconds(15)

    /// The usual limits.
    public init() {}

    /// The usual limits of a server with a `Dashboard`, whose paths hold the ids of flows and events, however long those are.
    public static var dashboard: HTTPLimits {
        var limits = HTTPLimits()
        // Two ids of 4,096 bytes, each of which three characters of the path say, and the browser's headers.
        limits.maxHeaderBytes = 32 << 10
        return limits
    }
}
