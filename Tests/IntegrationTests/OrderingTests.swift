// The three orders: by key, by partition, none.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct OrderingTests {
    /// What was tried, in order, and how many handlings of one group were under way at once.
    final class Diary: Sendable {
        private let state = Mutex((entries: [(group: String, number: Int)](), under: [String: Int](), most: 0))

        func enter(_ group: String, _ number: Int) {
            state.withLock {
                $0.entries.append((group, number))
                $0.under[group, default: 0] += 1
                $0.most = max($0.most, $0.under[group] ?? 0)
            }
        }

        func leave(_ group: String) { state.withLock { $0.under[group, default: 0] -= 1 } }

        func numbers(_ group: String) -> [Int] {
            state.withLock { $0.entries.filter { $0.group == group }.map(\.number) }
        }
        var most: Int { state.withLock { $0.most } }
    }

    @Test func byPartitionHandlesOneAtATimeInOrder() async throws {
        let space = try await TestSpace(partitions: 2) { $0.engine.ordering = .byPartition }
        let diary = Diary()
        var router = EventRouter()
        router.on(Placed.self) { placed, context in
            diary.enter("\(context.partition)", placed.number)
            await Task.yield()
            diary.leave("\(context.partition)")
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce(
            (0..<400).map {
                var message = space.placed("k\($0)", number: $0)
                message.partition = Int32($0 % 2)
                return message
            })
        try await withService(service) {
            try await wait(for: "all to be handled") { service.status.handled == 400 }
        }
        #expect(diary.most == 1)
        #expect(diary.numbers("0") == Array(stride(from: 0, to: 400, by: 2)))
        #expect(diary.numbers("1") == Array(stride(from: 1, to: 400, by: 2)))
    }

    @Test func byPartitionKeepsItsOrderThroughTheRetryTopicForAllKeys() async throws {
        let space = try await TestSpace(partitions: 1) {
            $0.engine.ordering = .byPartition
            $0.inPlaceRetryLimit = .zero
        }
        let diary = Diary()
        let succeeded = Mutex<[Int]>([])
        let gate = ExecutionTests.Gate()
        var router = EventRouter(retry: .fixed(.milliseconds(300), maxRetries: 3))
        router.on(Placed.self) { placed, context in
            // The first one is not done before the others follow it.
            if context.attempt > 1 { await gate.pass(placed.number) }
            diary.enter("all", placed.number)
            defer { diary.leave("all") }
            if placed.number == 0, context.attempt == 1 { throw Failure(description: "not yet") }
            succeeded.withLock { $0.append(placed.number) }
        }
        let service = space.service("stock", router: router)
        // One without a key among them: the partition's order is its too.
        var keyless = space.placed("none", number: 5)
        keyless.key = nil
        try await TestCluster.produce((0..<5).map { space.placed("k\($0)", number: $0) } + [keyless])
        try await withService(service) {
            try await wait(for: "all to go through the retry topic") { service.status.redirected == 6 }
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 6 }
        }
        #expect(succeeded.withLock { $0 } == Array(0..<6))
        #expect(diary.numbers("all") == [0, 0, 1, 2, 3, 4, 5])
        #expect(service.status.redirected == 6)
    }

    @Test func withoutOrderEventsOfOneKeyAreHandledSideBySideAndNothingFollows() async throws {
        let space = try await TestSpace(partitions: 1) {
            $0.engine.ordering = .none
            $0.inPlaceRetryLimit = .zero
        }
        let gate = ExecutionTests.Gate()
        var router = EventRouter(retry: .fixed(.milliseconds(200), maxRetries: 3))
        router.on(Placed.self) { placed, context in
            if placed.number == 0, context.attempt == 1 { throw Failure(description: "not yet") }
            await gate.pass(placed.number)
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<50).map { space.placed("one", number: $0) })
        try await withService(service) {
            // All at once, the one from the retry topic too.
            try await wait(for: "all fifty side by side") { gate.current == 50 }
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 50 }
        }
        #expect(gate.most == 50)
        #expect(service.status.redirected == 1)
    }

    @Test func recordsWithoutAKeyHaveNoOrderAndFollowNobody() async throws {
        let space = try await TestSpace(partitions: 1) { $0.inPlaceRetryLimit = .zero }
        let gate = ExecutionTests.Gate()
        var router = EventRouter(retry: .fixed(.seconds(3_600), maxRetries: 1))
        router.on(Placed.self) { placed, _ in
            if placed.number == 0 { throw Failure(description: "waits in the retry topic") }
            await gate.pass(placed.number)
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce(
            (0..<50).map {
                var message = space.placed("none", number: $0)
                message.key = nil
                return message
            })
        try await withService(service) {
            try await wait(for: "all but the first side by side") { gate.current == 49 }
            try await wait(for: "the first to be redirected") { service.status.redirected == 1 }
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 49 }
        }
        #expect(gate.most == 49)
    }

    @Test func aFullWindowStopsItsOwnPartitionOnly() async throws {
        let window = 16_384
        let space = try await TestSpace(partitions: 2) {
            // The window alone bounds here.
            $0.engine.maxRecordsInFlight = 1 << 20
            $0.engine.maxRecordsInFlightPerPartition = window
        }
        let gate = ExecutionTests.Gate()
        let counts = Mutex([0, 0])
        var router = EventRouter()
        router.on(Placed.self) { placed, context in
            if placed.order == "stuck" { await gate.pass() }
            counts.withLock { $0[Int(context.partition)] += 1 }
        }
        let service = space.service("stock", router: router)
        func messages(_ partition: Int32, _ count: Int) -> [KafkaMessage] {
            (0..<count).map {
                var message = space.placed("k\($0)", number: $0)
                message.partition = partition
                return message
            }
        }
        var stuck = space.placed("stuck")
        stuck.partition = 0
        try await TestCluster.produce([stuck])
        try await TestCluster.produce(messages(0, window + 500))
        try await withService(service) {
            try await wait(for: "the window's end") { counts.withLock { $0[0] } == window - 1 }
            // The other partition goes on past as many records, which is also time for the first to go too far.
            try await TestCluster.produce(messages(1, window + 500))
            try await wait(for: "the other partition") { counts.withLock { $0[1] } == window + 500 }
            #expect(counts.withLock { $0[0] } == window - 1)
            gate.open()
            try await wait(for: "the rest") { counts.withLock { $0 } == [window + 501, window + 500] }
        }
    }
}
