// A store holds the same, however its records were brought.

import KafkaClient
import SQLite
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct ExactnessTests {
    private let end: Int64 = 10_000_000

    private func rows(of store: FlowStore) throws -> [String] {
        try FlowWriter(store).settle(at: end)
        return try store.allRows()
    }

    private func fromScratch(_ records: [KafkaRecord]) throws -> [String] {
        let store = try FlowStore(path: ":memory:")
        try FlowWriter(store).apply(records, at: end)
        return try rows(of: store)
    }

    @Test func recordsThatAreBroughtAgainChangeNothing() throws {
        let records = try Traffic(flows: 100, seed: 1).log.records
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        #expect(try writer.apply(records, at: end).records == records.count)
        let before = try rows(of: store)
        #expect(try writer.apply(records, at: end).records == 0)
        #expect(try rows(of: store) == before)
        #expect(before.count { $0.hasPrefix("flow |") } == 100)
    }

    @Test func flowsWhoseIdsOnlyUnicodeTakesForEqualAreTwo() throws {
        var log = Log()
        log.publish("e1", Shop.placed, flow: "caf\u{e9}", at: 1_000)
        log.publish("e2", Shop.placed, flow: "cafe\u{301}", at: 1_000)
        for text in ["\u{e9}", "e\u{301}"] {
            try log.declare(Shop.declaration("s", [Shop.route("s", "order." + text)]), at: 1, fingerprint: text)
        }
        let together = try FlowStore(path: ":memory:")
        try FlowWriter(together).apply(log.records, at: end)
        let alone = try FlowStore(path: ":memory:")
        for record in log.records { try FlowWriter(alone).apply([record], at: end) }
        #expect(try rows(of: together) == rows(of: alone))
        #expect(try rows(of: together).count { $0.hasPrefix("flow |") } == 2)
    }

    @Test(arguments: 1...5) func theOrderOfPartitionsAndTheSizeOfBatchesDoNotMatter(_ seed: UInt64) throws {
        let traffic = try Traffic(flows: 150, seed: seed)
        let expected = try fromScratch(traffic.log.records)
        var random = SeededGenerator(seed: seed &+ 100)
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var rest = traffic.interleaved(seed: seed)[...]
        var now: Int64 = 1_000
        while !rest.isEmpty {
            let count = Int.random(in: 1...200, using: &random)
            try writer.apply(Array(rest.prefix(count)), at: now)
            if Bool.random(using: &random) { try writer.sweep(at: now, limit: 10) }
            rest = rest.dropFirst(count)
            now += 500
        }
        #expect(try rows(of: store) == expected)
    }

    @Test func aCrashBetweenTwoBatchesLosesAndRepeatsNothing() throws {
        let records = try Traffic(flows: 120, seed: 9).log.records
        let directory = try TemporaryDirectory()
        var random = SeededGenerator(seed: 9)
        var brought = 0
        while brought < records.count {
            // A new process: nothing is known but the file. It brings some records that the last one wrote already.
            let writer = FlowWriter(try FlowStore(path: directory.store))
            let from = max(0, brought - Int.random(in: 0...50, using: &random))
            let until = min(records.count, brought + Int.random(in: 1...150, using: &random))
            #expect(try writer.apply(Array(records[from..<until]), at: end).records == until - brought)
            brought = until
        }
        #expect(try rows(of: try FlowStore(path: directory.store)) == fromScratch(records))
    }

    @Test func aStoreThatWasClearedByAnotherRefusesWhatComesAfterTheGap() throws {
        let records = try Traffic(flows: 40, seed: 12).log.records
        let directory = try TemporaryDirectory()
        let writer = FlowWriter(try FlowStore(path: directory.store))
        try writer.apply(Array(records[..<100]), at: end)
        try FlowStore(path: directory.store).clear()
        #expect(throws: FlowWriter.Outdated.self) { try writer.apply(Array(records[100...]), at: end) }
        #expect(throws: FlowWriter.Outdated.self) { try writer.sweep(at: end) }
        #expect(try writer.positions().isEmpty)
        #expect(try writer.apply(records, at: end).records == records.count)
        #expect(try rows(of: try FlowStore(path: directory.store)) == fromScratch(records))
    }

    @Test func aPartitionThatBeginsAnewIsKnownToEveryWriterOfTheFile() throws {
        let records = try Traffic(flows: 10, seed: 13).log.records
        let directory = try TemporaryDirectory()
        let writers = try (0..<2).map { _ in FlowWriter(try FlowStore(path: directory.store)) }
        for writer in writers { try writer.apply(records, at: end) }
        try writers[0].startAnew(TopicPartition("orders", 0))
        #expect(throws: FlowWriter.Outdated.self) { try writers[1].startAnew(TopicPartition("orders", 0)) }
        #expect(throws: FlowWriter.Outdated.self) { try writers[1].apply(records, at: end) }
        let again = records.count { $0.topicPartition == TopicPartition("orders", 0) }
        #expect(try writers[0].apply(records, at: end).records == again)
    }

    @Test func aBatchThatFailsLeavesNothing() throws {
        let records = try Traffic(flows: 20, seed: 3).log.records
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        try writer.apply(Array(records.prefix(30)), at: end)
        let before = try store.allRows()
        try store.writer.read { try $0.executeScript("ALTER TABLE task RENAME TO task_away") }
        #expect(throws: (any Error).self) { try writer.apply(records, at: end) }
        try store.writer.read { try $0.executeScript("ALTER TABLE task_away RENAME TO task") }
        #expect(try store.allRows() == before)
        try writer.apply(records, at: end)
        #expect(try rows(of: store) == fromScratch(records))
    }

    @Test func twoTrackersOnOneFileTakeEachRecordOnce() throws {
        let records = try Traffic(flows: 80, seed: 4).log.records
        let directory = try TemporaryDirectory()
        let writers = [
            FlowWriter(try FlowStore(path: directory.store)), FlowWriter(try FlowStore(path: directory.store)),
        ]
        var taken = 0
        for start in stride(from: 0, to: records.count, by: 40) {
            let slice = Array(records[start..<min(records.count, start + 40)])
            for writer in writers { taken += try writer.apply(slice, at: end).records }
        }
        #expect(taken == records.count)
        #expect(try rows(of: try FlowStore(path: directory.store)) == fromScratch(records))
    }

    @Test func statusesAreThoseOfTheDetails() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        try writer.apply(try Traffic(flows: 200, seed: 5).log.records, at: 5_000)
        for now in [Int64(5_000), 20_000, end] {
            try writer.settle(at: now)
            let flows = try store.flows(FlowQuery(limit: 1_000)).flows
            #expect(flows.count == 200)
            for flow in flows {
                var detail = try #require(try store.flow(flow.id, at: now))
                detail.summary.change = flow.change
                #expect(detail.summary == flow)
            }
            let counts = try store.counts()
            #expect(counts == Dictionary(grouping: flows, by: \.status).mapValues(\.count))
        }
        #expect(try store.counts().keys.contains(.stuck))
        #expect(try store.counts().keys.contains(.completed))
    }

    @Test func aFlowOfManyAttemptsIsNotJudgedWithEveryBatch() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration, at: 1) }
        log.publish("e1", Shop.placed, flow: "f", at: 1_000)
        log.publish("e2", Shop.shipped, flow: "f", at: 1_010)
        try log.report(
            "inventory",
            (1...1_200).map {
                TaskReport("e1", flow: "f", type: Shop.placed, at: 1_000 + Int64($0), .retrying, attempt: $0)
            })
        try writer.apply(log.records, at: 2_500)
        try writer.settle(at: 2_500)
        func status() throws -> FlowStatus? { try store.flows().flows.first?.status }
        #expect(try status() == .running)
        try log.report("inventory", [TaskReport("e1", flow: "f", type: Shop.placed, at: 2_600, attempt: 1_201)])
        try writer.apply(log.records, at: 2_700)
        // Two events and 1,200 attempts, a millisecond for each.
        try writer.settle(at: 3_901)
        #expect(try status() == .running)
        try writer.settle(at: 3_902)
        #expect(try status() == .completed)
    }

    @Test func aHeartbeatOfNoTimeIsBorne() throws {
        let store = try FlowStore(path: ":memory:")
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration, at: 1) }
        try log.beat(Shop.heartbeat("inventory", at: .min) { $0.status.lag = .max })
        try log.beat(Shop.heartbeat("inventory", at: .max, instance: "other") { $0.status.lag = .max })
        #expect(try FlowWriter(store).apply(log.records, at: 2_500).registryChanged)
        #expect(try store.services(at: 2_500).first { $0.name == "inventory" }?.liveCount == 1)
    }
}
