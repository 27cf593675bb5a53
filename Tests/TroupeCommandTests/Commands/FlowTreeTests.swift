// A flow as a tree, also one that is a long chain.

import Testing
import TroupeFlow

@testable import TroupeCommand

@Suite struct FlowTreeTests {
    private func chain(_ count: Int) -> FlowTree {
        let events = (0..<count).map { number in
            FlowEvent(
                id: "e\(number)", type: "step", source: "/", topic: "steps", partition: 0, offset: Int64(number),
                time: Int64(number), causationID: number == 0 ? nil : "e\(number - 1)")
        }
        let summary = FlowSummary(
            id: "f", subject: nil, type: "step", status: .running, startedAt: 0, endedAt: nil, updatedAt: 0,
            eventCount: count, change: 1)
        return FlowTree(
            flow: FlowDetail(
                summary: summary, verdict: Verdict(status: .running, sentence: "RUNNING"), events: events, steps: []))
    }

    @Test func aChainIsShownToTheLastLevel() {
        let lines = chain(201).lines(.plain).dropFirst(3)
        #expect(lines.count == 201)
        #expect(lines.last?.contains("steps/0@200") == true)
    }

    @Test func aLongChainEndsWithALineThatSaysSo() {
        let lines = chain(10_000).lines(.plain).dropFirst(3)
        #expect(lines.count == 202)
        #expect(lines.last?.hasSuffix("└─ … what came of it is deeper than 200 levels") == true)
    }
}
