// The flow store beside an exactly-once service: it sees what was committed, and nothing else.

import KafkaClient
import Testing
import Troupe
import TroupeFlow

@Suite(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka), .timeLimit(.minutes(5)))
struct TrackedTransactionsTests {
    private func space() async throws -> TestSpace {
        try await TestSpace(partitions: 2) {
            $0.delivery = .exactlyOnce
            $0.inPlaceRetryLimit = .zero
            $0.tracking = TrackingSettings()
            $0.kafka.properties["session.timeout.ms"] = "6000"
        }
    }

    /// Reserves each order, some at the second attempt.
    private var router: EventRouter {
        var router = EventRouter(retry: .fixed(.milliseconds(50), maxRetries: 2))
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, context in
            if placed.number % 10 == 3, context.attempt == 1 { throw Failure(description: "not yet") }
            return Reserved(order: placed.order, number: placed.number)
        }
        return router
    }

    /// An event as a service would publish it that dies before it commits.
    private func reserved(_ id: String, flow: String, in space: TestSpace) -> KafkaMessage {
        KafkaMessage(
            topic: space.name(Reserved.topic), key: Array(flow.utf8), value: Array("{}".utf8),
            headers: [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", id),
                KafkaHeader("ce_type", Reserved.type.rawValue), KafkaHeader("ce_source", "/services/ghost"),
                KafkaHeader("ce_correlationid", flow),
            ])
    }

    /// The places of all events of the flows with an event of this type, as the store has them.
    private func places(of type: EventType, _ store: FlowStore) throws -> [TopicPartition: [Int64]] {
        let flows = try store.flows(FlowQuery(type: type.rawValue, limit: 1_000)).flows
        let events = try flows.flatMap { try store.flow($0.id, at: 0)?.events ?? [] }
        return Dictionary(
            grouping: events.filter { $0.type == type.rawValue }, by: { TopicPartition($0.topic, $0.partition) }
        ).mapValues { $0.map(\.offset).sorted() }
    }

    @Test func onlyWhatWasCommittedIsSeenAndOnce() async throws {
        let space = try await space()
        let ghost = try await space.transactionalProducer("ghost")
        // Transactions that are given up stand between those of the service.
        let service = space.service("stock", router: router)
        try await withService(service) {
            for round in 0..<3 {
                try await TestCluster.produce(
                    ((100 * round)..<(100 * round + 100)).map { space.placed("order-\($0)", number: $0, id: "e\($0)") })
                try await wait(for: "work in round \(round)") { service.status.published > 100 * round }
                try ghost.beginTransaction()
                try await ghost.send(
                    contentsOf: (0..<20).map { number in
                        reserved("ghost-\(round)-\(number)", flow: "e\(100 * round + number)", in: space)
                    })
                try await ghost.abortTransaction()
            }
            try await wait(for: "all to be reserved") { service.status.published == 300 }
        }
        let store = try FlowStore(path: ":memory:")
        let tracker = FlowTracker(store, kafka: try TestCluster.configuration, namespace: space.namespace)
        try await tracker.catchUp()

        let committed = try await TestCluster.readAll(space.name(Reserved.topic))
        #expect(committed.count == 300)
        #expect(
            try places(of: Reserved.type, store)
                == Dictionary(grouping: committed, by: \.topicPartition).mapValues { $0.map(\.offset).sorted() })
        let edges = try store.observedEdges()
        #expect(edges.filter { $0.publisher == "ghost" }.isEmpty)
        let published = edges.filter { $0.publisher == "stock" && $0.consumer == nil }
        #expect(published.map(\.count) == [300])
        let handled = edges.filter { $0.consumer == "stock" }
        #expect(handled.reduce(0) { $0 + $1.count } == 300)
        #expect(handled.reduce(0) { $0 + $1.failures } == 30)

        // A transaction that is open holds its partitions back, not the reader; what it writes is seen when it commits.
        try ghost.beginTransaction()
        try await ghost.send(reserved("late", flow: "late", in: space))
        try await tracker.catchUp()
        #expect(try store.flow("late", at: 0) == nil)
        try await ghost.commitTransaction()
        await ghost.shutdown()
        let deadline = ContinuousClock.now + TestCluster.patience
        while try store.flow("late", at: 0) == nil {
            try #require(ContinuousClock.now < deadline, "what was committed was not seen")
            try await tracker.catchUp()
        }
        #expect(try store.observedEdges().filter { $0.publisher == "ghost" }.map(\.count) == [1])
    }
}
