// How long things took, in a fixed number of buckets. Pure bookkeeping.

/// Durations in microseconds, counted in buckets whose width is an eighth of their power of two (12.5 % at most).
struct LatencyHistogram: Sendable {
    private var buckets = [UInt32](repeating: 0, count: 8 * 40)
    /// The number of durations counted.
    private(set) var count = 0

    private static func bucket(_ microseconds: UInt64) -> Int {
        guard microseconds >= 8 else { return Int(microseconds) }
        let power = 63 - microseconds.leadingZeroBitCount
        return min((power - 2) * 8 + Int((microseconds >> UInt64(power - 3)) & 7), 8 * 40 - 1)
    }

    private static func upperBound(_ bucket: Int) -> UInt64 {
        guard bucket >= 8 else { return UInt64(bucket) }
        let power = UInt64(bucket / 8 + 2)
        return (1 << power) + (UInt64(bucket % 8 + 1) << (power - 3)) - 1
    }

    /// Counts a duration.
    mutating func add(microseconds: UInt64) {
        buckets[Self.bucket(microseconds)] &+= 1
        count += 1
    }

    /// The duration that the share `quantile` (0 to 1) of all counted ones does not exceed; `nil` when there is none.
    func quantile(_ quantile: Double) -> UInt64? {
        guard count > 0 else { return nil }
        let wanted = Int((Double(count) * quantile).rounded(.up))
        var seen = 0
        for (index, number) in buckets.enumerated() {
            seen += Int(number)
            if seen >= max(wanted, 1) { return Self.upperBound(index) }
        }
        return Self.upperBound(buckets.count - 1)
    }
}
