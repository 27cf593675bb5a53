// What follows from a failure.

import Testing

@testable import Troupe

private struct Outage: Error {}
private struct Nonsense: Error {}

@Suite struct RetryPolicyTests {
    private func delays(_ policy: RetryPolicy, unit: Double = 0) -> [Duration] {
        var delays: [Duration] = []
        while case .retry(let delay) = policy.verdict(on: Outage(), attempt: delays.count + 1, unit: unit) {
            delays.append(delay)
            if delays.count > 1000 { break }
        }
        return delays
    }

    @Test func exponentialDelaysGrowToTheirCap() {
        let policy = RetryPolicy.exponential(
            initial: .seconds(1), multiplier: 2, maxDelay: .seconds(5), maxRetries: 5, jitter: 0)
        #expect(delays(policy) == [.seconds(1), .seconds(2), .seconds(4), .seconds(5), .seconds(5)])
        #expect(policy.longestDelay == .seconds(5) && policy.maxRetries == 5)
        #expect(policy.verdict(on: Outage(), attempt: 6, unit: 0) == .deadLetter(retriesExhausted: true))
    }

    @Test func fixedAndImmediateRetries() {
        #expect(delays(.fixed(.milliseconds(20), maxRetries: 2)) == [.milliseconds(20), .milliseconds(20)])
        #expect(
            delays(.fixed(.seconds(9), maxRetries: 2).immediately(2)) == [.zero, .zero, .seconds(9), .seconds(9)])
        #expect(delays(.never).isEmpty && RetryPolicy.never.longestDelay == .zero)
    }

    @Test func jitterShortensAndNeverLengthens() {
        let policy = RetryPolicy.fixed(.seconds(10), maxRetries: 1, jitter: 0.2)
        #expect(delays(policy, unit: 0) == [.seconds(10)] && delays(policy, unit: 0.5) == [.seconds(9)])
        let random = FastRandom(seed: 5)
        for _ in 0..<1000 {
            let delay = delays(policy, unit: random.nextUnit())[0]
            #expect(delay > .seconds(8) && delay <= .seconds(10))
        }
    }

    @Test func theSameSeedGivesTheSameJitter() {
        let (a, b) = (FastRandom(seed: 9), FastRandom(seed: 9))
        #expect((0..<100).map { _ in a.nextUnit() } == (0..<100).map { _ in b.nextUnit() })
    }

    @Test func errorTypesDecide() {
        let policy = RetryPolicy.standard.notRetrying(Nonsense.self).ignoring(Outage.self)
        #expect(policy.verdict(on: Nonsense(), attempt: 1, unit: 0) == .deadLetter(retriesExhausted: false))
        #expect(policy.verdict(on: Outage(), attempt: 1, unit: 0) == .ignore)
        #expect(policy.verdict(on: CancellationError(), attempt: 1, unit: 0) == .retry(after: .seconds(1)))
    }

    @Test func theFirstRuleWithAnOpinionDecides() {
        let policy = RetryPolicy.standard.deciding { $0 is Outage ? .retry : nil }.deciding { _ in .deadLetter }
        #expect(policy.verdict(on: Outage(), attempt: 1, unit: 0) == .retry(after: .seconds(1)))
        #expect(policy.verdict(on: Outage(), attempt: 4, unit: 0) == .deadLetter(retriesExhausted: true))
        #expect(policy.verdict(on: Nonsense(), attempt: 1, unit: 0) == .deadLetter(retriesExhausted: false))
    }

    @Test func absurdSettingsAreBounded() {
        #expect(
            delays(.exponential(initial: .seconds(-1), multiplier: .nan, maxDelay: .seconds(-1), maxRetries: -3))
                .isEmpty)
        let endless = RetryPolicy.exponential(
            initial: .seconds(1), multiplier: .infinity, maxDelay: .seconds(Int64.max), maxRetries: .max, jitter: 7)
        #expect(endless.verdict(on: Outage(), attempt: 2, unit: 0) == .retry(after: .seconds(1)))
        let steep = RetryPolicy.exponential(
            initial: .seconds(1), multiplier: 1e300, maxDelay: .seconds(1_000_000), maxRetries: 1_000_000, jitter: 0)
        #expect(steep.verdict(on: Outage(), attempt: 999_999, unit: 0) == .retry(after: .seconds(1_000_000)))
    }
}
