// Nothing is committed before it is reported, and a topic of tasks that fails stops no business.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct ReportBeforeCommitTests {
    private func reserving() -> EventRouter {
        var router = EventRouter(retry: .never)
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in Reserved(order: placed.order) }
        return router
    }

    @Test func nothingIsCommittedBeforeItsReportIsAcknowledged() async throws {
        let fixture = try ReportFixture { $0.tracking.acknowledgementTimeout = .seconds(600) }
        var router = EventRouter(retry: .never)
        router.on(Placed.self) { _, _ in }
        let killed = EventService("stock", router: router, configuration: fixture.configuration)
        let running = Task { try await killed.run() }
        try await wait(for: "the service to run") { killed.status.phase == .running }
        try fixture.broker.setLeader(of: TopicPartition(ReportFixture.tasks, 0), to: nil)
        try await fixture.produce(0..<20)
        try await wait(for: "all to be handled") { killed.status.handled == 20 && killed.status.inFlight == 0 }
        // Many times the commit interval.
        for _ in 0..<50 { #expect(try await fixture.committed() < 0) }
        // As a kill leaves it: handled, not reported, and so not committed.
        killed.stopAtOnce()
        try await running.value
        #expect(try await fixture.committed() < 0)
        try fixture.broker.setLeader(of: TopicPartition(ReportFixture.tasks, 0), to: 1)
        let successor = EventService("stock", router: router, configuration: fixture.configuration)
        try await withService(successor) {
            try await wait(for: "all to be handled again") { successor.status.handled == 20 }
        }
        #expect(try await fixture.committed() == 20)
        let reports = try await fixture.reports()
        #expect(Set(reports.map(\.event)) == Set((0..<20).map { "a-\($0)" }))
    }

    @Test func aCommitThatWaitsForItsReportDoesNotKeepTheGroupWaiting() async throws {
        let fixture = try ReportFixture(partitions: 2) {
            $0.tracking.acknowledgementTimeout = .seconds(600)
            $0.engine.drainTimeout = .milliseconds(300)
            $0.engine.closeTimeout = .milliseconds(300)
        }
        var router = EventRouter(retry: .never)
        router.on(Placed.self) { _, _ in }
        let first = EventService("stock", router: router, configuration: fixture.configuration)
        let running = Task { try await first.run() }
        try await wait(for: "the service to run") { first.status.phase == .running }
        try fixture.broker.setLeader(of: TopicPartition(ReportFixture.tasks, 0), to: nil)
        try await fixture.produce(0..<20)
        try await fixture.produce(20..<40, to: 1)
        try await wait(for: "all to be handled") { first.status.handled == 40 && first.status.inFlight == 0 }
        // Many times the commit interval: a commit waits by now.
        for _ in 0..<50 { #expect(try await fixture.committed() < 0) }
        let second = EventService("stock", router: router, configuration: fixture.configuration)
        try await withService(second) {
            try await wait(for: "a partition to be given up and handled again") { second.status.handled == 20 }
        }
        first.stopAtOnce()
        try await running.value
    }

    /// The client gives a batch up after a second, or not before the reports' own deadline has passed.
    @Test(arguments: ["1000", "300000"])
    func aTopicOfTasksThatFailsStopsNoBusinessAndIsTriedAgain(_ deliveryTimeout: String) async throws {
        let fixture = try ReportFixture {
            $0.tracking.suspension = .milliseconds(200)
            $0.tracking.acknowledgementTimeout = .milliseconds(500)
            $0.kafka.properties["delivery.timeout.ms"] = deliveryTimeout
        }
        let service = EventService("stock", router: reserving(), configuration: fixture.configuration)
        try await withService(service) {
            try await wait(for: "the service to run") { service.status.phase == .running }
            try fixture.broker.setLeader(of: TopicPartition(ReportFixture.tasks, 0), to: nil)
            try await fixture.produce(0..<20)
            try await wait(for: "all to be published") { service.status.published == 20 }
            try await fixture.waitForCommit(of: 20)
            try await wait(for: "the loss to be told") { service.status.unreported == 20 }
            try fixture.broker.setLeader(of: TopicPartition(ReportFixture.tasks, 0), to: 1)
            var number = 20
            while !fixture.log.lines.contains(where: { $0.message.contains("are published again") }) {
                try await fixture.produce(number..<(number + 1))
                number += 1
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        // Told once. After reports were acknowledged again it is another failure that is told.
        let before = fixture.log.lines.prefix { !$0.message.contains("are published again") }
        #expect(before.filter { $0.message.contains("cannot be reported") }.count == 1)
        #expect(service.status.deadLettered == 0)
        #expect(try await fixture.reports().count >= 1)
        #expect(try await fixture.committed() == Int64(service.status.handled))
    }

    @Test func aTopicOfTasksThatMayNotBeWrittenStopsNoBusiness() async throws {
        let fixture = try ReportFixture { $0.kafka.properties["delivery.timeout.ms"] = "1000" }
        let service = EventService("stock", router: reserving(), configuration: fixture.configuration)
        try await withService(service) {
            try await wait(for: "the service to run") { service.status.phase == .running }
            try fixture.broker.setError(.topicAuthorizationFailed, forTopic: ReportFixture.tasks)
            try await fixture.produce(0..<20)
            try await wait(for: "all to be published") { service.status.published == 20 }
            try await fixture.waitForCommit(of: 20)
        }
        #expect(service.status.unreported == 20)
        #expect(fixture.log.lines.filter { $0.message.contains("cannot be reported") }.count == 1)
        #expect(service.status.phase == .stopped && service.status.deadLettered == 0)
    }

    /// A commit fails as a whole with a batch that the topic of tasks does not take, and so would every one after it.
    ///
    /// Kafka itself cannot end a transaction with a topic that has too few replicas in sync, so business goes on when they
    /// are back, without waiting for reports.
    @Test(.enabled(if: LaunchedKafka.isAvailable, LaunchedKafka.needsLauncher))
    func aCommitThatFailsForTheSakeOfItsReportsGivesThemUp() async throws {
        try await LaunchedKafka.with(["--nodes", "3"]) { kafka in
            let (tasks, input) = (TopicPartition(ReportFixture.tasks, 0), TopicPartition("placed", 0))
            let admin = try KafkaAdmin(kafka.configuration)
            for topic in ["placed", "reserved"] { try await admin.createTopic(NewTopic(topic, partitions: 1)) }
            try await admin.createTopic(
                NewTopic(
                    tasks.topic, partitions: 1, replicationFactor: 3, configuration: ["min.insync.replicas": "3"]))
            try await produce(0..<20, kafka.configuration)
            try await kafka.run(["kill", "3"])
            let limit = ContinuousClock.now + TestCluster.patience
            // A broker that is about to be asked may be the one that was killed.
            while (try? await admin.describeTopics([tasks.topic])[tasks.topic]?.get().partitions[0])?
                .inSyncReplicas.count != 2
            { try #require(ContinuousClock.now < limit, "a replica is in sync that was killed") }
            let log = CapturingLog()
            var configuration = ServiceConfiguration(kafka: try kafka.configuration, environment: [:])
            configuration.bearHoldUps()
            configuration.delivery = .exactlyOnce
            configuration.kafka.transactionTimeout = .seconds(3)
            // So that batches go out with the commit, and nothing before.
            configuration.tracking.batchInterval = .seconds(3_600)
            configuration.tracking.suspension = .seconds(3_600)
            configuration.logger = Logger(label: "test", level: .warning, handler: log)
            let service = EventService("stock", router: reserving(), configuration: configuration)
            func givenUp() -> Int { log.lines.count { $0.message.contains("cannot be reported") } }
            try await withService(service) {
                try await wait(for: "reports to be given up") { givenUp() == 1 }
                try await kafka.run(["restart", "3"])
                let limit = ContinuousClock.now + TestCluster.patience
                while true {
                    let offsets = try? await admin.committedOffsets(ofGroup: "stock", partitions: [input])
                    if offsets?[input]?.offset == 20 { break }
                    try #require(ContinuousClock.now < limit, "nothing is committed")
                }
            }
            #expect(service.status.unreported >= 20 && givenUp() == 1)
        }
    }

    private func produce(_ numbers: Range<Int>, _ kafka: KafkaConfiguration) async throws {
        let producer = try KafkaProducer(kafka)
        try await producer.send(
            contentsOf: numbers.map { number in
                KafkaMessage(
                    topic: "placed", partition: 0, key: Array("a".utf8),
                    value: Array(#"{"order":"a","number":\#(number)}"#.utf8),
                    headers: [
                        KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "a-\(number)"),
                        KafkaHeader("ce_source", "/test"), KafkaHeader("ce_type", Placed.type.rawValue),
                    ])
            })
        await producer.shutdown()
    }

    // MARK: A stop at once, as a second signal asks for

    @Test func aStopAtOnceTellsWhatIsDoneAndTakesLeave() async throws {
        // It takes a second at most for what is done, and what is held up for longer is not told.
        var wasHurried = true
        for _ in 0..<20 where wasHurried {
            let (fixture, service, took) = try await stopAtOnceWhileAHandlerHangs()
            wasHurried = took >= .seconds(1)
            if wasHurried { continue }
            #expect(try await fixture.committed() == 3)
            #expect(Set(try await fixture.reports().map(\.event)) == ["a-0", "a-1", "a-2"])
            #expect(service.status.unreported == 0)
            let last = try #require(try await fixture.heartbeats().last)
            #expect(last.status.phase == .stopped && last.assignment.isEmpty)
        }
        #expect(!wasHurried, "each of 20 stops took longer than it may")
    }

    /// Stops a service that has handled three events, at once; returns how long that took.
    private func stopAtOnceWhileAHandlerHangs() async throws -> (ReportFixture, EventService, Duration) {
        let fixture = try ReportFixture { $0.engine.drainTimeout = .seconds(3_600) }
        let hangs = Hanging()
        var router = EventRouter(retry: .never)
        router.on(Placed.self) { placed, _ in if placed.number == 3 { try await hangs.wait() } }
        let service = EventService("stock", router: router, configuration: fixture.configuration)
        let running = Task { try await service.run() }
        try await wait(for: "the service to run") { service.status.phase == .running }
        try await fixture.produce(0..<4)
        try await wait(for: "a handler to hang") { hangs.isEntered && service.status.handled == 3 }
        running.cancel()
        try await wait(for: "the stop in order to begin") { service.status.phase == .stopping }
        let begin = ContinuousClock.now
        service.stopAtOnce()
        try await running.value
        return (fixture, service, ContinuousClock.now - begin)
    }

    @Test(arguments: [true, false])
    func aStopAtOnceEndsWithoutABroker(_ hasStoppedInOrder: Bool) async throws {
        let fixture = try ReportFixture {
            $0.engine.drainTimeout = .seconds(3_600)
            $0.engine.closeTimeout = .seconds(3_600)
            $0.tracking.acknowledgementTimeout = .seconds(3_600)
        }
        let service = EventService("stock", router: reserving(), configuration: fixture.configuration)
        let running = Task { try await service.run() }
        try await wait(for: "the service to run") { service.status.phase == .running }
        // Reports wait for their acknowledgement, and a commit for them.
        try fixture.broker.setLeader(of: TopicPartition(ReportFixture.tasks, 0), to: nil)
        try await fixture.produce(0..<20)
        try await wait(for: "all to be handled") { service.status.handled == 20 }
        try fixture.broker.takeDown()
        if hasStoppedInOrder {
            running.cancel()
            try await wait(for: "the stop in order to begin") { service.status.phase == .stopping }
        }
        let begin = ContinuousClock.now
        service.stopAtOnce()
        try await running.value
        // A second for the engine and two for the last heartbeat, on a machine that is not starved.
        #expect(ContinuousClock.now - begin < .seconds(120))
    }
}

/// A handler that hangs until it is cancelled.
private final class Hanging: Sendable {
    private let entered = Atomic(false)
    var isEntered: Bool { entered.load(ordering: .acquiring) }

    func wait() async throws {
        entered.store(true, ordering: .releasing)
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}
