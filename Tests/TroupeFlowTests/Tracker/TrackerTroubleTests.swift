// A tracker of a cluster that is not quiet, or not whole.

import KafkaClient
import Synchronization
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct TrackerTroubleTests {
    private let broker: EmbeddedBroker
    private let producer: KafkaProducer

    init() throws {
        broker = try EmbeddedBroker(topics: [
            "troupe.services": 1, "troupe.tasks": 3, "orders": 3, "stock": 3, "payments": 3,
        ])
        producer = try KafkaProducer(broker.configuration)
    }

    private func send(_ records: [KafkaRecord]) async throws {
        let deliveries = try await producer.send(contentsOf: records.map(\.message))
        #expect(deliveries.map(\.offset) == records.map(\.offset))
    }

    /// What a tracker said, with the topics it could not read.
    private final class Notices: Sendable {
        private let notices = Mutex<[FlowTracker.Notice]>([])
        func note(_ notice: FlowTracker.Notice) { notices.withLock { $0.append(notice) } }
        var all: [FlowTracker.Notice] { notices.withLock { $0 } }
        var unreadable: [String] {
            all.compactMap { if case .unreadable(let topic, _) = $0 { topic } else { nil } }
        }
    }

    @Test(.timeLimit(.minutes(5))) func theEndIsReachedUnderTrafficThatNeverStops() async throws {
        let traffic = try Traffic(flows: 100, seed: 3, startingAt: wallMilliseconds())
        try await send(traffic.log.records)
        let busy = Task { [producer] in
            var number = 0
            while !Task.isCancelled {
                var log = Log()
                for partition in 0..<90 {
                    number += 1
                    let types = [Shop.placed, Shop.reserved, Shop.paid]
                    log.publish(
                        "busy-\(number)", types[partition % 3], flow: "busy-\(number)", at: 1_000,
                        partition: Int32(partition / 3 % 3))
                }
                _ = try await producer.send(contentsOf: log.records.map(\.message))
            }
        }
        let store = try FlowStore(path: ":memory:")
        try await FlowTracker(store, kafka: broker.configuration).catchUp()
        #expect(try flows(store).count == 100)
        busy.cancel()
        _ = await busy.result
    }

    private func flows(_ store: FlowStore) throws -> [String] {
        try (0..<100).map { "flow-\($0)" }.filter { try store.flow($0, at: 0) != nil }
    }

    @Test(.timeLimit(.minutes(5))) func aPartitionWithoutALeaderIsNamedAndTheOthersAreRead() async throws {
        let traffic = try Traffic(flows: 60, seed: 4, startingAt: wallMilliseconds())
        try await send(traffic.log.records)
        try broker.setLeader(of: TopicPartition("stock", 1), to: nil)
        let store = try FlowStore(path: ":memory:")
        let notices = Notices()
        try await FlowTracker(store, kafka: broker.configuration, notify: notices.note).catchUp()
        #expect(try flows(store).count == 60)
        #expect(notices.unreadable == ["stock"])
        let positions = try store.positions()
        #expect(positions.filter { $0.topic == "stock" }.map(\.partition) == [0, 2])
        #expect(positions.filter { $0.topic == "orders" }.count == 3)
    }

    @Test(.timeLimit(.minutes(5))) func aTopicWithoutTheRightToReadIsNamedAndTheOthersAreRead() async throws {
        let traffic = try Traffic(flows: 60, seed: 5, startingAt: wallMilliseconds())
        try await send(traffic.log.records)
        // The registry is fetched first, and refused once.
        broker.failNext(.fetch, with: [.topicAuthorizationFailed])
        let store = try FlowStore(path: ":memory:")
        let notices = Notices()
        try await FlowTracker(store, kafka: broker.configuration, notify: notices.note).catchUp()
        #expect(notices.unreadable == ["troupe.services"])
        #expect(try store.services(at: 0).map(\.name) == ["inventory", "payments", "shipping"])
    }

    @Test(.timeLimit(.minutes(5))) func aStoreThatIsClearedUnderATrackerIsFilledAgainFromTheBeginning() async throws {
        let traffic = try Traffic(flows: 60, seed: 6, startingAt: wallMilliseconds())
        let half = traffic.log.records.count / 2
        try await send(Array(traffic.log.records[..<half]))
        let directory = try TemporaryDirectory()
        let store = try FlowStore(path: directory.store)
        let caughtUp = AsyncStream<Void>.makeStream()
        let following = Task { [broker] in
            let tracker = FlowTracker(store, kafka: broker.configuration) {
                if $0 == .caughtUp { caughtUp.continuation.finish() }
            }
            try await tracker.follow()
        }
        for await _ in caughtUp.stream {}
        // As `troupe track --rebuild` does from another process.
        try FlowStore(path: directory.store).clear()
        try await send(Array(traffic.log.records[half...]))
        let fresh = try FlowStore(path: ":memory:")
        try await FlowTracker(fresh, kafka: broker.configuration).catchUp()
        let deadline = ContinuousClock.now + .seconds(120)
        while try store.positions() != fresh.positions() {
            try #require(ContinuousClock.now < deadline, "waited in vain")
            try await Task.sleep(for: .milliseconds(10))
        }
        following.cancel()
        await #expect(throws: CancellationError.self) { try await following.value }
        let end = wallMilliseconds() + 1_000_000
        for store in [store, fresh] { try FlowWriter(store).settle(at: end) }
        #expect(try store.allRows() == fresh.allRows())
    }

    /// What a tracker says of its standing.
    private func standing(_ notices: Notices) -> [FlowTracker.Notice] {
        notices.all.filter { [.joining, .standingBy, .active].contains($0) }
    }

    @Test(.timeLimit(.minutes(5))) func aTrackerStandsByOnlyWhereAnotherIsActive() async throws {
        let notices = [Notices(), Notices()]
        func start(_ number: Int) throws -> Task<Void, any Error> {
            let tracker = FlowTracker(
                try FlowStore(path: ":memory:"), kafka: broker.configuration, notify: notices[number].note)
            return Task { try await tracker.run() }
        }
        let first = try start(0)
        try await eventually { standing(notices[0]).last == .active }
        #expect(standing(notices[0]) == [.joining, .active])
        let second = try start(1)
        try await eventually { standing(notices[1]).last == .standingBy }
        #expect(standing(notices[1]) == [.joining, .standingBy])
        // The first need not move for the second.
        #expect(standing(notices[0]) == [.joining, .active])
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        try await eventually { standing(notices[1]).last == .active }
        #expect(standing(notices[1]) == [.joining, .standingBy, .active])
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
    }

    private func eventually(_ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try await !condition() {
            try #require(ContinuousClock.now < deadline, "waited in vain")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test(.timeLimit(.minutes(5))) func aTrackerThatMayNotJoinItsGroupSaysSo() async throws {
        broker.failNext(.joinGroup, with: [.groupAuthorizationFailed, .groupAuthorizationFailed])
        let notices = Notices()
        let active = AsyncStream<Void>.makeStream()
        let store = try FlowStore(path: ":memory:")
        let running = Task { [broker] in
            let tracker = FlowTracker(store, kafka: broker.configuration) {
                notices.note($0)
                if $0 == .active { active.continuation.finish() }
            }
            try await tracker.run()
        }
        // It goes on trying, and is let in the third time.
        for await _ in active.stream {}
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        let refusals = notices.all.compactMap { if case .refused(let error) = $0 { error.code } else { nil } }
        #expect(refusals == [.groupAuthorizationFailed])
    }

    @Test(.timeLimit(.minutes(5))) func aTrackerThatCanBeAMemberNoMoreEnds() async throws {
        // Fenced by another member: librdkafka raises a fatal error, and the client is of no use any more.
        broker.failNext(.joinGroup, with: [KafkaError.Code(rawValue: 82)])
        let store = try FlowStore(path: ":memory:")
        let tracker = FlowTracker(store, kafka: broker.configuration)
        let error = await #expect(throws: KafkaError.self) { try await tracker.run() }
        #expect(error?.isFatal == true)
    }
}
