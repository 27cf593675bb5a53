// What was seen of publishers and consumers: counted as it is written, whatever happens to the rows.

import KafkaClient
import SQLite
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct EdgeTests {
    private let end: Int64 = 10_000_000

    /// An order that inventory reserves at the second attempt, and payments dead-letter; one that nobody handles.
    private func log() throws -> Log {
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration, at: 1) }
        log.publish("e1", Shop.placed, flow: "f1", at: 1_000, by: "/services/storefront")
        try log.report(
            "inventory",
            [
                TaskReport(
                    "e1", flow: "f1", type: Shop.placed, at: 1_010, .retrying,
                    failure: .init(type: "Flaky", message: "no")),
                TaskReport("e1", flow: "f1", type: Shop.placed, at: 1_020, attempt: 2, published: ["e2"]),
            ])
        log.publish("e2", Shop.reserved, flow: "f1", at: 1_030, cause: "e1", by: "/services/inventory")
        try log.report(
            "payments", [TaskReport("e2", flow: "f1", type: Shop.reserved, at: 1_040, .deadLettered, attempt: 4)])
        log.publish("e3", Shop.placed, flow: "f2", at: 2_000, by: "/services/storefront")
        log.publish("e4", Shop.paid, flow: "f3", at: 3_000, by: "urn:till")
        return log
    }

    private let expected = [
        ObservedEdge(publisher: "inventory", type: Shop.reserved, count: 1, lastPublishedAt: 1_030),
        ObservedEdge(publisher: "inventory", type: Shop.reserved, consumer: "payments", count: 1, failures: 1),
        ObservedEdge(publisher: "storefront", type: Shop.placed, count: 2, lastPublishedAt: 2_000),
        ObservedEdge(publisher: "storefront", type: Shop.placed, consumer: "inventory", count: 1, failures: 1),
        ObservedEdge(publisher: "urn:till", type: Shop.paid, count: 1, lastPublishedAt: 3_000),
    ]

    @Test func publicationsHandlingsAndFailuresAreCounted() throws {
        let store = try FlowStore(path: ":memory:")
        let records = try log().records
        let writer = FlowWriter(store)
        try writer.apply(records, at: end)
        #expect(try store.observedEdges() == expected)
        // What is brought or judged again is counted once.
        try writer.apply(records, at: end)
        try writer.settle(at: end * 2)
        #expect(try store.observedEdges() == expected)
        #expect(try store.observedEdges(limit: 1) == [expected[2]])
    }

    @Test func theOrderInWhichRecordsComeDoesNotMatter() throws {
        let records = try log().records
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        for place in Set(records.map(\.topicPartition)).sorted(by: >) {
            for record in records where record.topicPartition == place { try writer.apply([record], at: end) }
        }
        #expect(try store.observedEdges() == expected)
    }

    @Test func anEventThatIsPublishedTwiceCountsOnceAsThatOfItsFirstPlace() throws {
        var log = Log()
        log.publish("e", Shop.placed, flow: "f", at: 1_000, partition: 0, by: "/services/a")
        log.publish("e", Shop.placed, flow: "f", at: 1_001, partition: 1, by: "/services/a")
        log.publish("e", Shop.placed, flow: "f", at: 1_002, partition: 2, by: "/services/b")
        for records in [log.records, log.records.reversed()] {
            let store = try FlowStore(path: ":memory:")
            for record in records { try FlowWriter(store).apply([record], at: end) }
            #expect(
                try store.observedEdges() == [
                    ObservedEdge(publisher: "a", type: Shop.placed, count: 1, lastPublishedAt: 1_001)
                ])
        }
    }

    @Test func forgottenFlowsCountNoMore() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        for record in try log().records { try writer.apply([record], at: record.timestamp.milliseconds) }
        // The first flow ended at 1,041 ms, the second at 2,000, and they were read as they went.
        #expect(try writer.forget(FlowRetention(age: end - 1_500, instanceAge: end), at: end) == 1)
        #expect(try store.observedEdges().map(\.count) == [1, 1])
        #expect(try store.observedEdges().map(\.publisher) == ["storefront", "urn:till"])
        #expect(try writer.forget(FlowRetention(age: 0, instanceAge: end), at: end) == 2)
        #expect(try store.observedEdges().isEmpty)
        let left = try store.reader.read { try $0.first("SELECT COUNT(*) FROM edge") { try $0.get(0, as: Int.self) } }
        #expect(left == 0)
        try store.clear()
        try FlowWriter(store).apply(try log().records, at: end)
        #expect(try store.observedEdges() == expected)
    }

    @Test func countsAreThoseOfTheRows() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var rest = try Traffic(flows: 200, seed: 12).interleaved(seed: 12)[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(70))
            try writer.apply(batch, at: batch.map(\.timestamp.milliseconds).max() ?? end)
            rest = rest.dropFirst(70)
        }
        try writer.forget(FlowRetention(age: end - 2_000, instanceAge: end), at: end, limit: 60)
        let rows = try store.reader.read { connection in
            try connection.query(
                """
                SELECT source, type, '', COUNT(*), 0 FROM event GROUP BY source, type
                UNION ALL
                SELECT source, type, service, COUNT(*), SUM(failed) FROM task
                JOIN event ON event.flow = task.flow AND event.id = task.input
                WHERE attempts > 0 OR status = 'handled' GROUP BY source, type, service
                """
            ) { row in
                let consumer: String = try row.get(2)
                return ObservedEdge(
                    publisher: String(try row.get(0, as: String.self).dropFirst("/services/".count)),
                    type: try row.get(1), consumer: consumer.isEmpty ? nil : consumer, count: try row.get(3),
                    failures: try row.get(4))
            }
        }
        let edges = try store.observedEdges().map { edge in
            var edge = edge
            edge.lastPublishedAt = nil
            return edge
        }
        #expect(Set(edges) == Set(rows))
        #expect(edges.count == rows.count)
        #expect(edges.contains { $0.failures > 0 })
    }

    @Test func anOlderFileIsCountedWhenItIsOpened() throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        do {
            let old = try FlowStore(path: directory.store)
            try FlowWriter(old).apply(try log().records, at: end)
            // The file as the version before wrote it.
            try old.writer.read {
                try $0.undoOrderOfLists()
                try $0.executeScript(
                    """
                    DROP TABLE edge; ALTER TABLE task DROP COLUMN edge; ALTER TABLE task DROP COLUMN failed;
                    DROP TABLE unreported; DROP INDEX flow_by_read; ALTER TABLE flow DROP COLUMN read;
                    ALTER TABLE message DROP COLUMN sent_to;
                    CREATE INDEX flow_by_updated ON flow (updated);
                    PRAGMA user_version = 1;
                    """)
            }
        }
        let store = try FlowStore(path: directory.store)
        try FlowWriter(store).settle(at: end)
        #expect(try store.observedEdges() == expected)
    }
}
