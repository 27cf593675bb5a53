// The engine's two clocks.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads the system's clocks.
package enum EngineClock {
    /// Nanoseconds of a clock that never goes back; for delays and deadlines within the process.
    static var monotonic: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; for what is written into records.
    package static var wallMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension Duration {
    /// The longest delay the engine counts with, in nanoseconds: 146 years, so that adding it to the clock never
    /// overflows.
    static let longestNanoseconds: UInt64 = 1 << 62

    /// The duration in nanoseconds, not below zero and not above `longestNanoseconds`.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow, whole < Self.longestNanoseconds else { return Self.longestNanoseconds }
        return whole + UInt64(attoseconds / 1_000_000_000)
    }
}
