// Exactly-once: what readers of committed records see, over failures, kills, rebalances and fencing.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka), .timeLimit(.minutes(5)))
struct ExactlyOnceTests {
    /// Publishes one event for each, after failures that the number of the event decides.
    private func router(_ successes: Successes = Successes()) -> EventRouter {
        var router = EventRouter(retry: .fixed(.milliseconds(50), maxRetries: 2))
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, context in
            if placed.number % 50 == 7 { throw Failure(description: "never") }
            if placed.number % 10 == 3, context.attempt == 1 { throw Failure(description: "not yet") }
            if placed.number % 5 == 0 { try await Task.sleep(for: .milliseconds(1)) }
            successes.add(placed.number)
            return Reserved(order: placed.order, number: placed.number)
        }
        return router
    }

    final class Successes: Sendable {
        private let numbers = Mutex<[Int: Int]>([:])
        func add(_ number: Int) { numbers.withLock { $0[number, default: 0] += 1 } }
        var count: Int { numbers.withLock { $0.count } }
        var most: Int { numbers.withLock { $0.values.max() ?? 0 } }
    }

    private func space(partitions: Int = 4, instance: String? = nil) async throws -> TestSpace {
        try await TestSpace(partitions: partitions) {
            $0.delivery = .exactlyOnce
            $0.inPlaceRetryLimit = .zero
            $0.instance = instance
            $0.kafka.properties["session.timeout.ms"] = "6000"
        }
    }

    /// What was published for `count` events must be there once each, and each poison once in the dead-letter topic.
    private func expectOnce(_ count: Int, in space: TestSpace) async throws {
        let poison = (0..<count).filter { $0 % 50 == 7 }
        let letters = try await TestCluster.readAll("\(space.namespace)stock.placed.dlt")
        let published = try await TestCluster.readAll(space.name(Reserved.topic))
        #expect(published.count == count - poison.count, "in \(space.namespace)")
        #expect(Set(published.compactMap { $0.header("ce_id") }).count == count - poison.count)
        #expect(letters.count == poison.count)
        #expect(Set(letters.compactMap { $0.header("ce_id") }).count == poison.count)
    }

    /// Waits until what `count` events lead to is there; whether it is there once is seen when the service has stopped.
    private func waitForAll(_ count: Int, in space: TestSpace) async throws {
        let poison = (0..<count).filter { $0 % 50 == 7 }.count
        let deadline = ContinuousClock.now + .seconds(90)
        while true {
            // A broker that is away for a moment is asked again.
            let letters = (try? await TestCluster.readAll("\(space.namespace)stock.placed.dlt").count) ?? 0
            let published = (try? await TestCluster.readAll(space.name(Reserved.topic)).count) ?? 0
            if letters >= poison, published >= count - poison { return }
            guard ContinuousClock.now < deadline else {
                throw TimedOut(topic: "all of \(space.namespace)", count: published)
            }
            // The tests beside this one need the broker too.
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func messages(_ range: Range<Int>, in space: TestSpace) -> [KafkaMessage] {
        range.map { space.placed("order-\($0 % 40)", number: $0, id: "e\($0)") }
    }

    @Test func eachEventIsPublishedOnceThroughRetriesAndLetters() async throws {
        let space = try await space()
        let service = space.service("stock", router: router())
        try await TestCluster.produce(messages(0..<500, in: space))
        try await withService(service) {
            try await wait(for: "all to be done") { service.status.published + service.status.deadLettered == 500 }
        }
        try await expectOnce(500, in: space)
    }

    @Test func whatWasDoneIsNotDoneAgainByTheNextInstance() async throws {
        let space = try await space()
        let successes = Successes()
        try await TestCluster.produce(messages(0..<300, in: space))
        let first = space.service("stock", router: router(successes))
        try await withService(first) {
            try await wait(for: "some to be done") { first.status.handled >= 100 }
        }
        let second = space.service("stock", router: router(successes))
        try await withService(second) {
            try await waitForAll(300, in: space)
        }
        // A stop in order commits what was done, and each of the others succeeds once.
        #expect(successes.count == 294)
        #expect(successes.most == 1)
        try await expectOnce(300, in: space)
    }

    @Test func instancesStoppedAtOnceUnderLoadLeaveNothingTwiceAndNothingOut() async throws {
        let space = try await space(instance: "one")
        let feeding = Task {
            for start in stride(from: 0, to: 3_000, by: 100) {
                try await TestCluster.produce(messages(start..<(start + 100), in: space))
            }
        }
        for round in 0..<5 {
            let service = space.service("stock", router: router())
            let running = Task { try await service.run() }
            try await wait(for: "round \(round) to have work under way") {
                service.status.handled > 50 && service.status.inFlight > 0
            }
            service.stopAtOnce()
            try await running.value
        }
        try await feeding.value
        let last = space.service("stock", router: router())
        try await withService(last) {
            try await waitForAll(3_000, in: space)
        }
        try await expectOnce(3_000, in: space)
    }

    @Test func aRebalanceInTheMiddleOfTransactionsLeavesNothingTwiceAndNothingOut() async throws {
        let space = try await space(partitions: 6)
        let first = space.service("stock", router: router())
        let second = space.service("stock", router: router())
        try await TestCluster.produce(messages(0..<1_000, in: space))
        try await withService(first) {
            try await wait(for: "the first to work") { first.status.handled > 0 }
            try await withService(second) {
                try await wait(for: "both to own partitions") { second.status.partitions > 0 }
                try await TestCluster.produce(messages(1_000..<2_000, in: space))
                try await wait(for: "the second to work") { second.status.handled > 0 }
            }
            try await TestCluster.produce(messages(2_000..<3_000, in: space))
            try await wait(for: "the first to own all again") { first.status.partitions == 12 }
            try await waitForAll(3_000, in: space)
        }
        try await expectOnce(3_000, in: space)
    }

    @Test func aFencedInstanceGoesBackToWhatIsCommittedAndGoesOn() async throws {
        let space = try await space(instance: "twin")
        let service = space.service("stock", router: router())
        try await TestCluster.produce(messages(0..<200, in: space))
        try await withService(service) {
            try await wait(for: "some work") { service.status.handled > 100 }
            for round in 1...3 {
                // Somebody takes the transactional id away, while there is work to do.
                try await TestCluster.produce(messages((200 * round)..<(200 * round + 200), in: space))
                let thief = try await space.transactionalProducer("stock.twin")
                await thief.shutdown()
                let before = service.status.handled
                try await wait(for: "work after the fencing") {
                    service.status.handled > before || service.status.lag == 0
                }
            }
            try await waitForAll(800, in: space)
        }
        try await expectOnce(800, in: space)
    }

    @Test func theEmbeddedBrokerIsRefusedWithTheReason() async throws {
        let broker = try EmbeddedBroker()
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.tracking = .off
        configuration.delivery = .exactlyOnce
        configuration.logger = Logger(label: "test", level: .critical, handler: SilentLogHandler())
        let service = EventService("stock", router: router(), configuration: configuration)
        await #expect(throws: KafkaError.self) { try await service.run() }
    }
}
