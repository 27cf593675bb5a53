// Bulkhead, breaker and limit together: what is promised whatever happens.

import Testing

@testable import Troupe

@Suite struct RouteGateTests {
    @Test func theBoundIsNeverExceededAndIsReached() {
        var gate = RouteGate(maxConcurrent: 3, rateLimit: nil, circuitBreaker: nil)
        var passes: [RoutePass] = []
        for _ in 0..<3 {
            #expect(gate.admission(at: 5) == .admitted)
            passes.append(gate.start(at: 5))
        }
        #expect(gate.admission(at: 5) == .afterAnother)
        gate.end(passes[0], .failed, took: 0, at: 6)
        #expect(gate.admission(at: 6) == .admitted)
    }

    @Test func theLaterOfBreakerAndLimitDecides() {
        var gate = RouteGate(
            maxConcurrent: nil, rateLimit: RateLimit(1, per: .seconds(10)),
            circuitBreaker: CircuitBreaker(window: 1, minimumCalls: 1, openDuration: .seconds(5)))
        gate.end(gate.start(at: 0), .failed, took: 0, at: 0)
        #expect(gate.circuitState == .open)
        #expect(gate.admission(at: 1) == .later(10_000_000_000))
    }

    /// Whoever waits is woken by an end or by a time: a gate that refuses says which, and it comes.
    @Test(arguments: 0..<200)
    func aRefusalAlwaysEnds(seed: UInt64) {
        let random = FastRandom(seed: seed)
        func upTo(_ limit: UInt64) -> UInt64 { random.next() % limit }
        let bound = Int(1 + upTo(4))
        var gate = RouteGate(
            maxConcurrent: upTo(2) == 0 ? bound : nil,
            rateLimit: upTo(2) == 0 ? RateLimit(Int(1 + upTo(5)), per: .seconds(1), burst: Int(1 + upTo(3))) : nil,
            circuitBreaker: CircuitBreaker(
                failureRate: 0.5, slowCalls: CircuitBreaker.SlowCalls(threshold: .seconds(1), rate: 0.5),
                window: Int(1 + upTo(6)), minimumCalls: Int(1 + upTo(6)), openDuration: .seconds(Int64(upTo(3))),
                probes: Int(1 + upTo(3))))
        var now: UInt64 = 1
        var passes: [(RoutePass, UInt64)] = []
        var started = 0
        for _ in 0..<2_000 {
            switch gate.admission(at: now) {
            case .admitted where upTo(3) > 0:
                passes.append((gate.start(at: now), now))
                started += 1
            case .later(let due) where upTo(2) == 0:
                #expect(due > now)
                now = due
                #expect(gate.admission(at: now) == .admitted)
            case .afterAnother: #expect(!passes.isEmpty)
            default: break
            }
            #expect(gate.underWay == passes.count)
            if !passes.isEmpty, upTo(2) == 0 {
                now += upTo(1_500_000_000)
                let (pass, start) = passes.remove(at: Int(upTo(UInt64(passes.count))))
                let outcome: CallOutcome = [.succeeded, .failed, .irrelevant][Int(upTo(3))]
                gate.end(pass, outcome, took: now - start, at: now)
            }
        }
        #expect(started > 50, "seed \(seed)")
    }
}
