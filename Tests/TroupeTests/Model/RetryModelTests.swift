// The rules of order through retries, explored: they hold in every state, and each of them is needed.

import Foundation
import Testing

@testable import Troupe

// One search at a time: the long ones fill hundreds of megabytes.
@Suite(.serialized) struct RetryModelTests {
    /// `TROUPE_MODEL=long` goes further; any value has each search tell what it saw.
    private static let mode = ProcessInfo.processInfo.environment["TROUPE_MODEL"]

    /// The searches of this run.
    static var searches: [Search] { mode == "long" ? Search.quick + Search.long : Search.quick }

    @Test(arguments: searches) func promisesHoldInEveryState(_ search: Search) {
        let began = clock()
        let result = explore(search.scenario())
        #expect(result.violation == nil, "\(result.story)")
        #expect(result.isComplete)
        #expect(result.ends > 0)
        if Self.mode == nil { return }
        let time = Double(clock() - began) / Double(CLOCKS_PER_SEC)
        print("model: \(search.name): \(result.story), \(String(format: "%.1f", time)) s of CPU")
    }

    @Test(arguments: Counterexample.all) func everyRuleIsNeeded(_ counterexample: Counterexample) {
        let scenario = counterexample.scenario()
        let kept = explore(scenario)
        #expect(kept.violation == nil, "\(kept.story)")
        #expect(kept.isComplete)
        let broken = explore(scenario.without(counterexample.rule))
        #expect(broken.violation?.promise == counterexample.promise, "\(broken.story)")
    }

    @Test func everyRuleHasItsCounterexample() {
        #expect(Counterexample.all.map(\.rule) == Rule.allCases)
    }
}
