// What services tell of themselves, on a broker.

import EventJSON
import KafkaClient
import Synchronization
import Testing
import Troupe

/// What stands on the system topics of a namespace.
struct SystemReader: Sendable {
    let topics: SystemTopics

    init(_ space: TestSpace) { topics = SystemTopics(namespace: space.namespace) }

    init() { topics = SystemTopics() }

    /// Reports in the order in which they were read.
    static func reports(_ records: [KafkaRecord]) -> [TaskReport] {
        records.flatMap { record -> [TaskReport] in
            let batch = try? EventJSONDecoder().decode(TaskBatch.self, from: record.value.map { Array($0) } ?? [])
            if batch == nil {
                Issue.record("A record of the topic of tasks cannot be read: \(record.value?.text ?? "")")
            }
            return batch?.tasks ?? []
        }
    }

    static func heartbeats(_ records: [KafkaRecord]) -> [InstanceHeartbeat] {
        records.compactMap { record in
            guard case .instance(let service, let instance) = RegistryKey(record.key?.text ?? "") else { return nil }
            let beat = try? EventJSONDecoder().decode(
                InstanceHeartbeat.self, from: record.value.map { Array($0) } ?? [])
            #expect(beat?.service == service && beat?.instance == instance)
            return beat
        }
    }

    static func declarations(_ records: [KafkaRecord]) -> [(fingerprint: String, declaration: ServiceDeclaration)] {
        records.compactMap { record in
            guard case .declaration(_, let fingerprint) = RegistryKey(record.key?.text ?? "") else { return nil }
            let declaration = try? EventJSONDecoder().decode(
                ServiceDeclaration.self, from: record.value.map { Array($0) } ?? [])
            if declaration == nil { Issue.record("A declaration cannot be read") }
            return declaration.map { (fingerprint, $0) }
        }
    }

    /// All reports that are there now and that readers of committed records see.
    func allReports() async throws -> [TaskReport] { Self.reports(try await TestCluster.readAll(topics.tasks)) }

    func heartbeats(
        until isEnough: @escaping @Sendable ([InstanceHeartbeat]) -> Bool
    ) async throws -> [InstanceHeartbeat] {
        Self.heartbeats(
            try await TestCluster.read(topics.services, within: TestCluster.patience) { isEnough(Self.heartbeats($0)) })
    }
}

@Suite(.timeLimit(.minutes(5))) struct TrackingTests {
    private func space(
        partitions: Int = 2, _ change: (inout ServiceConfiguration) -> Void = { _ in }
    ) async throws -> TestSpace {
        try await TestSpace(partitions: partitions) {
            $0.tracking = TrackingSettings()
            $0.bearHoldUps()
            change(&$0)
        }
    }

    private func reserving() -> EventRouter {
        var router = EventRouter(retry: .never)
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in Reserved(order: placed.order) }
        return router
    }

    // MARK: The registry

    @Test func aServiceDeclaresItselfAndSaysThatItIsAliveUntilItStops() async throws {
        let space = try await space {
            $0.instance = "one"
            $0.version = "3.1"
            $0.endpoint = "http://127.0.0.1:1"
            $0.tracking.heartbeatInterval = .milliseconds(100)
        }
        let reader = SystemReader(space)
        let service = space.service("stock", router: reserving())
        var stop = try await withService(service) {
            let beats = try await reader.heartbeats { beats in
                beats.count { $0.status.phase == .running && $0.assignment.count == 2 } >= 3
            }
            let last = try #require(beats.last)
            #expect(last.assignment[space.name(Placed.topic)] == [0, 1])
            #expect(last.version == "3.1" && last.endpoint == "http://127.0.0.1:1" && last.host != "")
            #expect(last.intervalMilliseconds == 100 && last.instance == "one")
            // One that is killed says no more: it is told by its age.
            #expect(!last.isStale(at: last.time) && last.isStale(at: last.time + 301))
        }
        let records = try await TestCluster.readAll(reader.topics.services)
        let (fingerprint, declaration) = try #require(SystemReader.declarations(records).first)
        #expect(SystemReader.declarations(records).count == 1)
        #expect(declaration.service == "stock" && declaration.version == "3.1")
        #expect(declaration.group == space.namespace + "stock")
        #expect(declaration.routes.map(\.type) == ["test.placed"])
        #expect(declaration.routes.first?.publishes == ["test.reserved"])
        #expect(declaration.reportsAttempts == nil)
        // The last heartbeat is given two seconds: a service that is held up for longer is gone without it.
        var last = try #require(SystemReader.heartbeats(records).last)
        for _ in 0..<20 where last.status.phase != .stopped && stop >= .seconds(2) {
            let again = space.service("stock", router: reserving())
            stop = try await withService(again) { try await wait(for: "it to run") { again.status.phase == .running } }
            last = try #require(SystemReader.heartbeats(try await TestCluster.readAll(reader.topics.services)).last)
        }
        #expect(last.declaration == fingerprint)
        #expect(last.status.phase == .stopped && last.assignment.isEmpty)
        #expect(!last.isStale(at: last.time + 1_000_000))
    }

    @Test func whatChangesIsSaidAtOnce() async throws {
        // Nothing but news is said within an hour.
        let space = try await space { $0.tracking.heartbeatInterval = .seconds(3_600) }
        let reader = SystemReader(space)
        var router = EventRouter(retry: .never)
        router.on(
            Placed.self,
            circuitBreaker: CircuitBreaker(minimumCalls: 2, openDuration: .seconds(600))
        ) { _, _ in throw Failure(description: "down") }
        let service = space.service("stock", router: router)
        try await withService(service) {
            _ = try await reader.heartbeats { $0.contains { $0.assignment.count == 2 && $0.status.phase == .running } }
            try await TestCluster.produce((0..<4).map { space.placed("order-\($0)") })
            _ = try await reader.heartbeats { $0.contains { $0.status.routes.first?.circuit == .open } }
        }
    }

    @Test func aPublisherDeclaresWhatItPublishes() async throws {
        let space = try await space()
        let publisher = try await EventPublisher(
            "shop", publishes: [Placed.self], configuration: space.configuration)
        let reader = SystemReader(space)
        func declared(_ types: [String]) async throws {
            let records = try await TestCluster.read(reader.topics.services) {
                SystemReader.declarations($0).contains { $0.declaration.starts == types }
            }
            let found = SystemReader.declarations(records).map(\.declaration).last { $0.starts == types }
            let declaration = try #require(found)
            #expect(declaration.service == "shop" && declaration.routes.isEmpty && declaration.group == "")
            #expect(declaration.events.map(\.type) == types)
            #expect(SystemReader.heartbeats(records).isEmpty)
        }
        try await declared(["test.placed"])
        try await publisher.publish(Reserved(order: "a"))
        try await declared(["test.placed", "test.reserved"])
        await publisher.shutdown()
    }

    @Test func whenItIsOffNothingIsWritten() async throws {
        let space = try await space { $0.tracking = .off }
        let service = space.service("stock", router: reserving())
        let publisher = try await EventPublisher("shop", configuration: space.configuration)
        try await withService(service) {
            try await publisher.publish(Placed(order: "a"))
            try await wait(for: "the event to be done") { service.status.published == 1 }
        }
        await publisher.shutdown()
        let topics = SystemTopics(namespace: space.namespace)
        let names = try await KafkaAdmin(TestCluster.configuration).describeTopics().keys
        #expect(names.contains(space.name(Placed.topic)))
        #expect(!names.contains(topics.services) && !names.contains(topics.tasks))
    }

    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func aMissingTopicUnderVerifyIsAWarningAndTheServiceRuns() async throws {
        let log = CapturingLog()
        let first = try await space { $0.tracking = .off }
        // The topics of the service are made by one that tells nothing.
        let maker = first.service("stock", router: reserving())
        try await withService(maker) { try await wait(for: "it to run") { maker.status.phase == .running } }
        var configuration = first.configuration
        configuration.tracking = TrackingSettings()
        configuration.provisioning = .verify
        configuration.logger = Logger(label: "test", level: .warning, handler: log)
        let service = EventService("stock", router: reserving(), configuration: configuration)
        try await TestCluster.produce([first.placed("a")])
        try await withService(service) {
            try await wait(for: "the event to be done") { service.status.published == 1 }
        }
        #expect(log.lines.filter { $0.message.contains("tells of itself") }.count == 1)
    }
}
