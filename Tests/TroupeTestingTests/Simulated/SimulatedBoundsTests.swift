// Circuit breakers, rate limits and bulkheads by the simulation's clock.

import Synchronization
import Testing
import Troupe
import TroupeTesting

@Suite struct SimulatedBoundsTests {
    private final class Dependency: Sendable {
        private let state = Mutex((isUp: false, calls: 0, under: 0, most: 0))
        func call() throws {
            try state.withLock {
                $0.calls += 1
                if !$0.isUp { throw Outage() }
            }
        }
        func comeUp() { state.withLock { $0.isUp = true } }
        var calls: Int { state.withLock { $0.calls } }

        func enter() {
            state.withLock {
                $0.under += 1
                $0.most = max($0.most, $0.under)
            }
        }
        func leave() { state.withLock { $0.under -= 1 } }
        var most: Int { state.withLock { $0.most } }
    }

    @Test func anOpenCircuitTriesAFewEventsADayAndLosesNone() async throws {
        let dependency = Dependency()
        var router = EventRouter(retry: .fixed(.seconds(1), maxRetries: 100))
        router.on(
            OrderPlaced.self, publishes: .one(StockReserved.self), execution: .inline(maxConcurrent: 1),
            circuitBreaker: CircuitBreaker(window: 10, minimumCalls: 5, openDuration: .seconds(3_600), probes: 1)
        ) { order, _ in
            try dependency.call()
            return StockReserved(order: order.order, quantity: 1)
        }
        let service = EventService("inventory", router: router, configuration: ServiceConfiguration(environment: [:]))
        try await service.test(.simulated.timeout(.seconds(120))) { world in
            try await world.give((0..<200).map { OrderPlaced(order: "\($0)") })
            try await world.settled()
            #expect(dependency.calls == 5)
            try await world.advance(by: .seconds(24 * 3_600))
            // One probe an hour.
            #expect(dependency.calls == 5 + 24)
            #expect(try await world.published(StockReserved.self).isEmpty)
            dependency.comeUp()
            try await world.advance(by: .seconds(3_600))
            #expect(try await world.published(StockReserved.self).count == 200)
            #expect(try await world.deadLetters().isEmpty)
        }
    }

    @Test func aRateLimitSpreadsStartsOverVirtualTime() async throws {
        var router = EventRouter()
        router.on(OrderPlaced.self, rateLimit: RateLimit(1, per: .seconds(10))) { _, _ in }
        let service = EventService("inventory", router: router, configuration: ServiceConfiguration(environment: [:]))
        try await service.test(.simulated.timeout(.seconds(120))) { world in
            let start = world.now
            try await world.give((0..<10).map { OrderPlaced(order: "\($0)") })
            try await world.advance(by: .seconds(95))
            let times = try await world.attempts().map { ($0.time - start) / 1_000 }
            #expect(times == Array(stride(from: 0, through: 90, by: 10)))
        }
    }

    @Test(arguments: 0..<10) func aBulkheadIsNeverExceeded(seed: UInt64) async throws {
        let dependency = Dependency()
        var router = EventRouter()
        router.on(OrderPlaced.self, execution: .inline(maxConcurrent: 3)) { _, _ in
            dependency.enter()
            for _ in 0..<3 { await Task.yield() }
            dependency.leave()
        }
        let service = EventService("inventory", router: router, configuration: ServiceConfiguration(environment: [:]))
        try await service.test(.simulated(seed: seed)) { world in
            try await world.give((0..<60).map { OrderPlaced(order: "\($0)") })
            #expect(try await world.attempts().count == 60)
        }
        #expect(dependency.most == 3)
    }
}
