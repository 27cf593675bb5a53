// A bound on how often a route's handler starts: a token bucket. Pure arithmetic over a clock that is passed in.

/// How often the handler of a route may start, in one instance of the service.
///
/// A token bucket: it fills evenly, each start takes one token, and without one the events wait in their lanes, in
/// order. Retries take tokens too. Each instance has its own bucket: three instances start three times as many.
public struct RateLimit: Sendable, Hashable {
    /// Nanoseconds from one start to the next.
    let interval: UInt64
    /// Starts that need no waiting when none was made for a while.
    let burst: UInt64

    /// Allows `count` starts in each `period`.
    ///
    /// - Parameters:
    ///   - count: How many; below one it counts as one.
    ///   - period: The time they are spread over.
    ///   - burst: How many may start at once when none did for a while: one when nothing is said, so that starts are
    ///     evenly spread.
    public init(_ count: Int, per period: Duration, burst: Int = 1) {
        let count = UInt64(max(count, 1))
        // Rounded up: never more often than allowed.
        interval = (min(period.nanoseconds, Duration.longestNanoseconds >> 8) + count - 1) / count
        self.burst = UInt64(min(max(burst, 1), 1 << 20))
    }
}

/// The bucket of one route.
///
/// Kept as one number, the time at which the bucket is full again (the generic cell rate algorithm of ITU-T I.371): no
/// rounding error adds up and nothing has to be refilled.
struct TokenBucket {
    private let interval: UInt64
    private let tolerance: UInt64
    private var fullAt: UInt64 = 0

    init(_ limit: RateLimit) {
        interval = limit.interval
        let (product, overflow) = limit.interval.multipliedReportingOverflow(by: limit.burst - 1)
        tolerance = overflow ? Duration.longestNanoseconds : min(product, Duration.longestNanoseconds)
    }

    /// When the next token is there, at `now` or later.
    func nextStart(at now: UInt64) -> UInt64 { max(now, fullAt > tolerance ? fullAt - tolerance : 0) }

    /// Takes a token, which must be there.
    mutating func take(at now: UInt64) { fullAt = max(fullAt, now) + interval }
}
