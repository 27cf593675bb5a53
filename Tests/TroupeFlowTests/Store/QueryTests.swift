// What a store answers.

import KafkaClient
import SQLite
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct QueryTests {
    private let store: FlowStore
    private let writer: FlowWriter

    init() throws {
        store = try FlowStore(path: ":memory:")
        writer = FlowWriter(store)
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration) }
        try log.beat(Shop.heartbeat("inventory", at: 2_000))
        for number in 1...5 {
            log.publish("e\(number)", Shop.placed, flow: "f\(number)", at: 1_000, subject: "order-\(number)")
        }
        log.publish("e3b", Shop.shipped, flow: "f3", at: 1_100, cause: "e3")
        try log.report("inventory", [TaskReport("e3", flow: "f3", type: Shop.placed, at: 1_050)])
        try writer.apply(log.records, at: 2_000)
    }

    private func ids(_ query: FlowQuery) throws -> [String] { try store.flows(query).flows.map(\.id) }

    @Test func flowsComeInPagesNewestFirst() throws {
        var page = try store.flows(FlowQuery(limit: 2))
        #expect(page.flows.map(\.id) == ["f5", "f4"])
        page = try store.flows(FlowQuery(limit: 2, after: page.next))
        #expect(page.flows.map(\.id) == ["f3", "f2"])
        page = try store.flows(FlowQuery(limit: 2, after: page.next))
        #expect(page.flows.map(\.id) == ["f1"])
        #expect(page.next == nil)
    }

    @Test func flowsAreFoundByEveryCondition() throws {
        #expect(try ids(FlowQuery(subject: "order-2")) == ["f2"])
        #expect(try ids(FlowQuery(text: "e3b")) == ["f3"])
        #expect(try ids(FlowQuery(text: "f4")) == ["f4"])
        #expect(try ids(FlowQuery(text: "order-")) == ["f5", "f4", "f3", "f2", "f1"])
        #expect(try ids(FlowQuery(text: "rder-")) == [])
        #expect(try ids(FlowQuery(type: Shop.shipped)) == ["f3"])
        #expect(try ids(FlowQuery(type: Shop.placed, limit: 2)) == ["f5", "f4"])
        #expect(try ids(FlowQuery(service: "inventory")) == ["f5", "f4", "f3", "f2", "f1"])
        #expect(try ids(FlowQuery(service: "payments")) == [])
        #expect(try ids(FlowQuery(type: Shop.shipped, service: "inventory")) == ["f3"])
        #expect(try ids(FlowQuery(statuses: [.completed])) == ["f3"])
        #expect(try ids(FlowQuery(subject: "order-3", statuses: [.running])) == [])
        #expect(
            try ids(
                FlowQuery(statuses: [.running, .completed], limit: 3, after: FlowCursor(startedAt: 1_000, id: "f5")))
                == ["f4", "f3", "f2"])
    }

    @Test func aFlowIsToldWhole() throws {
        let flow = try #require(try store.flow("f3", at: 2_000))
        #expect(flow.verdict.sentence == "COMPLETED in 100 ms: shop.order.shipped ended the flow")
        #expect(flow.events.map(\.id) == ["e3", "e3b"])
        #expect(flow.events.map(\.ending) == [nil, .completed])
        #expect(flow.steps.map(\.status) == [.handled])
        #expect(flow.steps.first?.attempts.map(\.microseconds) == [1_500])
        #expect(try store.flow("f9", at: 2_000) == nil)
        #expect(try store.flow(ofEvent: "e3b") == "f3")
        #expect(try store.flow(ofEvent: "e9") == nil)
    }

    @Test func aLateFlowIsStuckToTheReaderAtOnceAndToListsAfterASweep() throws {
        #expect(try store.flow("f1", at: 31_000)?.summary.status == .stuck)
        #expect(try store.counts() == [.running: 4, .completed: 1])
        try writer.settle(at: 31_000)
        #expect(try store.counts() == [.stuck: 4, .completed: 1])
    }

    @Test func changesAreToldOnce() throws {
        let start = try store.lastChange()
        #expect(try store.changes(since: start).flows.isEmpty)
        #expect(try store.changes(since: 0).flows.count == 5)
        try writer.settle(at: 31_000)
        let first = try store.changes(since: start, limit: 3)
        #expect(first.flows.count == 3)
        let second = try store.changes(since: first.next, limit: 3)
        #expect(second.flows.count == 1)
        #expect(try store.changes(since: second.next).flows.isEmpty)
        #expect(try store.changes(since: second.next).next == second.next)
    }

    @Test func theRegistryIsTold() throws {
        let services = try store.services(at: 2_000)
        #expect(services.map(\.name) == ["inventory", "payments", "shipping"])
        #expect(services.map(\.liveCount) == [1, 0, 0])
        #expect(try store.services(at: 20_000).map(\.liveCount) == [0, 0, 0])
        try writer.setLag(312, of: "payments", at: 2_000)
        #expect(try store.services(at: 2_000)[1].lag == 312)
    }

    @Test func payloadsAreKeptUpToABound() throws {
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration) }
        let large = [UInt8](repeating: 65, count: 100_000)
        log.publish("big", Shop.reserved, flow: "f1", at: 1_000, value: large)
        log.publish("none", Shop.reserved, flow: "f1", at: 1_000, value: nil)
        try writer.apply(log.records.filter { $0.topic == "stock" }, at: 2_000)
        let payload = try #require(try store.payload(ofEvent: "big", inFlow: "f1"))
        #expect(payload.bytes?.count == 65_536)
        #expect(payload.byteCount == 100_000)
        #expect(payload.isTruncated)
        let none = try #require(try store.payload(ofEvent: "none", inFlow: "f1"))
        #expect(none.bytes == nil)
        #expect(!none.isTruncated)
        #expect(try store.flow("f1", at: 2_000)?.events.first { $0.id == "none" }?.isTombstone == true)
        #expect(try store.payload(ofEvent: "nowhere", inFlow: "f1") == nil)
    }

    @Test func eventsOfTwoFlowsMayHaveTheSameID() throws {
        var log = Log()
        for flow in ["f1", "f2"] {
            log.publish("same", Shop.reserved, flow: flow, at: 1_000, value: Array(flow.utf8), by: "/services/\(flow)")
        }
        try writer.apply(log.records, at: 2_000)
        let payloads = try ["f1", "f2", "f3"].map { try store.payload(ofEvent: "same", inFlow: $0)?.bytes }
        #expect(payloads == [Array("f1".utf8), Array("f2".utf8), nil])
    }

    @Test func aNewDeclarationHasEveryFlowJudgedAgain() throws {
        try writer.settle(at: 2_000)
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration) }
        try log.beat(Shop.heartbeat("inventory", at: 2_000))
        let before = log.records.count
        try log.declare(Shop.declaration("mail", [Shop.route("mail", Shop.placed)]), at: 1_050)
        try writer.apply(Array(log.records.dropFirst(before)), at: 2_000)
        try writer.settle(at: 2_000)
        #expect(try ids(FlowQuery(service: "mail")).count == 5)
        #expect(try store.counts() == [.running: 5])
        // It is taken back, and nothing of it remains.
        log.append(
            "troupe.services", 0, key: RegistryKey.declaration(service: "mail", fingerprint: "v1").text, value: nil,
            at: 3_000)
        try writer.apply(Array(log.records.suffix(1)), at: 2_000)
        try writer.settle(at: 2_000)
        #expect(try ids(FlowQuery(service: "mail")).isEmpty)
        #expect(try store.counts() == [.running: 4, .completed: 1])
    }

    @Test func recordsThatAreNoEventsAreReadPast() throws {
        var log = Log()
        log.append("stock", 0, value: Array("junk".utf8), at: 0)
        log.append("troupe.tasks", 1, value: Array("{".utf8), at: 0)
        log.append("troupe.tasks", 1, value: nil, at: 0)
        log.append("troupe.services", 1, key: "strange", value: nil, at: 0)
        log.append("troupe.services", 1, key: "declaration/other/x", value: Array("{}".utf8), at: 0)
        #expect(try writer.apply(log.records, at: 2_000).records == 5)
        #expect(try store.counts() == [.running: 4, .completed: 1])
        #expect(try store.positions().contains(StorePosition(topic: "troupe.tasks", partition: 1, next: 2)))
    }

    @Test func reportsWithIdsThatNoEventCanHaveAreReadPast() throws {
        let store = try FlowStore(path: ":memory:")
        let limit = EventEnvelope.maxAttributeBytes
        let long = String(repeating: "x", count: limit + 1)
        var log = Log()
        try log.report(
            "inventory",
            [
                TaskReport(long, flow: "f1", type: Shop.placed, at: 1), TaskReport("e1", flow: long, type: "t", at: 1),
                TaskReport("e1", flow: String(repeating: "f", count: limit), type: Shop.placed, at: 1),
            ])
        try FlowWriter(store).apply(log.records, at: 2)
        #expect(try store.flows().flows.map(\.id.utf8.count) == [limit])
    }

    @Test func everyListReadsAlongAnIndex() throws {
        let after = FlowCursor(startedAt: 7, id: "f")
        let queries = [
            FlowQuery(), FlowQuery(subject: "a"), FlowQuery(type: "a"), FlowQuery(service: "a"),
            FlowQuery(statuses: [.stuck]), FlowQuery(type: "a", after: after), FlowQuery(after: after),
            FlowQuery(subject: "a", after: after), FlowQuery(statuses: [.stuck, .running, .failed], after: after),
            FlowQuery(type: "a", service: "b"), FlowQuery(text: "a", subject: "b", type: "c", statuses: [.running]),
            FlowQuery(type: "a", statuses: [.stuck]),
        ]
        for query in queries {
            for look in [1, 4_000] {
                let plan = try plan(query, look: look)
                #expect(!plan.contains { $0.contains("ORDER BY") || $0.contains("SCAN") }, "\(query): \(plan)")
                // However many flows started at one moment, none is passed over one by one.
                #expect(plan.contains { $0.contains("(started,id)>(?,?)") }, "\(query): \(plan)")
                #expect(query.after == nil || plan.contains { $0.contains("(started,id)<(?,?)") }, "\(query): \(plan)")
            }
        }
    }

    /// They are few, or else the list is read along.
    @Test func onlyWhatATextMeansIsSorted() throws {
        for (look, isSorted) in [(5, true), (4, false)] {
            let plan = try plan(FlowQuery(text: "order-", type: Shop.placed), look: look)
            #expect(plan.contains { $0.contains("USE TEMP B-TREE FOR ORDER BY") } == isSorted, "\(plan)")
            #expect(!plan.contains { $0.contains("SCAN") }, "\(plan)")
        }
    }

    /// How SQLite answers a query.
    private func plan(_ query: FlowQuery, look: Int) throws -> [String] {
        try store.reader.read { connection in
            let (sql, values) = try FlowSearch(query, look: look, connection).statement(
                limit: 10, downTo: FlowCursor(startedAt: 1, id: ""))
            return try connection.query("EXPLAIN QUERY PLAN " + sql, arguments: values) {
                try $0.get(3, as: String.self)
            }
        }
    }

    /// The answer does not depend on how far one page looks.
    @Test(arguments: [1, 2, 3, 100]) func pagesOfABoundedLookFindTheSameFlows(_ look: Int) throws {
        let types = [nil, Shop.placed, Shop.shipped, "shop.nothing"]
        let services = [nil, "inventory", "nobody"]
        let statuses: [Set<FlowStatus>] = [[], [.completed], [.stuck], [.running, .completed]]
        for text in [nil, "order-", "order-3", "e3b", "f2"] {
            for subject in [nil, "order-3"] {
                for type in types {
                    for service in services {
                        for status in statuses {
                            var query = FlowQuery(
                                text: text, subject: subject, type: type, service: service, statuses: status, limit: 2)
                            let expected = try expected(query)
                            var found: [String] = []
                            var pages = 0
                            repeat {
                                let page = try store.flows(query, look: look)
                                found += page.flows.map(\.id)
                                query.after = page.next
                                pages += 1
                            } while query.after != nil && pages < 20
                            #expect(found == expected, "\(query)")
                        }
                    }
                }
            }
        }
    }

    /// What fits a query, as the flows themselves say.
    private func expected(_ query: FlowQuery) throws -> [String] {
        try ["f5", "f4", "f3", "f2", "f1"].filter { id in
            let flow = try #require(try store.flow(id, at: 2_000))
            let ids = [id] + flow.events.map(\.id)
            return (query.text.map { ids.contains($0) || flow.summary.subject?.hasPrefix($0) == true } ?? true)
                && (query.subject.map { flow.summary.subject == $0 } ?? true)
                && (query.type.map { type in flow.events.contains { $0.type == type } } ?? true)
                && (query.service.map { name in flow.steps.contains { $0.service == name } } ?? true)
                && (query.statuses.isEmpty || query.statuses.contains(flow.summary.status))
        }
    }
}
