// How often a route may start, without a clock.

import Testing

@testable import Troupe

@Suite struct TokenBucketTests {
    private let second: UInt64 = 1_000_000_000

    @Test func startsAreSpreadEvenly() {
        var bucket = TokenBucket(RateLimit(10, per: .seconds(1)))
        var now: UInt64 = 7 * second
        for _ in 0..<100 {
            #expect(bucket.nextStart(at: now) == now)
            bucket.take(at: now)
            #expect(bucket.nextStart(at: now) == now + second / 10)
            now = bucket.nextStart(at: now)
        }
        #expect(now == 17 * second)
    }

    @Test func aBurstNeedsNoWaitingAfterAPause() {
        var bucket = TokenBucket(RateLimit(10, per: .seconds(1), burst: 5))
        for round in [second, 100 * second] {
            for _ in 0..<5 {
                #expect(bucket.nextStart(at: round) == round)
                bucket.take(at: round)
            }
            #expect(bucket.nextStart(at: round) == round + second / 10)
        }
    }

    @Test(arguments: [(1, 1), (3, 1), (7, 4), (1_000, 50)])
    func neverMoreThanAllowedInAnyPeriod(count: Int, burst: Int) {
        var bucket = TokenBucket(RateLimit(count, per: .seconds(1), burst: burst))
        let random = FastRandom(seed: UInt64(count))
        var now: UInt64 = second
        var starts: [UInt64] = []
        for _ in 0..<5_000 {
            now += random.next() % (2 * second / UInt64(count))
            if bucket.nextStart(at: now) > now { now = bucket.nextStart(at: now) }
            bucket.take(at: now)
            starts.append(now)
        }
        var first = 0
        var most = 0
        for (index, start) in starts.enumerated() {
            while starts[first] + second <= start { first += 1 }
            most = max(most, index - first + 1)
        }
        // In one period: what refills and a full bucket.
        #expect(most <= count + burst - 1)
        #expect(most >= count / 2)
    }

    @Test func hostileValuesAreBounded() {
        var never = TokenBucket(RateLimit(0, per: .seconds(Int64.max), burst: Int.max))
        for _ in 0..<1_000 { never.take(at: never.nextStart(at: second)) }
        var always = TokenBucket(RateLimit(Int.max, per: .seconds(-1)))
        always.take(at: second)
        #expect(always.nextStart(at: second) <= second + 1)
    }
}
