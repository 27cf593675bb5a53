// Starting, stopping, scaling and dying, on a real broker's protocol.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct LifeTests {
    @Test func stoppingFinishesWhatIsUnderWayAndTheNextInstanceGoesOnBehindIt() async throws {
        let space = try await TestSpace(partitions: 2)
        let seen = Mutex<[String: Int]>([:])
        let cancelled = Mutex(0)
        @Sendable func router() -> EventRouter {
            var router = EventRouter()
            router.on(Placed.self) { placed, context in
                do {
                    try await Task.sleep(for: .milliseconds(2))
                } catch {
                    cancelled.withLock { $0 += 1 }
                    throw error
                }
                seen.withLock { $0[context.eventID, default: 0] += 1 }
            }
            return router
        }
        try await TestCluster.produce((0..<400).map { space.placed("order-\($0 % 40)", number: $0) })
        let first = space.service("stock", router: router())
        try await withService(first) {
            try await wait(for: "some to be handled") { first.status.handled >= 50 }
        }
        #expect(first.status.inFlight == 0)
        #expect(cancelled.withLock { $0 } == 0, "what is under way may finish")
        let handledByFirst = seen.withLock { $0.count }
        #expect(handledByFirst == first.status.handled)
        let second = space.service("stock", router: router())
        try await withService(second) {
            try await wait(for: "all to be handled") { seen.withLock { $0.count } == 400 }
            try await wait(for: "nothing to be under way") { second.status.inFlight == 0 }
        }
        // A stop in order commits all that was done: nothing is handled twice.
        #expect(seen.withLock { $0.values.reduce(0, +) } == 400)
    }

    @Test func aSecondInstanceTakesPartitionsOverWithoutLoss() async throws {
        let space = try await TestSpace(partitions: 4)
        let seen = Mutex<[String: Int]>([:])
        @Sendable func router() -> EventRouter {
            var router = EventRouter()
            router.on(Placed.self) { placed, context in
                try await Task.sleep(for: .milliseconds(5))
                seen.withLock { $0[context.eventID, default: 0] += 1 }
            }
            return router
        }
        try await TestCluster.produce((0..<500).map { space.placed("order-\($0 % 50)", number: $0) })
        let first = space.service("stock", router: router())
        let second = space.service("stock", router: router())
        try await withService(first) {
            try await wait(for: "the first to work") { first.status.handled > 0 }
            try await withService(second) {
                try await wait(for: "both to own partitions") {
                    first.status.partitions > 0 && second.status.partitions > 0
                }
                try await TestCluster.produce((500..<1_000).map { space.placed("order-\($0 % 50)", number: $0) })
                try await wait(for: "all to be handled") { seen.withLock { $0.count } == 1_000 }
                try await wait(for: "both to have worked") { second.status.handled > 0 }
            }
        }
        // The embedded broker refuses commits while a member joins: what they were for may be handled again there.
        let handlings = seen.withLock { $0.values.reduce(0, +) }
        #expect(TestCluster.isKafka ? handlings == 1_000 : handlings >= 1_000)
    }

    /// The embedded broker refuses commits while a member joins.
    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func aRevocationWaitsForHandlersAndCommitsWhatTheyDid() async throws {
        let log = CapturingLog()
        let space = try await TestSpace(partitions: 2) {
            $0.logger = Logger(label: "test", level: .info, handler: log)
        }
        let gate = ExecutionTests.Gate()
        var router = EventRouter()
        router.on(Placed.self) { placed, _ in await gate.pass(placed.number) }
        func produce(_ numbers: Range<Int>) async throws {
            try await TestCluster.produce(
                numbers.map {
                    var message = space.placed("order-\($0)", number: $0)
                    message.partition = Int32($0 % 2)
                    return message
                })
        }
        let (first, second) = (space.service("stock", router: router), space.service("stock", router: router))
        try await produce(0..<2)
        try await withService(first) {
            try await wait(for: "both handlers to wait") { gate.current == 2 }
            try await withService(second) {
                try await wait(for: "the partitions to be asked back") {
                    log.lines.contains { $0.message == "Partitions revoked" }
                }
                gate.open()
                try await wait(for: "both to own partitions") {
                    first.status.partitions > 0 && second.status.partitions > 0
                }
                try await produce(2..<4)
                try await wait(for: "the later ones to be handled") { Set(gate.numbers).isSuperset(of: [2, 3]) }
            }
        }
        #expect(gate.numbers.sorted() == [0, 1, 2, 3])
        #expect(first.status.handled + second.status.handled == 4)
    }

    @Test func aHandlerThatOutlastsItsPartitionCountsForNothing() async throws {
        let space = try await TestSpace(partitions: 2) { $0.engine.drainTimeout = .milliseconds(300) }
        let gate = ExecutionTests.Gate()
        let calls = Mutex<(begun: [Int: Int], ended: Int)>(([:], 0))
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            let call = calls.withLock {
                $0.begun[placed.number, default: 0] += 1
                return $0.begun[placed.number] ?? 0
            }
            // The first owner's handlers wait, the next one's do not.
            if call == 1 { await gate.pass(placed.number) }
            calls.withLock { $0.ended += 1 }
            return Reserved(order: placed.order, number: placed.number)
        }
        let (first, second) = (space.service("stock", router: router), space.service("stock", router: router))
        try await TestCluster.produce(
            (0..<2).map {
                var message = space.placed("order-\($0)", number: $0)
                message.partition = Int32($0)
                return message
            })
        try await withService(first) {
            try await wait(for: "both handlers to wait") { gate.current == 2 }
            try await withService(second) {
                try await wait(for: "the next owner to have handled an event") { calls.withLock { $0.ended } > 0 }
                gate.open()
                try await wait(for: "all handlers to have ended") {
                    let (begun, ended) = calls.withLock { ($0.begun.values.reduce(0, +), $0.ended) }
                    return begun == ended && first.status.handled + second.status.handled >= 2
                        && first.status.inFlight + second.status.inFlight == 0
                }
            }
        }
        #expect(calls.withLock { $0.ended } > 2)
        // What the first owner's handler returned after its partition had gone was neither counted nor published.
        #expect(first.status.handled + second.status.handled == 2)
        #expect(try await TestCluster.readAll(space.name(Reserved.topic)).count == 2)
    }

    @Test func oneKeyIsHandledInOrderAndKeysSideBySide() async throws {
        let space = try await TestSpace(partitions: 1)
        let order = Mutex<[String: [Int]]>([:])
        let underWay = Mutex<(now: Int, most: Int)>((0, 0))
        var router = EventRouter()
        router.on(Placed.self) { placed, _ in
            underWay.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...3)))
            underWay.withLock { $0.now -= 1 }
            order.withLock { $0[placed.order, default: []].append(placed.number) }
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<600).map { space.placed("order-\($0 % 20)", number: $0) })
        try await withService(service) {
            try await wait(for: "all to be handled") { service.status.handled == 600 }
        }
        let seen = order.withLock { $0 }
        #expect(seen.count == 20)
        for (key, numbers) in seen { #expect(numbers == numbers.sorted(), "order of \(key)") }
        #expect(underWay.withLock { $0.most } > 1)
        #expect(underWay.withLock { $0.most } <= 20)
    }

    @Test func instancesThatStartTogetherShareTheTopicsTheyMake() async throws {
        let space = try await TestSpace(partitions: 1)
        var configuration = space.configuration
        configuration.namespace += "fresh."
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in Reserved(order: placed.order) }
        let services = (0..<6).map { _ in EventService("stock", router: router, configuration: configuration) }
        let running = services.map { service in Task { try await service.run() } }
        // A service that cannot start ends with its error, which is rethrown below.
        let failures = Count()
        for task in running { Task { if case .failure = await task.result { failures.add() } } }
        try await wait(for: "all to have started") {
            failures.value > 0 || services.allSatisfy { $0.status.phase == .running }
        }
        for task in running { task.cancel() }
        for task in running { try await task.value }
    }

    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func aTopicMadeAnewIsReadFromItsStart() async throws {
        let space = try await TestSpace(partitions: 1)
        let seen = Mutex<[Int]>([])
        var router = EventRouter()
        router.on(Placed.self) { placed, _ in seen.withLock { $0.append(placed.number) } }
        let service = space.service("stock", router: router)
        let topic = space.name(Placed.topic)
        let admin = try KafkaAdmin(space.configuration.kafka)
        try await TestCluster.produce((0..<10).map { space.placed("a", number: $0) })
        try await withService(service) {
            try await wait(for: "the first topic to be handled") { service.status.handled == 10 }
            try #require(try await admin.deleteTopics([topic])[topic]).get()
            var exists = true
            while exists {
                exists = try await admin.describeTopics([topic])[topic].map { (try? $0.get()) != nil } ?? false
            }
            try await TestCluster.makeTopic(topic, partitions: 1)
            try await TestCluster.produce((10..<15).map { space.placed("a", number: $0) })
            try await wait(for: "the second topic to be handled") { service.status.handled == 15 }
        }
        #expect(seen.withLock { $0 } == Array(0..<15))
    }

    @Test func aMissingTopicUnderVerifyIsNamedWithItsRoute() async throws {
        var configuration = ServiceConfiguration(kafka: try TestCluster.configuration, environment: [:])
        configuration.tracking = .off
        configuration.namespace = "missing\(TestCluster.uniquePart())."
        configuration.provisioning = .verify
        configuration.logger = Logger(label: "test", level: .error, handler: SilentLogHandler())
        var router = EventRouter()
        router.on(Placed.self) { _, _ in }
        let service = EventService("stock", router: router, configuration: configuration)
        let error = await #expect(throws: StartupError.self) { try await service.run() }
        #expect(error?.problems.first?.contains("placed") == true)
        #expect(error?.problems.first?.contains("test.placed") == true)
    }

    /// The client itself would wait for five minutes.
    @Test(.timeLimit(.minutes(4))) func stoppingEndsAtItsDeadlinesWhileNoBrokerAnswers() async throws {
        let broker = try EmbeddedBroker(topics: [Placed.topic.rawValue: 2, Reserved.topic.rawValue: 2])
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.tracking = .off
        configuration.logger = Logger(label: "test", level: .error, handler: SilentLogHandler())
        configuration.bearHoldUps()
        configuration.engine.drainTimeout = .milliseconds(300)
        configuration.engine.closeTimeout = .milliseconds(300)
        let handled = Mutex(0)
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            // What is published now can never be acknowledged.
            try broker.takeDown()
            handled.withLock { $0 += 1 }
            return Reserved(order: placed.order)
        }
        let service = EventService("stock", router: router, configuration: configuration)
        let publisher = try await EventPublisher("shop", configuration: configuration)
        try await publisher.publish(Placed(order: "a"))
        await publisher.shutdown()
        try await withService(service) {
            try await wait(for: "the record to be handled") { handled.withLock { $0 } == 1 }
        }
        #expect(service.status.phase == .stopped)
        #expect(service.status.published == 0)
    }

    @Test func aHandlerThatIgnoresTheStopIsLeftBehindAtItsDeadline() async throws {
        let space = try await TestSpace(partitions: 1) { $0.engine.drainTimeout = .milliseconds(200) }
        let cancelled = Mutex(false)
        var router = EventRouter()
        router.on(Placed.self) { _, _ in
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                cancelled.withLock { $0 = true }
                throw error
            }
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("a")])
        try await withService(service) {
            try await wait(for: "the handler to run") { service.status.running == 1 }
        }
        try await wait(for: "the handler to be cancelled") { cancelled.withLock { $0 } }
        #expect(service.status.handled == 0)
        #expect(service.status.deadLettered == 0)
    }
}

/// A number that several tasks count up.
private final class Count: Sendable {
    private let number = Atomic<Int>(0)

    var value: Int { number.load(ordering: .relaxed) }
    func add() { number.add(1, ordering: .relaxed) }
}
