// What a simulation shows of kills and duplicates.

import Testing
import Troupe
import TroupeTesting

@Suite struct SimulatedFaultTests {
    @Test func redeliveryPublishesTheSameIds() async throws {
        let handled = Tally()
        let service = inventory { order, _ in
            handled.add(order.order)
            return StockReserved(order: order.order, quantity: order.quantity)
        }
        try await service.test(.simulated) { world in
            try await world.give([OrderPlaced(order: "1"), OrderPlaced(order: "2")])
            let before = try await world.published(StockReserved.self)
            try await world.crash()
            let after = try await world.published(StockReserved.self)
            #expect(before.count == 2)
            #expect(after.count == 4)
            #expect(Set(after.map(\.envelope.id)) == Set(before.map(\.envelope.id)))
            #expect(Set(after.map(\.envelope.id)).count == 2)
            #expect(handled["1"] == 2)
            #expect(handled["2"] == 2)
        }
    }

    @Test func whatIsCommittedIsNotHandledAgain() async throws {
        let service = inventory(configuration: configuration { $0.engine.commitInterval = .seconds(1) })
        try await service.test(.simulated) { world in
            try await world.give(OrderPlaced(order: "1"))
            try await world.advance(by: .seconds(1))
            try await world.give(OrderPlaced(order: "2"))
            #expect(try await world.published().count == 2)
            try await world.crash("inventory")
            #expect(try await world.published(StockReserved.self).map(\.order) == ["1", "2", "2"])
            try await world.crash("another")
            #expect(try await world.published().count == 3)
        }
    }

    @Test func aKilledServiceLosesNothingWhateverTheMoment() async throws {
        var crashes = 0
        for seed in 0..<50 as Range<UInt64> {
            let handled = Tally()
            var router = EventRouter(retry: .fixed(.seconds(2), maxRetries: 3))
            router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, context in
                await Task.yield()
                if order.quantity % 7 == 0, context.attempt == 1 { throw Outage() }
                handled.add(order.order)
                return StockReserved(order: order.order, quantity: order.quantity)
            }
            let service = EventService("inventory", router: router, configuration: configuration())
            let faults = SimulatedFaults(crashes: 0.01, duplicates: 0.05)
            try await service.test(.simulated(seed: seed, faults: faults)) { world in
                let given = try await world.give((0..<30).map { OrderPlaced(order: "\($0)", quantity: $0) })
                try await world.advance(by: .seconds(10))
                let reserved = try await world.published(StockReserved.self)
                #expect(Set(reserved.map { $0.envelope.causationID ?? "" }) == Set(given.map(\.id)))
                #expect(Set(reserved.map(\.envelope.id)).count == 30)
                #expect(try await world.deadLetters().isEmpty)
                #expect(try await world.retrying().isEmpty)
                #expect((0..<30).allSatisfy { handled["\($0)"] >= 1 })
                crashes += handled.all.count > 30 ? 1 : 0
            }
        }
        #expect(crashes > 10)
    }

    @Test func oneSeedRepeatsEverythingIncludingItsFaults() async throws {
        func story(seed: UInt64) async throws -> [String] {
            let service = inventory(retry: .exponential(initial: .milliseconds(10), maxRetries: 2, jitter: 1)) {
                order, context in
                await Task.yield()
                if order.quantity % 3 == 0, context.attempt == 1 { throw Outage() }
                return StockReserved(order: order.order, quantity: order.quantity)
            }
            let faults = SimulatedFaults(crashes: 0.02, duplicates: 0.1)
            return try await [service, payments()].test(.simulated(seed: seed, faults: faults)) { world in
                try await world.give((0..<20).map { OrderPlaced(order: "\($0 % 5)", quantity: $0) })
                try await world.advance(by: .seconds(1))
                return try await world.attempts().map {
                    "\($0.service) \($0.envelope.id) \($0.number) \($0.time) \($0.succeeded)"
                }
            }
        }
        var stories: Set<[String]> = []
        for seed in 0..<10 as Range<UInt64> {
            let first = try await story(seed: seed)
            #expect(first.count > 40)
            for _ in 0..<3 { #expect(try await story(seed: seed) == first) }
            stories.insert(first)
        }
        #expect(stories.count == 10)
    }

    @Test func anEventGivenTwiceWithOneKeyHasOneId() async throws {
        try await inventory().test(.simulated) { world in
            let first = try await world.give(OrderPlaced(order: "1"), idempotencyKey: "click-1")
            let second = try await world.give(OrderPlaced(order: "1"), idempotencyKey: "click-1")
            #expect(first.id == second.id)
            let reserved = try await world.published(StockReserved.self)
            #expect(reserved.count == 2)
            #expect(Set(reserved.map(\.envelope.id)).count == 1)
        }
    }
}
