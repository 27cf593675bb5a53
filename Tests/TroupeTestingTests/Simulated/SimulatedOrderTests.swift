// What a simulation shows of order: through the retry topic, over kills, and as the engine's settings say.

import Testing
import Troupe
import TroupeTesting

@Suite struct SimulatedOrderTests {
    /// A service whose first attempt at each quantity in `failing` fails, and which notes every attempt.
    private func service(
        _ attempts: Tally, failing: Set<Int>, change: (inout ServiceConfiguration) -> Void = { _ in }
    ) -> EventService {
        inventory(retry: .fixed(.seconds(5), maxRetries: 3), configuration: configuration(change)) { order, context in
            attempts.add("\(order.order)\(order.quantity)")
            if failing.contains(order.quantity), context.attempt == 1 { throw Outage() }
            return StockReserved(order: order.order, quantity: order.quantity)
        }
    }

    private func orders(_ order: String, _ quantities: ClosedRange<Int>) -> [OrderPlaced] {
        quantities.map { OrderPlaced(order: order, quantity: $0) }
    }

    @Test func laterEventsOfAKeyFollowAFailedOneAndOtherKeysGoOn() async throws {
        for seed in 0..<20 as Range<UInt64> {
            let attempts = Tally()
            try await service(attempts, failing: [1]).test(.simulated(seed: seed)) { world in
                try await world.give(orders("a", 1...4) + orders("b", 2...4))
                #expect(try await world.published(StockReserved.self).map(\.order) == ["b", "b", "b"])
                // Those that follow have not failed.
                #expect(try await world.retrying().map(\.attempts) == [1])
                try await world.advance(by: .seconds(5))
                let reserved = try await world.published(StockReserved.self)
                #expect(reserved.filter { $0.order == "a" }.map(\.quantity) == [1, 2, 3, 4])
                #expect(attempts.all.filter { $0.hasPrefix("a") } == ["a1", "a1", "a2", "a3", "a4"])
                #expect(try await world.retrying().isEmpty)
            }
        }
    }

    @Test func relaxedOrderLetsLaterEventsPass() async throws {
        let attempts = Tally()
        try await service(attempts, failing: [1]) { $0.engine.retryOrdering = .relaxed }.test(.simulated) { world in
            try await world.give(orders("a", 1...3))
            #expect(try await world.published(StockReserved.self).map(\.quantity) == [2, 3])
            try await world.advance(by: .seconds(5))
            #expect(attempts.all == ["a1", "a2", "a3", "a1"])
        }
    }

    @Test func aKeyIsHandledWhereItWasPublishedOnceItsRetriesAreCommitted() async throws {
        let attempts = Tally()
        try await service(attempts, failing: [1, 3]).test(.simulated) { world in
            try await world.give(orders("a", 1...2))
            try await world.advance(by: .seconds(5))
            #expect(try await world.published().count == 2)
            // Done, and committed by now.
            try await world.advance(by: .seconds(1))
            try await world.give(orders("a", 3...3))
            // It failed in its own partition and waits for its time; a follower would have been tried again in place.
            #expect(try await world.retrying().map(\.isInRetryTopic) == [true])
            try await world.advance(by: .seconds(5))
            #expect(attempts.all == ["a1", "a1", "a2", "a3", "a3"])
        }
    }

    @Test func aDeadLetterLetsItsKeyGoOn() async throws {
        let attempts = Tally()
        let service = inventory(retry: .fixed(.seconds(5), maxRetries: 1)) { order, _ in
            attempts.add("\(order.order)\(order.quantity)")
            if order.quantity == 1 { throw Outage() }
            return StockReserved(order: order.order, quantity: order.quantity)
        }
        try await service.test(.simulated) { world in
            try await world.give(orders("a", 1...3))
            try await world.advance(by: .seconds(5))
            #expect(try await world.deadLetters().map(\.reason) == [.retriesExhausted])
            #expect(attempts.all == ["a1", "a1", "a2", "a3"])
        }
    }

    @Test func aCrashDoesNotRepeatWhatWasCommittedOutOfOrder() async throws {
        let attempts = Tally()
        let service = inventory(
            retry: .fixed(.seconds(60), maxRetries: 3),
            configuration: configuration { $0.inPlaceRetryLimit = .seconds(60) }
        ) { order, context in
            attempts.add("\(order.order)\(order.quantity)")
            if order.order == "stuck", context.attempt == 1 { throw Outage() }
            return StockReserved(order: order.order, quantity: order.quantity)
        }
        try await service.test(.simulated.partitions(1)) { world in
            // It waits in place, in front of all the others.
            try await world.give(orders("stuck", 0...0) + orders("a", 1...3))
            try await world.advance(by: .seconds(1))
            try await world.give(orders("a", 4...4))
            try await world.settled()
            #expect(attempts.all.filter { $0 != "stuck0" } == ["a1", "a2", "a3", "a4"])
            try await world.crash()
            // What had not been committed is handled again, and nothing else.
            #expect(try await world.published(StockReserved.self).map(\.quantity) == [1, 2, 3, 4, 4])
            #expect(attempts["stuck0"] == 2)
            #expect(try await world.retrying().map(\.attempts) == [1])
        }
    }

    @Test func aRestartedServiceKeepsTheOrderOfWhatWaits() async throws {
        for seed in 0..<20 as Range<UInt64> {
            let attempts = Tally()
            try await service(attempts, failing: [1]).test(.simulated(seed: seed)) { world in
                try await world.give(orders("a", 1...3))
                // The redirects are committed, so only the retry topic tells that the key waits.
                try await world.advance(by: .seconds(1))
                try await world.crash()
                try await world.give(orders("a", 4...4))
                #expect(try await world.published().isEmpty)
                try await world.advance(by: .seconds(5))
                #expect(try await world.published(StockReserved.self).map(\.quantity) == [1, 2, 3, 4])
                #expect(attempts.all == ["a1", "a1", "a2", "a3", "a4"])
            }
        }
    }

    @Test func noFirstAttemptComesBeforeAnEarlierEventsEndWhateverCrashes() async throws {
        var redeliveries = 0
        for seed in 0..<50 as Range<UInt64> {
            let attempts = Tally()
            let service = inventory(retry: .fixed(.seconds(2), maxRetries: 3)) { order, context in
                await Task.yield()
                attempts.add("\(order.quantity)")
                if order.quantity % 5 == 0, context.attempt == 1 { throw Outage() }
                return StockReserved(order: order.order, quantity: order.quantity)
            }
            let faults = SimulatedFaults(crashes: 0.02)
            try await service.test(.simulated(seed: seed, faults: faults)) { world in
                for round in 0..<4 {
                    try await world.give(
                        (0..<10).map { OrderPlaced(order: "key-\($0 % 2)", quantity: round * 10 + $0) })
                    try await world.advance(by: .milliseconds(700))
                }
                try await world.advance(by: .seconds(60))
                #expect(try await world.retrying().isEmpty)
                #expect(try await world.deadLetters().isEmpty)
                let runs = try await world.attempts()
                let places = Dictionary(
                    try await world.published(StockReserved.self).map { ($0.envelope.causationID ?? "", $0.quantity) },
                    uniquingKeysWith: { first, _ in first })
                for key in 0..<2 {
                    var ended: Set<Int> = []
                    for run in runs {
                        guard let number = places[run.envelope.id], number % 2 == key else { continue }
                        let earlier = stride(from: key, to: number, by: 2)
                        #expect(earlier.allSatisfy(ended.contains), "seed \(seed): \(number) came too early")
                        if run.succeeded { ended.insert(number) }
                    }
                    #expect(ended == Set(stride(from: key, to: 40, by: 2)), "seed \(seed)")
                }
                redeliveries += attempts.all.count > 48 ? 1 : 0
            }
        }
        #expect(redeliveries > 10)
    }

    @Test func aPartitionsOrderMakesAllOfItFollow() async throws {
        let attempts = Tally()
        let service = service(attempts, failing: [1]) { $0.engine.ordering = .byPartition }
        try await service.test(.simulated.partitions(1)) { world in
            try await world.give(orders("a", 1...1) + orders("b", 2...2) + orders("c", 3...3))
            try await world.settled()
            #expect(attempts.all == ["a1"])
            try await world.advance(by: .seconds(5))
            #expect(attempts.all == ["a1", "a1", "b2", "c3"])
        }
    }

    @Test func withoutOrderNothingFollows() async throws {
        let attempts = Tally()
        let service = service(attempts, failing: [1]) { $0.engine.ordering = .none }
        try await service.test(.simulated) { world in
            try await world.give(orders("a", 1...3))
            #expect(Set(try await world.published(StockReserved.self).map(\.quantity)) == [2, 3])
            try await world.advance(by: .seconds(5))
            #expect(Set(try await world.published(StockReserved.self).map(\.quantity)) == [1, 2, 3])
            #expect(attempts.all.count == 4)
        }
    }
}
