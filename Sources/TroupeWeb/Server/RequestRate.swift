// How often one client may ask: a bucket of tokens for each address. Pure arithmetic over a clock that is passed in.

/// How often one client may ask.
public struct RequestRate: Sendable, Hashable {
    /// Requests in a second, on average.
    public var perSecond: Double
    /// Requests that may come at once after a pause.
    public var burst: Int

    /// Allows `perSecond` requests, and `burst` at once after a pause.
    public init(perSecond: Double, burst: Int) {
        self.perSecond = max(perSecond, 0.001)
        self.burst = max(burst, 1)
    }
}

/// The buckets of all clients, at most as many as it is given room for.
struct ClientRates: Sendable {
    /// How many clients are kept apart; the room is bounded against floods from many addresses.
    static let room = 65_536

    private let interval: Double
    private let tolerance: Double
    /// When each client's bucket is full again, in milliseconds.
    private var fullAt: [String: Double] = [:]
    /// When those whose buckets are full were forgotten last, in milliseconds.
    private var forgotAt = -Double.infinity

    init(_ rate: RequestRate) {
        interval = 1000 / rate.perSecond
        tolerance = interval * Double(rate.burst - 1)
    }

    /// Takes a token of a client's; returns the seconds until there is one when there is none, at least one.
    mutating func take(_ client: String, at now: Int64) -> Int? {
        let now = Double(now)
        let full = max(fullAt[client] ?? 0, now)
        guard full - tolerance <= now else { return max(1, Int(((full - tolerance - now) / 1000).rounded(.up))) }
        if fullAt.count >= Self.room, fullAt[client] == nil {
            // Everybody is busy: who is new waits a second. All are looked at once a second, not for each who is new.
            guard now - forgotAt >= 1000 else { return 1 }
            forgotAt = now
            fullAt = fullAt.filter { $0.value > now }
            if fullAt.count >= Self.room { return 1 }
        }
        fullAt[client] = full + interval
        return nil
    }

    /// The client of an address: IPv6 clients are known by their network, for they choose the rest themselves.
    static func client(of address: String) -> String {
        // An IPv4 address may be written as an IPv6 one, `::ffff:10.0.0.1`.
        guard address.contains(":"), !address.contains(".") else { return address }
        var groups = address.split(separator: ":", omittingEmptySubsequences: false)
        // `::` stands for as many zeros as are missing.
        if let gap = groups.dropFirst().firstIndex(of: "") {
            let tail = groups[(gap + 1)...].filter { !$0.isEmpty }
            let head = groups[..<gap].filter { !$0.isEmpty }
            groups = head + Array(repeating: "0", count: max(0, 8 - head.count - tail.count)) + tail
        }
        return groups.prefix(4).joined(separator: ":")
    }
}
