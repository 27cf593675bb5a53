// What a failing dependency costs: circuit breakers, rate limits and fallbacks in a running service.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct ResilienceTests {
    /// Something that handlers call and that may be down.
    final class Dependency: Sendable {
        private let state = Mutex((isUp: false, calls: 0, failures: 0))

        func call() throws {
            try state.withLock {
                $0.calls += 1
                guard $0.isUp else {
                    $0.failures += 1
                    throw Failure(description: "connection refused")
                }
            }
        }

        func comeUp() { state.withLock { $0.isUp = true } }
        var calls: Int { state.withLock { $0.calls } }
        var failures: Int { state.withLock { $0.failures } }
    }

    private func reserved(_ space: TestSpace, _ number: Int) -> KafkaMessage {
        var message = space.placed("r\(number)", number: number)
        message.topic = space.name(Reserved.topic)
        message.headers.removeAll { $0.name == "ce_type" }
        message.headers.append(KafkaHeader("ce_type", Reserved.type.rawValue))
        return message
    }

    @Test func anEventThatComesWhileTheCircuitIsOpenWaits() async throws {
        let space = try await TestSpace(partitions: 1)
        let dependency = Dependency()
        var router = EventRouter(retry: .never)
        router.on(
            Placed.self,
            circuitBreaker: CircuitBreaker(window: 10, minimumCalls: 5, openDuration: .seconds(1_000), probes: 1)
        ) { _, _ in try dependency.call() }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<5).map { space.placed("k\($0)") })
        try await withService(service) {
            try await wait(for: "five letters") { service.status.deadLettered == 5 }
            #expect(service.status.routes.first?.circuit == .open)
            // Nothing waits yet that could hold it up.
            #expect(service.status.routes.first?.waiting == 0)
            try await TestCluster.produce([space.placed("late")])
            try await wait(for: "the late one to wait") { service.status.routes.first?.waiting == 1 }
            #expect(dependency.calls == 5)
        }
        #expect(service.status.deadLettered == 5)
    }

    @Test func anOpenCircuitKeepsItsEventsWaitingAndLetsOtherRoutesGoOn() async throws {
        let log = CapturingLog()
        let space = try await TestSpace(partitions: 2) {
            $0.inPlaceRetryLimit = .zero
            $0.engine.maxRecordsInFlight = 128
            $0.engine.maxRetriesInFlight = 128
            $0.logger = Logger(label: "test", level: .info, handler: log)
        }
        let dependency = Dependency()
        let others = ExecutionTests.Counter()
        let order = Mutex<[String: [Int]]>([:])
        var router = EventRouter(retry: .fixed(.milliseconds(200), maxRetries: 1_000))
        router.on(
            Placed.self,
            circuitBreaker: CircuitBreaker(window: 10, minimumCalls: 5, openDuration: .milliseconds(300), probes: 1)
        ) { placed, _ in
            try dependency.call()
            order.withLock { $0[placed.order, default: []].append(placed.number) }
        }
        router.on(Reserved.self) { _, _ in others.add() }
        let service = space.service("stock", router: router)
        let count = 5_000
        try await TestCluster.produce((0..<count).map { space.placed("k\($0 % 50)", number: $0) })
        let begin = ContinuousClock.now
        var mostFailures = 0
        try await withService(service) {
            try await wait(for: "the circuit to be open") { service.status.routes.first?.circuit == .open }
            try await TestCluster.produce((0..<1_000).map { reserved(space, $0) })
            try await wait(for: "the other route's events") { others.value == 1_000 }
            // A few probes meanwhile.
            try await wait(for: "probes") { dependency.calls >= 9 }
            try await wait(for: "the status to tell of them") { service.status.handled == 1_000 }
            // Its share of what may be in flight, from the input and from the retry topic.
            #expect(service.status.routes.first?.inFlight ?? 0 <= 64 + 64)
            dependency.comeUp()
            // A few to open it and one each 300 ms.
            mostFailures = 50 + Int((ContinuousClock.now - begin) / .milliseconds(300))
            try await wait(for: "all to be handled") { service.status.handled == count + 1_000 }
            try await wait(for: "the circuit to be closed") { service.status.routes.first?.circuit == .closed }
        }
        // Not one for each event.
        #expect(dependency.failures <= min(mostFailures, count / 5))
        #expect(service.status.deadLettered == 0)
        for key in 0..<50 {
            #expect(order.withLock { $0["k\(key)"] } == Array(stride(from: key, to: count, by: 50)), "key \(key)")
        }
        #expect(log.lines.contains { $0.message.contains("is open") && $0.metadata[LogKey.route] == "test.placed" })
        #expect(log.lines.contains { $0.message.contains("is half open") })
        #expect(log.lines.contains { $0.message.contains("is closed") })
    }

    @Test func aRateLimitIsKeptAndLoosesNothing() async throws {
        let space = try await TestSpace(partitions: 4)
        let times = Mutex<[ContinuousClock.Instant]>([])
        var router = EventRouter()
        router.on(Placed.self, rateLimit: RateLimit(50, per: .seconds(1))) { _, _ in
            times.withLock { $0.append(.now) }
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<40).map { space.placed("k\($0)", number: $0) })
        try await withService(service) {
            try await wait(for: "all to be handled") { service.status.handled == 40 }
        }
        let seen = times.withLock { $0 }
        #expect(seen.count == 40)
        // 39 intervals of 20 ms; the first note may have come a little late, the last one never early.
        let took = try #require(seen.first).duration(to: try #require(seen.last))
        #expect(took > .milliseconds(700))
    }

    @Test func aFallbackTakesThePlaceOfADeadLetterAndPublishes() async throws {
        let space = try await TestSpace(partitions: 1)
        let others = Mutex<[Int]>([])
        var router = EventRouter(retry: .fixed(.milliseconds(1), maxRetries: 2))
        let attempts = ExecutionTests.Counter()
        router.on(
            Placed.self, publishes: .one(Reserved.self),
            fallback: { placed, context, error in
                #expect(error is Failure)
                #expect(context.attempt == 3)
                if placed.number == 1 { throw Failure(description: "the fallback too") }
                return Reserved(order: placed.order, number: -placed.number)
            }
        ) { placed, _ in
            attempts.add()
            throw Failure(description: "never")
        }
        router.on(Reserved.self) { reserved, _ in others.withLock { $0.append(reserved.number) } }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("a", number: 1), space.placed("b", number: 2)])
        try await withService(service) {
            try await wait(for: "one letter and what the fallback published") {
                service.status.deadLettered == 1 && service.status.handled == 2
            }
        }
        #expect(others.withLock { $0 } == [-2])
        #expect(attempts.value == 6)
        let letters = try await TestCluster.read(space.namespace + "stock.placed.dlt", count: 1)
        #expect(letters.first?.headers.last { $0.name == "troupe-error-message" }?.text == "never")
    }
}
