// A fallback: when it runs, what it may publish, and what its failure means.

import KafkaClient
import Synchronization
import Testing

@testable import Troupe

@Suite struct FallbackTests {
    private struct Down: Error {}
    private struct FallbackDown: Error {}

    /// The names of the errors that the fallback was given.
    private final class Noted: Sendable {
        private let errors = Mutex<[String]>([])
        func add(_ error: any Error) { errors.withLock { $0.append("\(type(of: error))") } }
        var all: [String] { errors.withLock { $0 } }
    }

    private func processor(
        retry: RetryPolicy, fails: Bool = false, _ noted: Noted,
        _ handler: @escaping EventRouter.Handler<OrderPlaced, StockReserved> = { _, _ in throw Down() }
    ) throws -> RecordProcessor {
        var router = EventRouter(retry: retry)
        router.on(
            OrderPlaced.self, publishes: .one(StockReserved.self),
            fallback: { order, _, error in
                noted.add(error)
                if fails { throw FallbackDown() }
                return StockReserved(orderID: order.orderID)
            }, handler)
        return try RecordProcessor(service: "inventory", router: router, settings: .fixed())
    }

    @Test func itRunsAfterTheLastAttemptAndNotBefore() async throws {
        let noted = Noted()
        let processor = try processor(retry: .fixed(.seconds(1), maxRetries: 2), noted)
        for attempt in 1...2 {
            await #expect(throws: Down.self) { try await processor.run(eventRecord(), attempt: attempt) }
        }
        #expect(noted.all.isEmpty)
        #expect(try await processor.run(eventRecord(), attempt: 3).count == 1)
        #expect(noted.all == ["Down"])
    }

    @Test func itsEventsHaveTheIdsThatTheHandlersWouldHave() async throws {
        let noted = Noted()
        let failing = try processor(retry: .never, noted)
        let succeeding = try processor(retry: .never, noted) { order, _ in StockReserved(orderID: order.orderID) }
        let fallen = try await failing.run(eventRecord())
        let handled = try await succeeding.run(eventRecord())
        #expect(fallen.map { $0.header("ce_id") } == handled.map { $0.header("ce_id") })
        #expect(fallen.count == 1 && fallen[0].header("ce_id") != nil)
        #expect(noted.all == ["Down"])
    }

    @Test func itRunsWhenThePolicyDoesNotRetryTheError() async throws {
        let noted = Noted()
        let processor = try processor(retry: .standard.notRetrying(Down.self), noted)
        #expect(try await processor.run(eventRecord()).count == 1)
        #expect(noted.all == ["Down"])
    }

    @Test func whenItFailsTooTheHandlersErrorStands() async throws {
        let noted = Noted()
        let processor = try processor(retry: .never, fails: true, noted)
        await #expect(throws: Down.self) { try await processor.run(eventRecord()) }
        #expect(noted.all == ["Down"])
    }

    @Test func whatCannotBeReadHasNoFallback() async throws {
        let noted = Noted()
        let processor = try processor(retry: .never, noted)
        await #expect(throws: DecodeFailure.self) { try await processor.run(eventRecord(value: "no JSON")) }
        #expect(noted.all.isEmpty)
    }

    @Test func anIgnoredErrorStaysIgnored() async throws {
        let noted = Noted()
        let processor = try processor(retry: .never.ignoring(Down.self), noted)
        await #expect(throws: Down.self) { try await processor.run(eventRecord()) }
        #expect(noted.all.isEmpty)
    }

    /// Counts handlings, and lets them through.
    private struct Counting: EventMiddleware {
        let noted: Noted
        func handle(_ context: EventContext, next: @escaping Next) async throws {
            noted.add(FallbackDown())
            try await next(context)
        }
    }

    @Test func middlewareIsAroundAHandlerThatHasAFallback() async throws {
        let (noted, counted) = (Noted(), Noted())
        var router = EventRouter(retry: .never)
        router.on(OrderPlaced.self, fallback: { _, _, error in noted.add(error) }) { _, _ in throw Down() }
        let processor = try RecordProcessor(
            service: "inventory", router: router,
            settings: .fixed { $0.middleware = [Counting(noted: counted)] })
        #expect(try await processor.run(eventRecord()).isEmpty)
        #expect(noted.all == ["Down"])
        #expect(counted.all.count == 1)
    }

    @Test func aFallbackIsAFailureToTheCircuit() async throws {
        let noted = Noted()
        let processor = try processor(retry: .never, noted)
        let handling = try processor.classify(eventRecord()).handling()
        let outcome = try await processor.handleOrFallBack(handling, attempt: 1, firstFailedAt: nil)
        #expect(outcome.messages.count == 1)
        let failure = try #require(outcome.failure)
        #expect(processor.callOutcome(of: failure, handling) == .failed)
    }

    @Test func whatThePolicyWouldNotRetrySaysNothingOfADependency() throws {
        let policy = RetryPolicy.standard.notRetrying(InvalidOrder.self).ignoring(FallbackDown.self)
        let processor = try processor(retry: policy, Noted())
        let handling = try processor.classify(eventRecord()).handling()
        #expect(processor.callOutcome(of: InvalidOrder(), handling) == .irrelevant)
        #expect(processor.callOutcome(of: FallbackDown(), handling) == .irrelevant)
        #expect(processor.callOutcome(of: DecodeFailure(type: "a", underlying: Down()), handling) == .irrelevant)
        #expect(processor.callOutcome(of: Down(), handling) == .failed)
        #expect(processor.callOutcome(of: HandlerTimedOut(route: "a", limit: .seconds(1)), handling) == .failed)
    }
}
