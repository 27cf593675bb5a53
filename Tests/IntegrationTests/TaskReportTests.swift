// What becomes of each attempt is reported, and before its offset is committed.

import KafkaClient
import Synchronization
import Testing
import Troupe

private struct Later: Event {
    static let type: EventType = "test.later"
    static let topic: Topic = "later"
    var key: EventKey { EventKey(order) }
    var order: String
}

private struct Fragile: Event {
    static let type: EventType = "test.fragile"
    static let topic: Topic = "fragile"
    var key: EventKey { EventKey(order) }
    var order: String
}

private struct Ignored: Error {}

/// What tells reports apart.
private struct Told: Hashable, CustomStringConvertible {
    var event: String
    var attempt: Int
    var outcome: TaskReport.Outcome

    init(_ event: String, _ attempt: Int, _ outcome: TaskReport.Outcome) {
        self.event = event
        self.attempt = attempt
        self.outcome = outcome
    }

    init(_ report: TaskReport) { self.init(report.event, report.attempt, report.outcome) }

    var description: String { "\(event) \(attempt) \(outcome.rawValue)" }
}

/// The ids of the events that handlers had.
private final class Handled: Sendable {
    private let ids = Mutex<Set<String>>([])

    var count: Int { ids.withLock { $0.count } }
    func note(_ id: String) { ids.withLock { _ = $0.insert(id) } }
}

@Suite(.timeLimit(.minutes(5))) struct TaskReportTests {
    private func reserving() -> EventRouter {
        var router = EventRouter(retry: .never)
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            Reserved(order: placed.order, number: placed.number)
        }
        return router
    }

    private func space(
        partitions: Int = 2, _ change: (inout ServiceConfiguration) -> Void = { _ in }
    ) async throws -> TestSpace {
        try await TestSpace(partitions: partitions) {
            $0.tracking = TrackingSettings()
            $0.bearHoldUps()
            change(&$0)
        }
    }

    @Test func everyOutcomeIsReported() async throws {
        let space = try await space(partitions: 1) {
            $0.inPlaceRetryLimit = .milliseconds(50)
            $0.instance = "one"
        }
        var router = EventRouter(retry: .never)
        router.on(
            Placed.self, publishes: .optional(Reserved.self),
            retry: .fixed(.milliseconds(5), maxRetries: 1).ignoring(Ignored.self)
        ) { placed, context in
            switch placed.order {
            case "retried" where context.attempt == 1: throw Failure(description: "not yet")
            case "dead": throw Failure(description: "never")
            case "ignored": throw Ignored()
            case "silent": return nil
            default: return Reserved(order: placed.order)
            }
        }
        let gate = ExecutionTests.Gate()
        router.on(Later.self, retry: .fixed(.milliseconds(400), maxRetries: 1)) { later, context in
            // The first one is not done before the next one follows it.
            if context.attempt > 1 { await gate.pass() }
            if later.order == "late", context.eventID == "late-0", context.attempt == 1 {
                throw Failure(description: "later")
            }
        }
        router.on(
            Fragile.self, publishes: .one(Reserved.self), fallback: { fragile, _, _ in Reserved(order: fragile.order) }
        ) { _, _ in throw Failure(description: "broken") }
        func message(_ type: EventType, _ topic: Topic, _ order: String, _ number: Int = 0) -> KafkaMessage {
            var message = space.placed(order, number: number)
            message.topic = space.name(topic)
            message.headers = message.headers.map {
                $0.name == "ce_type" ? KafkaHeader("ce_type", type.rawValue) : $0
            }
            return message
        }
        var broken = space.placed("broken")
        broken.value = Array("{".utf8)
        let foreign = KafkaMessage(topic: space.name(Placed.topic), key: nil, value: Array("no event".utf8))
        for topic in [Later.topic, Fragile.topic] { try await TestCluster.makeTopic(space.name(topic), partitions: 1) }
        try await TestCluster.produce(
            ["plain", "silent", "retried", "dead", "ignored"].map { space.placed($0) } + [broken, foreign]
                + [message(Fragile.type, Fragile.topic, "fragile")]
                + [0, 1].map { message(Later.type, Later.topic, "late", $0) })
        let began = WallClock.milliseconds()
        let service = space.service("stock", router: router)
        try await withService(service) {
            try await wait(for: "the next one to follow") { service.status.redirected == 2 }
            gate.open()
            try await wait(for: "all to be done") {
                service.status.handled == 6 && service.status.deadLettered == 3 && service.status.ignored == 1
                    && service.status.redirected == 2 && service.status.inFlight == 0
            }
        }
        #expect(service.status.unreported == 0)
        let reports = try await SystemReader(space).allReports()
        let expected = [
            Told("plain-0", 1, .handled), Told("silent-0", 1, .handled), Told("retried-0", 1, .retrying),
            Told("retried-0", 2, .handled), Told("dead-0", 1, .retrying), Told("dead-0", 2, .deadLettered),
            Told("ignored-0", 1, .ignored), Told("broken-0", 1, .deadLettered), Told("", 0, .deadLettered),
            Told("late-0", 1, .redirected), Told("late-1", 0, .redirected), Told("late-0", 2, .handled),
            Told("late-1", 1, .handled), Told("fragile-0", 1, .fellBack),
        ]
        #expect(Set(reports.map(Told.init)) == Set(expected))
        #expect(reports.count == expected.count)
        func report(_ event: String, _ attempt: Int) throws -> TaskReport {
            try #require(reports.first { $0.event == event && $0.attempt == attempt })
        }
        // Every report tells where the event was published, also of attempts in the retry topic.
        #expect(Set(reports.map(\.topic)) == Set([Placed.topic, Later.topic, Fragile.topic].map(space.name)))
        #expect(reports.allSatisfy { $0.startedAt >= began - 1_000 && $0.microseconds >= 0 && $0.replays == 0 })
        let plain = try report("plain-0", 1)
        #expect(plain.flow == "flow-plain" && plain.type == "test.placed" && plain.offset == 0)
        let published = try await TestCluster.readAll(space.name(Reserved.topic))
        #expect(plain.published == published.filter { $0.key?.text == "plain" }.compactMap { $0.header("ce_id") })
        #expect(try report("fragile-0", 1).published.count == 1)
        #expect(try report("fragile-0", 1).failure?.message == "broken")
        #expect(try report("silent-0", 1).published.isEmpty)
        let redirected = try report("late-0", 1)
        #expect(try #require(redirected.notBefore) - redirected.startedAt >= 399)
        #expect(redirected.failure?.message == "later")
        #expect(try report("late-1", 0).failure == nil && report("late-1", 0).notBefore == nil)
        #expect(try report("late-0", 2).offset == redirected.offset)
        #expect(try #require(report("retried-0", 1).notBefore) >= began)
        #expect(try report("dead-0", 2).failure?.type.contains("Failure") == true)
        #expect(try report("", 0).offset == 6)
        // It says where the record is now, for what was sent on.
        let letters = ["dead-0", "broken-0", ""].compactMap { id in
            reports.first { $0.event == id && $0.outcome == .deadLettered }?.sentTo
        }
        #expect(letters == Array(repeating: space.name("stock.placed.dlt"), count: 3))
        #expect(
            reports.filter { $0.outcome == .redirected }.map(\.sentTo) == [
                space.name("stock.later.retry"), space.name("stock.later.retry"),
            ])
        #expect(reports.count { $0.sentTo != nil } == 5)
    }

    @Test(arguments: [DeliveryGuarantee.atLeastOnce, .exactlyOnce])
    func whatWasDoneWhenTheServiceStopsIsReportedOnce(_ delivery: DeliveryGuarantee) async throws {
        guard delivery == .atLeastOnce || TestCluster.isKafka else { return }
        let space = try await space {
            $0.delivery = delivery
            $0.tracking.batchInterval = .seconds(60)
        }
        let service = space.service("stock", router: reserving())
        try await TestCluster.produce((0..<1_000).map { space.placed("order-\($0 % 50)", number: $0) })
        try await withService(service) {
            try await wait(for: "all to be handled") { service.status.handled == 1_000 }
        }
        #expect(service.status.unreported == 0)
        let reports = try await SystemReader(space).allReports()
        #expect(reports.count == 1_000)
        #expect(reports.allSatisfy { $0.outcome == .handled && $0.published.count == 1 })
        let published = try await TestCluster.readAll(space.name(Reserved.topic)).compactMap { $0.header("ce_id") }
        #expect(published.count == 1_000)
        #expect(Set(reports.flatMap(\.published)) == Set(published))
    }

    @Test func anAttemptIsSeenSoonAlsoWhenNothingIsCommitted() async throws {
        let space = try await space(partitions: 1) { $0.engine.commitInterval = .seconds(3_600) }
        var router = EventRouter(retry: .never)
        router.on(Placed.self, retry: .fixed(.milliseconds(500), maxRetries: 1_000)) { _, _ in
            throw Failure(description: "not yet")
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("a")])
        try await withService(service) {
            let records = try await TestCluster.read(SystemReader(space).topics.tasks) {
                SystemReader.reports($0).count >= 2
            }
            #expect(
                SystemReader.reports(records).prefix(2).map(Told.init) == [
                    Told("a-0", 1, .retrying), Told("a-0", 2, .retrying),
                ])
        }
    }

    @Test func partitionsThatMoveLeaveNothingUnreported() async throws {
        let space = try await space(partitions: 4)
        // Handled again is what the first had not committed when it lost its partitions: counts alone do not tell the end.
        let handled = Handled()
        var router = EventRouter(retry: .never)
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, context in
            handled.note(context.envelope.id)
            return Reserved(order: placed.order, number: placed.number)
        }
        let first = space.service("stock", router: router)
        let second = space.service("stock", router: router)
        try await TestCluster.produce((0..<500).map { space.placed("order-\($0 % 50)", number: $0) })
        try await withService(first) {
            try await wait(for: "the first to work") { first.status.handled > 0 }
            try await withService(second) {
                try await wait(for: "both to own partitions") { second.status.partitions > 0 }
                try await TestCluster.produce((500..<1_000).map { space.placed("order-\($0 % 50)", number: $0) })
                try await wait(for: "all to be handled") { handled.count == 1_000 }
            }
        }
        let reports = try await SystemReader(space).allReports()
        #expect(reports.count == first.status.handled + second.status.handled)
        #expect(Set(reports.map(\.event)).count == 1_000)
    }

    // MARK: Exactly once

    /// While a transaction is being committed the broker decides about its reports like about all the rest.
    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func aCommitThatTakesLongerThanReportsMayIsNoReasonToGiveThemUp() async throws {
        let space = try await space {
            $0.delivery = .exactlyOnce
            $0.tracking.batchInterval = .seconds(60)
            $0.tracking.acknowledgementTimeout = .nanoseconds(1)
        }
        let service = space.service("stock", router: reserving())
        try await withService(service) {
            for round in 0..<10 {
                try await TestCluster.produce(
                    (0..<100).map { space.placed("order-\($0 % 50)", number: round * 100 + $0) })
                try await wait(for: "all to be published") { service.status.published == (round + 1) * 100 }
            }
        }
        #expect(service.status.unreported == 0)
        #expect(service.status.handled == 1_000)
        #expect(try await SystemReader(space).allReports().count == 1_000)
    }

    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func exactlyOnceReportsAreThereOnceOverFencingAndFailures() async throws {
        let space = try await space {
            $0.delivery = .exactlyOnce
            $0.instance = "twin"
            $0.inPlaceRetryLimit = .zero
        }
        var router = EventRouter(retry: .fixed(.milliseconds(20), maxRetries: 1))
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, context in
            if placed.number % 10 == 3, context.attempt == 1 { throw Failure(description: "not yet") }
            if placed.number % 50 == 7 { throw Failure(description: "never") }
            if placed.number % 5 == 0 { try await Task.sleep(for: .milliseconds(1)) }
            return Reserved(order: placed.order, number: placed.number)
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<600).map { space.placed("order-\($0 % 50)", number: $0) })
        try await withService(service) {
            for round in 1...3 {
                let before = service.status.handled
                try await wait(for: "some work") { service.status.handled >= min(before + 50, 550) }
                let thief = try await space.transactionalProducer("stock.twin")
                await thief.shutdown()
                try await TestCluster.produce([space.placed("again", number: 1_000 + round * 100)])
            }
            // What it led to is there when nothing is left to be done.
            let deadline = ContinuousClock.now + TestCluster.patience
            while try await TestCluster.readAll(space.name(Reserved.topic)).count < 591 {
                guard ContinuousClock.now < deadline else { throw TimedOut(topic: "reserved", count: 0) }
            }
            try await wait(for: "nothing to be left") { service.status.lag == 0 }
        }
        let reports = try await SystemReader(space).allReports()
        let published = try await TestCluster.readAll(space.name(Reserved.topic)).compactMap { $0.header("ce_id") }
        #expect(published.count == 591)
        let ends = reports.filter { $0.outcome == .handled || $0.outcome == .deadLettered }
        #expect(ends.count == 603 && Set(ends.map(\.event)).count == 603)
        #expect(ends.flatMap(\.published).sorted() == published.sorted())
        #expect(ends.filter { $0.outcome == .deadLettered }.count == 12)
        // Whatever failed once went to the retry topic once.
        let redirected = reports.filter { $0.outcome == .redirected && $0.attempt == 1 }
        #expect(Set(redirected.map(\.event)).count == redirected.count)
    }
}
