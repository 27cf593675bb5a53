// A service that does not say what it does is not blamed for what nobody can know.

import SQLite
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct MissingReportTests {
    /// A leaf: what handles it publishes nothing.
    static let leaf = Shop.declaration("mail", [Shop.route("mail", Shop.placed)])
    let placed = Shop.event("e1", Shop.placed, at: 1_000)

    private func detail(
        _ registry: ServiceRegistry, _ attempts: [FlowFacts.Attempt] = [], at now: Int64 = 100_000
    ) -> FlowDetail {
        FlowDetail(FlowFacts(id: "f", events: [placed], attempts: attempts), registry.judged(at: now), at: now)
    }

    @Test func aServiceThatMakesNoReportsOwesNone() {
        var silent = Self.leaf
        silent.reportsAttempts = false
        let flow = detail(Shop.registry(declarations: [silent]))
        #expect(flow.steps.map(\.status) == [.notKnown])
        #expect(flow.steps.map(\.owedAt) == [nil])
        #expect(flow.summary.status == .running)
        #expect(
            flow.verdict.sentence.hasSuffix(
                "; whether mail handled shop.order.placed is not known: it does not report its attempts"))
        #expect(detail(Shop.registry(declarations: [Self.leaf])).summary.status == .stuck)
    }

    @Test func anotherServiceThatIsLateStillMakesAFlowStuck() {
        var silent = Self.leaf
        silent.reportsAttempts = false
        let flow = detail(Shop.registry(declarations: Shop.declarations + [silent]))
        #expect(flow.summary.status == .stuck)
        #expect(flow.verdict.service == "inventory")
    }

    @Test func whatWasLostHidesOnlyStepsFromBeforeTheLossEnded() {
        var registry = Shop.registry(declarations: [Self.leaf])
        registry.unreportedUntil = ["mail": 1_000]
        #expect(detail(registry).steps.map(\.status) == [.notKnown])
        #expect(detail(registry).verdict.sentence.hasSuffix("is not known: it lost reports of its attempts"))
        registry.unreportedUntil = ["mail": 999]
        #expect(detail(registry).summary.status == .stuck)
        // A later attempt that failed was reported: the next one is owed.
        registry.unreportedUntil = ["mail": 1_500]
        let failed = Shop.attempt("mail", placed, at: 2_000, .retrying)
        #expect(detail(registry, [failed]).steps.map(\.status) == [.waiting])
    }

    @Test func aStoreRemembersWhenReportsWereLost() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        func beat(_ unreported: Int, at time: Int64) throws {
            try log.beat(Shop.heartbeat("mail", at: time) { $0.status.unreported = unreported })
        }
        try log.declare(Self.leaf, at: 1)
        try beat(0, at: 500)
        log.publish("e1", Shop.placed, flow: "f1", at: 1_000)
        try beat(3, at: 2_000)
        // The count stands: nothing was lost since.
        try beat(3, at: 4_000)
        log.publish("e2", Shop.placed, flow: "f2", at: 60_001)
        try writer.apply(log.records, at: 5_000)
        #expect(try store.flow("f1", at: 100_000)?.summary.status == .running)
        #expect(try store.flow("f1", at: 100_000)?.steps.map(\.status) == [.notKnown])
        #expect(try store.flow("f2", at: 100_000)?.summary.status == .stuck)
        while try writer.sweep(at: 100_000) {}
        #expect(try store.counts() == [.running: 1, .stuck: 1])
        // More is lost: what was stuck is judged again.
        var more = log
        try more.beat(Shop.heartbeat("mail", at: 66_000) { $0.status.unreported = 4 })
        try writer.apply(more.records, at: 100_000)
        while try writer.sweep(at: 100_000) {}
        #expect(try store.counts() == [.running: 2])
    }

    @Test func whatWasHandledBeforeAServiceBeganToReportIsNotKnown() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var silent = Self.leaf
        silent.reportsAttempts = false
        var log = Log()
        try log.declare(silent, at: 1, fingerprint: "silent")
        log.publish("e1", Shop.placed, flow: "f1", at: 1_000)
        try log.beat(Shop.heartbeat("mail", at: 2_000, declaration: "silent", instance: "old"))
        try log.beat(
            Shop.heartbeat("mail", at: 2_500, declaration: "silent", instance: "old") { $0.status.phase = .stopped })
        try log.declare(Self.leaf, at: 3_000)
        try log.beat(Shop.heartbeat("mail", at: 3_000))
        log.publish("e2", Shop.placed, flow: "f2", at: 64_000)
        try writer.apply(log.records, at: 5_000)
        try writer.apply(log.records, at: 5_000)
        #expect(try store.flow("f1", at: 100_000)?.steps.map(\.status) == [.notKnown])
        #expect(try store.flow("f2", at: 100_000)?.summary.status == .stuck)
    }

    @Test func aReportThatCannotBeReadHidesNoOthers() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        try log.declare(Self.leaf, at: 1)
        for number in 1...3 { log.publish("e\(number)", Shop.placed, flow: "f\(number)", at: 70_000) }
        log.publish("e4", Shop.placed, flow: "f4", at: 200_000)
        // The second one ended in a way that only a newer version knows; the third is as it in all that is left out.
        let batch = """
            {"service":"mail","instance":"mail-1","tasks":[
            {"event":"e1","flow":"f1","type":"\(Shop.placed)","topic":"orders","partition":0,"offset":0,"startedAt":71000},
            {"event":"e2","flow":"f2","offset":1,"outcome":"postponed","startedAt":72000},
            {"event":"e3","flow":"f3","offset":2}]}
            """
        log.append("troupe.tasks", 0, value: Array(batch.utf8), at: 80_000)
        try writer.apply(log.records, at: 81_000)
        let steps = try (1...4).map { try store.flow("f\($0)", at: 300_000)?.steps.map(\.status) }
        #expect(steps == [[.handled], [.notKnown], [.handled], [.owed]])
        let third = try store.flow("f3", at: 300_000)?.steps.first?.attempts.first
        #expect(third?.startedAt == 72_000)
    }

    @Test func lossesThatGoOnHaveTheStoreJudgedOnceAMinute() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        try log.declare(Self.leaf, at: 1)
        log.publish("e1", Shop.placed, flow: "f1", at: 1_000)
        try writer.apply(log.records, at: 1_000)
        try writer.settle(at: 1_000)
        var reviews = 0
        for number in 1...36 {
            try log.beat(Shop.heartbeat("mail", at: Int64(number) * 5_000) { $0.status.unreported = number })
            try writer.apply(log.records, at: Int64(number) * 5_000)
            if try store.reader.read({ try $0.counter("review") }) > 0 { reviews += 1 }
            try writer.settle(at: Int64(number) * 5_000)
        }
        #expect(reviews == 3)
    }
}
