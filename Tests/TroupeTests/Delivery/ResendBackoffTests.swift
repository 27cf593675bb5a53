// How long to wait before records are sent again.

import Testing

@testable import Troupe

@Suite struct ResendBackoffTests {
    private let second: UInt64 = 1_000_000_000

    @Test func delaysDoubleUpToHalfAMinute() {
        var backoff = ResendBackoff()
        var now: UInt64 = 7 * second
        var delays: [UInt64] = []
        for _ in 0..<9 {
            let delay = backoff.failed(now: now)
            delays.append(delay / 100_000_000)
            now += delay
        }
        #expect(delays == [5, 10, 20, 40, 80, 160, 300, 300, 300])
    }

    @Test func recordsThatFailTogetherCountOnce() {
        var backoff = ResendBackoff()
        for record in 0..<400 as Range<UInt64> { #expect(backoff.failed(now: second + record) == second / 2) }
        // They are sent again and fail again.
        for record in 0..<400 as Range<UInt64> { #expect(backoff.failed(now: 2 * second + record) == second) }
    }

    @Test func aDeliveryBeginsAnew() {
        var backoff = ResendBackoff()
        _ = backoff.failed(now: 0)
        #expect(backoff.failed(now: second) == second)
        backoff.succeeded()
        #expect(backoff.failed(now: second) == second / 2)
    }
}
