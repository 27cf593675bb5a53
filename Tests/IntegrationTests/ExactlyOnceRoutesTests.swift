// Bounds of routes in transactions: a route that waits holds up no transaction of the others, and nothing is done twice.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka), .timeLimit(.minutes(5)))
struct ExactlyOnceRoutesTests {
    private func space(_ change: (inout ServiceConfiguration) -> Void = { _ in }) async throws -> TestSpace {
        try await TestSpace(partitions: 2) {
            $0.delivery = .exactlyOnce
            $0.inPlaceRetryLimit = .zero
            $0.engine.maxRecordsInFlight = 128
            $0.engine.maxRetriesInFlight = 128
            change(&$0)
        }
    }

    private func reserved(_ space: TestSpace, _ numbers: Range<Int>) -> [KafkaMessage] {
        numbers.map { number in
            var message = space.placed("r\(number)", number: number)
            message.topic = space.name(Reserved.topic)
            message.headers.removeAll { $0.name == "ce_type" }
            message.headers.append(KafkaHeader("ce_type", Reserved.type.rawValue))
            return message
        }
    }

    /// Waits until so many records of the other route's topic are committed as done.
    private func waitForCommit(of count: Int64, in space: TestSpace) async throws {
        let partitions = (0..<2).map { TopicPartition(space.name(Reserved.topic), Int32($0)) }
        let admin = try KafkaAdmin(TestCluster.configuration)
        let deadline = ContinuousClock.now + TestCluster.patience
        while true {
            let offsets = try await admin.committedOffsets(ofGroup: space.namespace + "stock", partitions: partitions)
            let sum = partitions.reduce(0) { $0 + max(offsets[$1]?.offset ?? 0, 0) }
            if sum >= count { return }
            try #require(ContinuousClock.now < deadline, "only \(sum) are committed")
        }
    }

    @Test func anOpenCircuitHoldsUpNoTransactionAndItsEventsAreDoneOnce() async throws {
        let space = try await space()
        let dependency = ResilienceTests.Dependency()
        let others = ExecutionTests.Counter()
        let order = Mutex<[String: [Int]]>([:])
        var router = EventRouter(retry: .fixed(.milliseconds(200), maxRetries: 1_000))
        router.on(
            Placed.self, publishes: .one(Reserved.self),
            circuitBreaker: CircuitBreaker(window: 10, minimumCalls: 5, openDuration: .milliseconds(300), probes: 1)
        ) { placed, _ in
            try dependency.call()
            order.withLock { $0[placed.order, default: []].append(placed.number) }
            return Reserved(order: placed.order, number: placed.number)
        }
        router.on(Reserved.self) { _, _ in others.add() }
        let service = space.service("stock", router: router)
        let count = 1_000
        try await TestCluster.produce((0..<count).map { space.placed("k\($0 % 50)", number: $0) })
        try await withService(service) {
            try await wait(for: "the circuit to be open") { service.status.routes.first?.circuit == .open }
            try await TestCluster.produce(reserved(space, 0..<300))
            // While the route's events wait the other route's are done and committed.
            try await waitForCommit(of: 300, in: space)
            #expect(others.value == 300)
            try await wait(for: "the status to tell of them") { service.status.handled == 300 }
            dependency.comeUp()
            try await wait(for: "all to be handled") { service.status.handled == 300 + 2 * count }
            try await wait(for: "the circuit to be closed") { service.status.routes.first?.circuit == .closed }
        }
        // Not one for each event: the others waited and used no attempt up.
        #expect(dependency.failures < 200)
        #expect(service.status.deadLettered == 0)
        for key in 0..<50 {
            #expect(order.withLock { $0["k\(key)"] } == Array(stride(from: key, to: count, by: 50)), "key \(key)")
        }
        let ids = try await TestCluster.readAll(space.name(Reserved.topic)).compactMap { $0.header("ce_id") }
        #expect(ids.count == 300 + count)
        #expect(Set(ids).count == 300 + count)
    }

    @Test func aFullBulkheadHoldsUpNoTransactionAndItsEventsAreDoneOnce() async throws {
        let space = try await space()
        let gate = ExecutionTests.Gate()
        let others = ExecutionTests.Counter()
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self), execution: .inline(maxConcurrent: 3)) { placed, _ in
            await gate.pass(placed.number)
            return Reserved(order: placed.order, number: placed.number)
        }
        router.on(Reserved.self) { _, _ in others.add() }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<200).map { space.placed("k\($0)", number: $0) })
        try await withService(service) {
            try await wait(for: "the bulkhead to be full, and its share of what is in flight") {
                gate.current == 3 && service.status.routes.first?.inFlight == 64
            }
            try await TestCluster.produce(reserved(space, 0..<300))
            try await waitForCommit(of: 300, in: space)
            #expect(gate.current == 3 && gate.numbers.count == 3)
            gate.release()
            // Its event is published and committed while the others still wait.
            try await waitForCommit(of: 301, in: space)
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 300 + 2 * 200 }
        }
        #expect(gate.most == 3)
        #expect(gate.numbers.count == 200 && Set(gate.numbers).count == 200)
        let ids = try await TestCluster.readAll(space.name(Reserved.topic)).compactMap { $0.header("ce_id") }
        #expect(ids.count == 500)
        #expect(Set(ids).count == 500)
    }
}
