// Lists are in the order in which flows started, however they were read.

import EventJSON
import KafkaClient
import SQLite
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct ListOrderTests {
    private let end: Int64 = 10_000_000

    /// A query for every way a list is read along, and some that several conditions share.
    private static let queries = [
        FlowQuery(), FlowQuery(text: "order-"), FlowQuery(text: "order-12"), FlowQuery(subject: "order-7"),
        FlowQuery(statuses: [.stuck]), FlowQuery(statuses: [.running, .completed, .deadLettered, .stuck]),
        FlowQuery(type: Shop.reserved), FlowQuery(service: "payments"),
        FlowQuery(text: "order-", type: Shop.reserved, service: "inventory", statuses: [.completed, .stuck]),
    ]

    /// Flows of which some start at one moment.
    private func traffic(_ seed: UInt64) throws -> [KafkaRecord] {
        var records = try Traffic(flows: 150, seed: seed).interleaved(seed: seed)
        var log = Log()
        for number in 0..<12 {
            log.publish(
                "tie-\(number)-e1", Shop.reserved, flow: "tie-\(number)", at: 1_500, partition: Int32(10 + number),
                subject: "order-tie")
        }
        records.insert(contentsOf: seed % 2 == 0 ? log.records : log.records.reversed(), at: records.count / 2)
        return records
    }

    private func store(_ records: [KafkaRecord], batch: Int = .max) throws -> FlowStore {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var rest = records[...]
        while !rest.isEmpty {
            try writer.apply(Array(rest.prefix(batch)), at: end)
            rest = rest.dropFirst(batch)
        }
        try writer.settle(at: end)
        return store
    }

    /// The whole list, page by page; `between` is done after the first page.
    private func list(
        _ query: FlowQuery, _ store: FlowStore, look: Int = FlowSearch.look, between: () throws -> Void = {}
    ) throws -> [FlowSummary] {
        var query = query
        query.limit = 7
        var flows: [FlowSummary] = []
        repeat {
            let page = try store.flows(query, look: look)
            if query.after == nil { try between() }
            flows += page.flows
            query.after = page.next
        } while query.after != nil
        return flows
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>) func aRebuildInAnotherOrderGivesTheSameList(_ seed: UInt64) throws {
        let records = try traffic(seed)
        let others = Dictionary(grouping: records, by: \.topicPartition).sorted { $0.key > $1.key }.flatMap(\.value)
        let (store, rebuilt) = (try store(records), try store(others, batch: 37))
        #expect(try store.allRows() == rebuilt.allRows())
        for query in Self.queries {
            let flows = try list(query, store)
            #expect(!flows.isEmpty && Set(flows.map(\.id)).count == flows.count)
            #expect(flows.elementsEqual(flows.sorted { ($0.startedAt, $0.id) > ($1.startedAt, $1.id) }))
            for look in [1, 20, 4_000] {
                #expect(try list(query, rebuilt, look: look).map(\.id) == flows.map(\.id), "\(query)")
            }
        }
    }

    @Test func aFlowThatStartsInBetweenDisturbsNoPage() throws {
        for query in Self.queries {
            let store = try store(try traffic(7))
            let before = try list(query, store).map(\.id)
            let seen = try list(query, store) {
                var log = Log()
                // Whatever is asked for, they would be the first of it, or are not asked for.
                for number in 0..<20 {
                    log.publish(
                        "new-\(number)", Shop.reserved, flow: "new-\(number)", at: 9_000_000, partition: 30,
                        subject: query.subject ?? "order-12")
                }
                try FlowWriter(store).apply(log.records, at: 9_000_000)
            }
            #expect(seen.map(\.id) == before, "\(query)")
        }
    }

    @Test func aFlowMovesInEveryListWithAnEarlierEvent() throws {
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration, at: 1) }
        log.publish("other", Shop.reserved, flow: "other", at: 2_000, partition: 1, subject: "order-1")
        try log.report("payments", [TaskReport("other", flow: "other", type: Shop.reserved, at: 2_001)])
        log.publish("e2", Shop.reserved, flow: "moved", at: 3_000, subject: "order-1")
        try log.report("payments", [TaskReport("e2", flow: "moved", type: Shop.reserved, at: 3_001)])
        let late = log.records
        log.publish("e1", Shop.placed, flow: "moved", at: 1_000, subject: "order-1")
        let store = try store(late)
        let queries = [
            FlowQuery(), FlowQuery(subject: "order-1"), FlowQuery(type: Shop.reserved), FlowQuery(service: "payments"),
            FlowQuery(statuses: Set(FlowStatus.allCases)),
        ]
        for query in queries { #expect(try list(query, store).map(\.id) == ["moved", "other"], "\(query)") }
        let writer = FlowWriter(store)
        try writer.apply(log.records, at: end)
        try writer.settle(at: end)
        for query in queries { #expect(try list(query, store).map(\.id) == ["other", "moved"], "\(query)") }
        #expect(try store.allRows() == self.store(log.records).allRows())
    }

    /// The place decides that is first by topic, partition and offset, which may be read last.
    @Test(arguments: [1, 2]) func anEventThatIsReadFromAnEarlierPlaceIsListedByItsTypeThere(_ batch: Int) throws {
        var log = Log()
        log.publish("e1", Shop.reserved, flow: "f", at: 1_000)
        log.publish("e1", Shop.placed, flow: "f", at: 900)
        let store = try store(log.records, batch: batch)
        #expect(try list(FlowQuery(type: Shop.reserved), store).isEmpty)
        #expect(try list(FlowQuery(type: Shop.placed), store).map(\.startedAt) == [900])
        #expect(try store.allRows() == self.store(log.records.reversed()).allRows())
    }

    /// Swift takes them for equal, the store does not.
    @Test(arguments: [1, 4]) func typesThatDifferOnlyInTheirBytesAreTwo(_ batch: Int) throws {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        var log = Log()
        log.publish("a", composed, flow: "f", at: 1_000, partition: 1)
        log.publish("a", decomposed, flow: "f", at: 2_000, partition: 0)
        log.publish("b", composed, flow: "f", at: 2_000, partition: 2)
        log.publish("c", Shop.placed, flow: "f", at: 1_000, partition: 3)
        let store = try store(log.records, batch: batch)
        for type in [composed, decomposed, Shop.placed] {
            #expect(try list(FlowQuery(type: type), store).map(\.startedAt) == [1_000])
        }
        #expect(try store.allRows() == self.store(log.records.reversed()).allRows())
    }

    @Test func aLargeFlowIsListedByWhatWasJustRead() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        for number in 1...1_001 { log.publish("e\(number)", Shop.placed, flow: "f", at: 1_000 + Int64(number)) }
        try writer.apply(log.records, at: 3_000)
        log.publish("late", Shop.shipped, flow: "f", at: 500)
        try writer.apply(log.records, at: 3_000)
        #expect(try list(FlowQuery(type: Shop.shipped), store).map(\.startedAt) == [1_001])
        try writer.settle(at: end)
        #expect(try list(FlowQuery(type: Shop.shipped), store).map(\.startedAt) == [500])
        #expect(try store.allRows() == self.store(log.records).allRows())
    }

    @Test func anOlderFileIsListedLikeANewOne() throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let records = try traffic(3)
        do {
            let old = try FlowStore(path: directory.store)
            try FlowWriter(old).apply(records, at: end)
            try FlowWriter(old).settle(at: end)
            try old.writer.read { try $0.undoOrderOfLists() }
        }
        let (store, fresh) = (try FlowStore(path: directory.store), try store(records))
        #expect(try store.allRows() == fresh.allRows())
        for query in Self.queries { #expect(try list(query, store).map(\.id) == list(query, fresh).map(\.id)) }
    }

    @Test func aCursorIsTextAndReadBack() throws {
        for id in ["a.b c", "", "\u{301}x", "\u{FE0F}", "\u{200D}."] {
            let cursor = FlowCursor(startedAt: id.isEmpty ? .max : -7, id: id)
            #expect(FlowCursor(cursor.description) == cursor)
            let page = FlowPage(flows: [], next: cursor)
            #expect(try EventJSONDecoder().decode(FlowPage.self, from: EventJSONEncoder().encode(page)) == page)
        }
        #expect(FlowCursor(startedAt: 1_000, id: "order-7").description == "1000.order-7")
        for text in ["", "7", "x.y", ".y", "99999999999999999999.y"] { #expect(FlowCursor(text) == nil) }
    }
}
