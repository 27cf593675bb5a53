// What a simulation shows of retries and time limits: exact virtual times.

import Testing
import Troupe
import TroupeTesting

@Suite struct SimulatedTimeTests {
    private func times(_ attempts: [HandlingAttempt], since start: Int64) -> [Int64] {
        attempts.map { $0.time - start }
    }

    @Test func shortDelaysAreWaitedForInPlaceAndNeverEarly() async throws {
        let service = inventory(retry: .fixed(.milliseconds(400), maxRetries: 2)) { order, context in
            if context.attempt < 3 { throw Outage() }
            return StockReserved(order: order.order, quantity: context.attempt)
        }
        try await service.test(.simulated) { world in
            let start = world.now
            try await world.give(OrderPlaced(order: "1"))
            let waiting = try await world.retrying()
            #expect(waiting.map(\.due) == [start + 400])
            #expect(waiting.map(\.attempts) == [1])
            #expect(waiting.map(\.isInRetryTopic) == [false])
            #expect(waiting.first?.errorMessage == "The warehouse is down")
            await #expect(throws: Never.self) { try await world.advance(by: .milliseconds(399)) }
            #expect(try await world.attempts().count == 1)
            try await world.advance(by: .milliseconds(1))
            #expect(try await world.attempts().count == 2)
            try await world.advance(by: .seconds(60))
            #expect(times(try await world.attempts(), since: start) == [0, 400, 800])
            #expect(try await world.published(StockReserved.self).map(\.quantity) == [3])
            #expect(try await world.retrying().isEmpty)
            #expect(world.now == start + 60_400)
        }
    }

    @Test func longDelaysGoThroughTheRetryTopicAndNeverEarly() async throws {
        let service = inventory(
            retry: .exponential(initial: .seconds(2), multiplier: 2, maxDelay: .seconds(60), maxRetries: 3, jitter: 0)
        ) { order, context in
            if context.attempt < 4 { throw Outage() }
            return StockReserved(order: order.order, quantity: context.attempt)
        }
        try await service.test(.simulated) { world in
            let start = world.now
            let given = try await world.give(OrderPlaced(order: "1"))
            let waiting = try await world.retrying()
            #expect(waiting.map(\.due) == [start + 2_000])
            #expect(waiting.map(\.isInRetryTopic) == [true])
            #expect(waiting.map(\.topic) == ["orders"])
            #expect(waiting.first?.envelope?.id == given.id)
            try await world.advance(by: .milliseconds(1_999))
            #expect(try await world.attempts().count == 1)
            try await world.advance(by: .milliseconds(1))
            // In the retry topic a failure is held in place.
            let again = try await world.retrying()
            #expect(again.map(\.due) == [start + 6_000])
            #expect(again.map(\.attempts) == [2])
            #expect(again.map(\.isInRetryTopic) == [true])
            try await world.advance(by: .seconds(3_600))
            #expect(times(try await world.attempts(), since: start) == [0, 2_000, 6_000, 14_000])
            let reserved = try await world.published(StockReserved.self)
            #expect(reserved.map(\.quantity) == [4])
            #expect(reserved.first?.envelope.causationID == given.id)
            #expect(try await world.deadLetters().isEmpty)
        }
    }

    @Test func exhaustedRetriesAreDeadLetteredWithTheirAttempts() async throws {
        let service = inventory(retry: .fixed(.seconds(5), maxRetries: 2)) { _, _ in throw Outage() }
        try await service.test(.simulated) { world in
            let start = world.now
            let given = try await world.give(OrderPlaced(order: "1", quantity: 7))
            #expect(try await world.deadLetters().isEmpty)
            try await world.advance(by: .seconds(10))
            let letters = try await world.deadLetters()
            #expect(letters.map(\.reason) == [.retriesExhausted])
            #expect(letters.map(\.attempts) == [3])
            #expect(letters.map(\.service) == ["inventory"])
            #expect(letters.first?.errorType.hasSuffix("Outage") == true)
            #expect(letters.first?.errorMessage == "The warehouse is down")
            #expect(letters.first?.firstFailedAt == start)
            #expect(letters.first?.envelope?.id == given.id)
            #expect(try letters.first?.event(OrderPlaced.self) == OrderPlaced(order: "1", quantity: 7))
            #expect(try await world.retrying().isEmpty)
            #expect(try await world.published().isEmpty)
        }
    }

    @Test func errorsThatAreNotRetriedAreDeadLetteredAtOnce() async throws {
        let service = inventory(retry: .standard.notRetrying(InvalidOrder.self)) { _, _ in throw InvalidOrder() }
        try await service.test(.simulated) { world in
            try await world.give(OrderPlaced(order: "1"))
            #expect(try await world.deadLetters().map(\.reason) == [.notRetryable])
            #expect(try await world.attempts().count == 1)
        }
    }

    @Test func ignoredErrorsLeaveNothingBehind() async throws {
        let service = inventory(retry: .standard.ignoring(Outage.self)) { _, _ in throw Outage() }
        try await service.test(.simulated) { world in
            try await world.give(OrderPlaced(order: "1"))
            #expect(try await world.attempts().map(\.succeeded) == [false])
            #expect(try await world.deadLetters().isEmpty)
            #expect(try await world.retrying().isEmpty)
        }
    }

    @Test func anEventThatWaitsInPlaceHoldsItsKeyAndNoOther() async throws {
        let service = inventory(retry: .fixed(.milliseconds(500), maxRetries: 1)) { order, context in
            if order.quantity == 1, context.attempt == 1 { throw Outage() }
            return StockReserved(order: order.order, quantity: order.quantity)
        }
        try await service.test(.simulated) { world in
            try await world.give([
                OrderPlaced(order: "a", quantity: 1), OrderPlaced(order: "a", quantity: 2),
                OrderPlaced(order: "b", quantity: 3),
            ])
            #expect(try await world.published(StockReserved.self).map(\.quantity) == [3])
            try await world.advance(by: .milliseconds(500))
            #expect(try await world.published(StockReserved.self).map(\.quantity) == [3, 1, 2])
        }
    }

    @Test func replayedLettersAreHandledByTheServiceThatFailed() async throws {
        let fixed = Tally()
        let service = inventory { order, context in
            guard fixed["fix"] > 0 else { throw Outage() }
            return StockReserved(order: order.order, quantity: context.replayCount)
        }
        try await service.test(.simulated) { world in
            let given = try await world.give(OrderPlaced(order: "1"))
            let letter = try #require(try await world.deadLetters().first)
            fixed.add("fix")
            try await world.replay(letter)
            let reserved = try await world.published(StockReserved.self)
            #expect(reserved.map(\.quantity) == [1])
            #expect(reserved.first?.envelope.correlationID == given.id)
            #expect(try await world.deadLetters().count == 1)
        }
    }

    // By the real clock this would take ten hours.
    @Test(.timeLimit(.minutes(5))) func timeLimitsEndByTheVirtualClock() async throws {
        var router = EventRouter(retry: .never)
        router.on(OrderPlaced.self, timeLimit: .seconds(36_000)) { _, _ in try await Task.sleep(for: .seconds(86_400)) }
        let service = EventService("slow", router: router, configuration: configuration())
        try await service.test(.simulated) { world in
            try await world.give(OrderPlaced(order: "1"))
            try await world.advance(by: .seconds(35_999))
            try await world.advance(by: .seconds(1))
            let letters = try await world.deadLetters()
            #expect(letters.count == 1)
            #expect(letters.first?.errorType.hasSuffix("HandlerTimedOut") == true)
        }
    }

    @Test func aHandlerWithinItsTimeLimitIsNotDisturbed() async throws {
        var router = EventRouter(timeLimit: .seconds(30))
        router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, _ in
            await Task.yield()
            return StockReserved(order: order.order, quantity: 1)
        }
        let service = EventService("quick", router: router, configuration: configuration())
        try await service.test(.simulated) { world in
            for number in 0..<20 { try await world.give(OrderPlaced(order: "\(number)")) }
            #expect(try await world.published(StockReserved.self).count == 20)
            try await world.advance(by: .seconds(60))
            #expect(try await world.deadLetters().isEmpty)
        }
    }
}
