// How long to wait before records that were not delivered are sent again.

/// The delays between attempts to deliver: 0.5 s, then twice that and so on up to 30 s.
///
/// Records that fail together count once: a disk that is full fails hundreds of them in an instant, and none of them
/// should wait for half a minute because of that.
struct ResendBackoff {
    private static let first: UInt64 = 500_000_000
    private static let longest: UInt64 = 30_000_000_000
    private var delay: UInt64 = 0
    /// Until then a failure belongs to those that were counted.
    private var countedUntil: UInt64 = 0

    /// Notes a failure at the monotonic time `now`; returns how long to wait, both in nanoseconds.
    mutating func failed(now: UInt64) -> UInt64 {
        if now >= countedUntil {
            delay = delay == 0 ? Self.first : min(delay * 2, Self.longest)
            countedUntil = now + delay
        }
        return delay
    }

    /// Something was delivered: the next failure is a first one.
    mutating func succeeded() {
        delay = 0
        countedUntil = 0
    }
}
