// A flow that is too large to be read whole is not blamed for what was not read.

import Testing
import Troupe

@testable import TroupeFlow

@Suite struct LargeFlowTests {
    @Test func whatIsOwedInAPartOfAFlowIsNotKnown() {
        let placed = Shop.event("e1", Shop.placed, at: 1_000)
        var facts = FlowFacts(id: "f", events: [placed])
        let registry = Shop.registry().judged(at: 100_000)
        #expect(FlowJudgement(facts, registry, at: 100_000).status == .stuck)
        facts.isTruncated = true
        let judgement = FlowJudgement(facts, registry, at: 100_000)
        #expect(judgement.status == .running)
        #expect(judgement.steps.map(\.status) == [.notKnown])
    }

    @Test(arguments: [true, false]) func aPartOfAFlowHasTheStatusOfTheWhole(_ isLate: Bool) throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        let services = ["mail", "stock"]
        for service in services {
            try log.declare(Shop.declaration(service, [Shop.route(service, Shop.placed)]), at: 1)
        }
        let ids = (10..<30).map { "e\($0)" }
        for id in ids {
            log.publish(id, Shop.placed, flow: "f", at: 1_000)
            for service in services where !isLate || id != ids.last || service == "mail" {
                try log.report(service, [TaskReport(id, flow: "f", type: Shop.placed, at: 1_010)])
            }
        }
        try writer.apply(log.records, at: 2_000)
        while try writer.sweep(at: 100_000) {}
        let status: FlowStatus = isLate ? .stuck : .running
        #expect(try store.flow("f", at: 100_000)?.summary.status == status)
        let part = try #require(try store.flow("f", at: 100_000, limit: 5))
        #expect(part.isTruncated)
        #expect(part.events.count == 5)
        #expect(part.summary.eventCount == 20)
        #expect(part.summary.status == status)
        #expect(part.verdict.status == status)
        #expect(part.verdict.sentence.hasSuffix("it has 20 events, of which 5 were read"))
    }
}
