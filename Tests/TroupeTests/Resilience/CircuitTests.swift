// When a breaker opens, and how it closes again, without a clock.

import Testing

@testable import Troupe

private let second: UInt64 = 1_000_000_000

@Suite struct CircuitTests {
    /// A breaker and a clock that the test moves.
    private struct Bench {
        var circuit: Circuit
        var now: UInt64 = 100 * second

        init(_ settings: CircuitBreaker) { circuit = Circuit(settings) }

        var mayStart: Bool { circuit.nextStart(at: now) == now }

        mutating func call(_ outcome: CallOutcome, took duration: UInt64 = 0) {
            #expect(mayStart)
            let generation = circuit.began(at: now)
            circuit.ended(outcome, took: duration, generation: generation, at: now)
        }
    }

    private static let settings = CircuitBreaker(
        failureRate: 0.5, window: 10, minimumCalls: 4, openDuration: .seconds(5), probes: 2)

    private func opened() -> Bench {
        var bench = Bench(Self.settings)
        for _ in 0..<4 { bench.call(.failed) }
        return bench
    }

    @Test func itOpensAtTheRateAndNotBelowIt() {
        var bench = Bench(Self.settings)
        for outcome in [CallOutcome.succeeded, .succeeded, .succeeded, .failed, .failed] { bench.call(outcome) }
        #expect(bench.circuit.state == .closed)
        bench.call(.failed)
        #expect(bench.circuit.state == .open)
    }

    @Test func fewCallsSayNothing() {
        var bench = Bench(Self.settings)
        for _ in 0..<3 { bench.call(.failed) }
        #expect(bench.circuit.state == .closed)
        bench.call(.failed)
        #expect(bench.circuit.state == .open)
    }

    @Test func onlyTheWindowCounts() {
        var bench = Bench(Self.settings)
        for _ in 0..<4 { bench.call(.succeeded) }
        for _ in 0..<3 { bench.call(.failed) }
        for _ in 0..<10 { bench.call(.succeeded) }
        // The three have left the window: four more make 4 of 10, the fifth makes it half.
        for _ in 0..<4 { bench.call(.failed) }
        #expect(bench.circuit.state == .closed)
        bench.call(.failed)
        #expect(bench.circuit.state == .open)
    }

    @Test func whatSaysNothingOfTheDependencyIsNotCounted() {
        var bench = Bench(Self.settings)
        for _ in 0..<100 { bench.call(.irrelevant) }
        #expect(bench.circuit.state == .closed)
        for _ in 0..<3 { bench.call(.failed) }
        #expect(bench.circuit.state == .closed)
    }

    @Test func slowCallsOpenItThoughTheySucceed() {
        var settings = Self.settings
        settings.slowCalls = CircuitBreaker.SlowCalls(threshold: .seconds(2), rate: 0.75)
        var bench = Bench(settings)
        bench.call(.succeeded)
        bench.call(.succeeded, took: 2 * second - 1)
        for _ in 0..<5 { bench.call(.succeeded, took: 2 * second) }
        #expect(bench.circuit.state == .closed)
        bench.call(.succeeded, took: 2 * second)
        #expect(bench.circuit.state == .open)
    }

    @Test func whileOpenNothingStartsUntilTheTimeHasPassed() {
        var bench = opened()
        #expect(bench.circuit.nextStart(at: bench.now) == bench.now + 5 * second)
        bench.now += 5 * second - 1
        #expect(!bench.mayStart)
        bench.now += 1
        #expect(bench.mayStart)
    }

    @Test func halfOpenLetsThroughTheProbesAndNoMore() {
        var bench = opened()
        bench.now += 5 * second
        let first = bench.circuit.began(at: bench.now)
        #expect(bench.circuit.state == .halfOpen)
        let second = bench.circuit.began(at: bench.now)
        #expect(bench.circuit.nextStart(at: bench.now) == nil)
        bench.circuit.ended(.succeeded, took: 0, generation: first, at: bench.now)
        #expect(bench.circuit.state == .halfOpen)
        #expect(bench.circuit.nextStart(at: bench.now) == nil)
        bench.circuit.ended(.succeeded, took: 0, generation: second, at: bench.now)
        #expect(bench.circuit.state == .closed)
        #expect(bench.mayStart)
    }

    @Test func aFailedProbeOpensItForTheWholeTimeAgain() {
        var bench = opened()
        bench.now += 5 * second
        bench.call(.succeeded)
        bench.call(.failed)
        #expect(bench.circuit.state == .open)
        #expect(bench.circuit.nextStart(at: bench.now) == bench.now + 5 * second)
    }

    @Test func aSlowProbeOpensItAgain() {
        var settings = Self.settings
        settings.slowCalls = CircuitBreaker.SlowCalls(threshold: .seconds(2), rate: 1)
        var bench = Bench(settings)
        for _ in 0..<4 { bench.call(.failed) }
        bench.now += 5 * second
        bench.call(.succeeded, took: 2 * second)
        #expect(bench.circuit.state == .open)
    }

    @Test func aProbeThatSaysNothingIsReplaced() {
        var bench = opened()
        bench.now += 5 * second
        for _ in 0..<10 { bench.call(.irrelevant) }
        #expect(bench.circuit.state == .halfOpen)
        bench.call(.succeeded)
        bench.call(.succeeded)
        #expect(bench.circuit.state == .closed)
    }

    @Test func aCallFromBeforeItOpenedSaysNothingWhenItEnds() {
        var bench = Bench(Self.settings)
        let stale = bench.circuit.began(at: bench.now)
        for _ in 0..<4 { bench.call(.failed) }
        bench.now += 5 * second
        let probe = bench.circuit.began(at: bench.now)
        bench.circuit.ended(.failed, took: 0, generation: stale, at: bench.now)
        #expect(bench.circuit.state == .halfOpen)
        bench.circuit.ended(.succeeded, took: 0, generation: probe, at: bench.now)
        #expect(bench.circuit.state == .halfOpen)
    }

    @Test func onceClosedItCountsFromZero() {
        var bench = opened()
        bench.now += 5 * second
        bench.call(.succeeded)
        bench.call(.succeeded)
        for _ in 0..<3 { bench.call(.failed) }
        #expect(bench.circuit.state == .closed)
        bench.call(.failed)
        #expect(bench.circuit.state == .open)
    }
}
