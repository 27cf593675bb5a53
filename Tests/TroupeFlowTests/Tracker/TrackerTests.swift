// A tracker on a cluster: flows are seen as they happen, whoever reads them.

import EventJSON
import KafkaClient
import Synchronization
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct TrackerTests {
    private let corner: TestCorner
    private let producer: KafkaProducer

    init() async throws {
        corner = try await TestCorner(topics: [
            "troupe.services": 1, "troupe.tasks": 3, "orders": 3, "stock": 3, "payments": 3,
        ])
        producer = try KafkaProducer(corner.configuration)
    }

    /// Writes records to the broker, at the offsets they have.
    private func send(_ records: some Sequence<KafkaRecord>) async throws {
        let records = Array(records)
        let deliveries = try await producer.send(contentsOf: records.map(\.message))
        #expect(deliveries.map(\.offset) == records.map(\.offset))
    }

    private func tracker(_ store: FlowStore, notify: @escaping @Sendable (FlowTracker.Notice) -> Void = { _ in })
        -> FlowTracker
    {
        // The heartbeats of the traffic are of long ago: a reading that takes a while must not forget their instances.
        FlowTracker(
            store, kafka: corner.configuration, namespace: corner.namespace,
            retention: FlowRetention(instanceAge: .max), notify: notify)
    }

    @Test func everythingThereIsIsRead() async throws {
        let traffic = try Traffic(flows: 200, seed: 7, namespace: corner.namespace, startingAt: wallMilliseconds())
        try await send(traffic.log.records)
        let store = try FlowStore(path: ":memory:")
        try await tracker(store).catchUp()
        let expected = try FlowStore(path: ":memory:")
        try FlowWriter(expected, namespace: corner.namespace).apply(traffic.log.records, at: 0)
        let end = wallMilliseconds() + 1_000_000
        for store in [store, expected] { try FlowWriter(store).settle(at: end) }
        #expect(try store.allRows() == expected.allRows())
        #expect(try store.flows(FlowQuery(limit: 1_000)).flows.count == 200)
        #expect(try store.observedEdges() == expected.observedEdges())
    }

    @Test func aTopicMadeAnewIsReadFromItsBeginning() async throws {
        let store = try FlowStore(path: ":memory:")
        var old = Log()
        for number in 0..<5 { old.publish("old-\(number)", Shop.placed, flow: "old", at: 1_000) }
        try FlowWriter(store).apply(old.records, at: 1_000)
        var new = Log()
        for number in 0..<2 { new.publish("new-\(number)", Shop.placed, flow: "new", at: 2_000) }
        try await send(new.records)
        let notices = Mutex<[FlowTracker.Notice]>([])
        try await tracker(store) { notice in notices.withLock { $0.append(notice) } }.catchUp()
        #expect(try store.flow("new", at: 3_000)?.events.count == 2)
        #expect(try store.flow("old", at: 3_000)?.events.count == 5)
        #expect(try store.positions().filter { $0.topic == "orders" && $0.partition == 0 }.map(\.next) == [2])
        #expect(notices.withLock { $0 } == [.startedAnew(TopicPartition("orders", 0))])
    }

    @Test func aFlowIsSeenToItsEndWhileItHappens() async throws {
        var log = Log(namespace: corner.namespace)
        let store = try FlowStore(path: ":memory:")
        let caughtUp = AsyncStream<Void>.makeStream()
        let following = Task {
            try await tracker(store) { if $0 == .caughtUp { caughtUp.continuation.finish() } }.follow()
        }
        for await _ in caughtUp.stream {}
        // Nothing was declared when the tracker began: it finds the topics by the declarations.
        let now = wallMilliseconds()
        for declaration in Shop.declarations { try log.declare(declaration, at: now) }
        log.publish("e1", Shop.placed, flow: "f1", at: now, subject: "order-42")
        try await send(log.records)
        try await eventually { try store.flow("f1", at: wallMilliseconds())?.summary.status == .running }
        let before = log.records.count
        try log.report("inventory", [TaskReport("e1", flow: "f1", type: Shop.placed, at: now, published: ["e2"])])
        log.publish("e2", Shop.shipped, flow: "f1", at: now + 5, cause: "e1")
        try await send(log.records.dropFirst(before))
        try await eventually { try store.flow("f1", at: wallMilliseconds())?.summary.status == .completed }
        #expect(try store.counts() == [.completed: 1])
        following.cancel()
        await #expect(throws: CancellationError.self) { try await following.value }
    }

    @Test func aFlowWhoseConsumerIsAwaySaysSoWithItsLag() async throws {
        var log = Log(namespace: corner.namespace)
        let past = wallMilliseconds() - 300_000
        for declaration in Shop.declarations { try log.declare(declaration, at: past) }
        try log.beat(Shop.heartbeat("inventory", at: past))
        for number in 1...3 {
            log.publish("e\(number)", Shop.placed, flow: "f\(number)", at: past, subject: "order-\(number)")
        }
        try await send(log.records)
        // Its group once committed that it had handled the first event of the partition.
        let place = TopicPartition(corner.namespace + "orders", 0)
        let member = try KafkaConsumer(
            corner.configuration, .partitions([place: .earliest], group: corner.namespace + "inventory"))
        try await member.commit([CommittedOffset(place, offset: 1)])
        await member.close()
        let store = try FlowStore(path: ":memory:")
        try await tracker(store).catchUp()
        let flow = try #require(try store.flow("f2", at: past + 270_000))
        #expect(
            flow.verdict.sentence
                == "STUCK 4 min: inventory has not handled shop.order.placed; its group has no members; lag 2")
        #expect(try store.counts() == [.stuck: 3])
    }

    @Test func aTrackerGoesOnWhereTheStoreStands() async throws {
        let traffic = try Traffic(flows: 150, seed: 8, namespace: corner.namespace, startingAt: wallMilliseconds())
        let directory = try TemporaryDirectory()
        var sent = 0
        for part in [0.2, 0.5, 1.0] {
            let end = Int(Double(traffic.log.records.count) * part)
            try await send(traffic.log.records[sent..<end])
            sent = end
            try await tracker(try FlowStore(path: directory.store)).catchUp()
        }
        let fresh = try FlowStore(path: ":memory:")
        try await tracker(fresh).catchUp()
        let store = try FlowStore(path: directory.store)
        let end = wallMilliseconds() + 1_000_000
        for store in [store, fresh] { try FlowWriter(store).settle(at: end) }
        #expect(try store.allRows() == fresh.allRows())
    }

    @Test func oneTrackerIsActiveAndTheOtherTakesOver() async throws {
        let traffic = try Traffic(flows: 20, seed: 11, namespace: corner.namespace, startingAt: wallMilliseconds())
        try await send(traffic.log.records)
        let active = Activations()
        let stores = try [FlowStore(path: ":memory:"), FlowStore(path: ":memory:")]
        let trackers = stores.enumerated().map { number, store in
            tracker(store) { if $0 == .active { active.note(number) } }
        }
        let first = Task { [tracker = trackers[0]] in try await tracker.run() }
        try await eventually { try stores[0].counts().values.reduce(0, +) == 20 }
        let second = Task { [tracker = trackers[1]] in try await tracker.run() }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        try await eventually { try stores[1].counts().values.reduce(0, +) == 20 }
        #expect(active.all == [0, 1])
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
    }

    /// Which trackers became active, in their order.
    private final class Activations: Sendable {
        private let numbers = Mutex<[Int]>([])

        var all: [Int] { numbers.withLock { $0 } }
        func note(_ number: Int) { numbers.withLock { $0.append(number) } }
    }

    @Test func withoutTopicsThereIsNothingToRead() async throws {
        let empty = try await TestCorner()
        let store = try FlowStore(path: ":memory:")
        try await FlowTracker(store, kafka: empty.configuration, namespace: empty.namespace).catchUp()
        #expect(try store.services(at: 0).isEmpty)
    }

    private func eventually(_ condition: () throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try !condition() {
            try #require(ContinuousClock.now < deadline, "waited in vain")
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

extension KafkaRecord {
    /// The message that makes the record.
    var message: KafkaMessage {
        KafkaMessage(
            topic: topic, partition: partition, key: key.map { Array($0) }, value: value.map { Array($0) },
            headers: headers, timestamp: timestamp.milliseconds)
    }
}
