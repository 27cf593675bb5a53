// The searches of the model: what is explored in every test run, and what by `TROUPE_MODEL=long`.

import Testing

/// A scenario with a name.
struct Search: CustomTestStringConvertible, Sendable {
    let name: String
    let scenario: @Sendable () -> Scenario

    init(_ name: String, _ scenario: @autoclosure @escaping @Sendable () -> Scenario) {
        self.name = name
        self.scenario = scenario
    }

    var testDescription: String { name }

    /// Explored in every test run.
    static let quick: [Search] = [
        Search("two keys, four events, two failures", Scenario([[0, 1, 0, 1]], owners: [0, 0]) { $0.failures = 2 }),
        Search(
            "two keys, four events, the partitions on two members",
            Scenario([[0, 1, 0, 1]], owners: [0, 1]) { $0.failures = 2 }),
        Search(
            "acknowledgements and news of commits come late",
            Scenario([[0, 0, 0]], owners: [0, 0]) {
                $0.failures = 2
                $0.givesUpAtOnce = true
                $0.holdsInPlace = true
                $0.splitsCommits = true
                $0.splitsDeliveries = true
            }),
        Search(
            "the same on two members",
            Scenario([[0, 0, 0]], owners: [0, 1]) {
                $0.givesUpAtOnce = true
                $0.splitsCommits = true
                $0.splitsDeliveries = true
            }),
        Search("all keys share a mark", Scenario([[0, 1, 0]], owners: [0, 0]) { $0.buckets = 1 }),
        Search(
            "a record that cannot follow",
            Scenario([[0, 0, 0]], owners: [0, 0]) {
                $0.unfollowable = [1]
                $0.splitsDeliveries = true
            }),
        Search(
            "a record that cannot follow, and a new owner",
            Scenario([[0, 0]], owners: [0, 1]) {
                $0.unfollowable = [1]
                $0.revokes = 1
            }),
        Search(
            "another key waits for ever", Scenario([[1, 0, 0]], owners: [0, 0]) { $0.endless = [0] }),
        Search(
            "a delivery that failed, it was said; a redirect that is refused",
            Scenario([[0, 0, 0]], owners: [0, 0]) {
                $0.splitsDeliveries = true
                $0.falseFailures = 1
                $0.refusals = 1
            }),
        Search("offsets that are never read", Scenario([[0, -1, 0, -1]], owners: [0, 0])),
        Search(
            "two writers to one retry partition", Scenario([[0, 0], [1, 1]], owners: [0, 1, 1])),
        Search(
            "a crash", Scenario([[0, 0]], owners: [0, 0]) { $0.crashes = 1 }),
        Search(
            "a crash, three events, two members",
            Scenario([[0, 0, 0]], owners: [0, 1]) {
                $0.crashes = 1
                $0.lateRecords = false
            }),
        Search(
            "a crash while events are published",
            Scenario([[0]], owners: [0, 0]) {
                $0.crashes = 1
                $0.publishes = true
            }),
        Search(
            "a crash beside a second writer",
            Scenario([[0], [1]], owners: [0, 1, 1]) { $0.crashes = 1 }),
        Search("a rebalance", Scenario([[0, 0]], owners: [0, 0]) { $0.revokes = 1 }),
        Search("a rebalance, two members", Scenario([[0, 0]], owners: [0, 1]) { $0.revokes = 1 }),
        Search(
            "a partition lost unawares", Scenario([[0]], owners: [0, 1]) { $0.losses = 1 }),
        Search(
            "exactly-once, two keys", Scenario([[0, 1, 0]], owners: [0, 1]) { $0.exactlyOnce = true }),
        Search(
            "exactly-once, a crash",
            Scenario([[0, 0]], owners: [0, 0]) {
                $0.exactlyOnce = true
                $0.crashes = 1
            }),
        Search(
            "exactly-once, partitions lost unawares",
            Scenario([[0, 0]], owners: [0, 1]) {
                $0.exactlyOnce = true
                $0.losses = 1
            }),
        Search(
            "exactly-once, a rebalance",
            Scenario([[0, 0]], owners: [0, 0]) {
                $0.exactlyOnce = true
                $0.revokes = 1
            }),
        Search(
            "exactly-once, an abort and a record that cannot follow",
            Scenario([[0, 0]], owners: [0, 0]) {
                $0.exactlyOnce = true
                $0.unfollowable = [1]
                $0.aborts = 1
            }),
        Search(
            "exactly-once, an abort, three events",
            Scenario([[0, 0, 0]], owners: [0, 1]) {
                $0.exactlyOnce = true
                $0.aborts = 1
            }),
    ]

    /// Explored by `TROUPE_MODEL=long` too; each is bounded so that all end in about five minutes in release.
    static let long: [Search] = [
        Search(
            "two keys, four events, everything late",
            Scenario([[0, 1, 0, 1]], owners: [0, 1]) {
                $0.failures = 2
                $0.givesUpAtOnce = true
                $0.holdsInPlace = true
                $0.splitsCommits = true
                $0.splitsDeliveries = true
            }),
        Search(
            "two keys, a crash while events are published",
            Scenario([[0, 1]], owners: [0, 0]) {
                $0.crashes = 1
                $0.publishes = true
            }),
        Search(
            "two events, a crash beside a second writer",
            Scenario([[0, 0], [1]], owners: [0, 1, 1]) { $0.crashes = 1 }),
        Search(
            "three events, a crash, every late record", Scenario([[0, 0, 0]], owners: [0, 1]) { $0.crashes = 1 }),
        Search("two events, partitions lost unawares", Scenario([[0, 0]], owners: [0, 0]) { $0.losses = 1 }),
        Search("two keys, a crash", Scenario([[0, 1, 0]], owners: [0, 0]) { $0.crashes = 1 }),
        Search("two keys, a crash, two members", Scenario([[0, 1, 0]], owners: [0, 1]) { $0.crashes = 1 }),
        Search(
            "two keys that share a mark, a crash",
            Scenario([[0, 1, 0]], owners: [0, 0]) {
                $0.buckets = 1
                $0.crashes = 1
                $0.lateRecords = false
            }),
        Search("two keys, a rebalance", Scenario([[0, 1, 0]], owners: [0, 1]) { $0.revokes = 1 }),
        Search(
            "two keys, an event each, partitions lost unawares", Scenario([[0, 1]], owners: [0, 1]) { $0.losses = 1 }),
        Search(
            "two keys, partitions lost unawares, no late record",
            Scenario([[0, 1, 0]], owners: [0, 1]) {
                $0.losses = 1
                $0.lateRecords = false
            }),
        // Two faults in any order: every late record with two events, none with three.
        Search("two events, two crashes", Scenario([[0, 0]], owners: [0, 0]) { $0.crashes = 2 }),
        Search(
            "three events, two crashes, no late record",
            Scenario([[0, 0, 0]], owners: [0, 1]) {
                $0.crashes = 2
                $0.lateRecords = false
            }),
        Search(
            "two events, a crash and a rebalance",
            Scenario([[0, 0]], owners: [0, 1]) {
                $0.crashes = 1
                $0.revokes = 1
            }),
        Search(
            "three events, a crash and a rebalance, no late record",
            Scenario([[0, 0, 0]], owners: [0, 1]) {
                $0.crashes = 1
                $0.revokes = 1
                $0.lateRecords = false
            }),
        Search(
            "two events, a crash and partitions lost unawares, no late record",
            Scenario([[0, 0]], owners: [0, 1]) {
                $0.crashes = 1
                $0.losses = 1
                $0.lateRecords = false
            }),
        Search(
            "exactly-once, two keys, a crash",
            Scenario([[0, 1, 0]], owners: [0, 1]) {
                $0.exactlyOnce = true
                $0.crashes = 1
            }),
        Search("exactly-once, three events, a crash", exactlyOnce(3) { $0.crashes = 1 }),
        Search("exactly-once, three events, a rebalance", exactlyOnce(3) { $0.revokes = 1 }),
        Search("exactly-once, three events, partitions lost unawares", exactlyOnce(3) { $0.losses = 1 }),
        Search(
            "exactly-once, two events, a crash and partitions lost unawares",
            exactlyOnce(2) {
                $0.crashes = 1
                $0.losses = 1
            }),
        Search(
            "exactly-once, two events, a crash and a rebalance",
            exactlyOnce(2) {
                $0.crashes = 1
                $0.revokes = 1
            }),
        Search(
            "exactly-once, two events, a crash and an abort",
            exactlyOnce(2) {
                $0.crashes = 1
                $0.aborts = 1
            }),
        Search(
            "exactly-once, two events, a rebalance and partitions lost unawares",
            exactlyOnce(2) {
                $0.revokes = 1
                $0.losses = 1
            }),
        Search(
            "exactly-once, two events, an abort and partitions lost unawares",
            exactlyOnce(2) {
                $0.aborts = 1
                $0.losses = 1
            }),
        Search(
            "exactly-once, two events, an abort and a rebalance",
            exactlyOnce(2) {
                $0.aborts = 1
                $0.revokes = 1
            }),
    ]

    /// One key's events on two members, exactly once.
    private static func exactlyOnce(_ events: Int, _ change: (inout Scenario.Options) -> Void) -> Scenario {
        Scenario([[Int](repeating: 0, count: events)], owners: [0, 1]) {
            $0.exactlyOnce = true
            change(&$0)
        }
    }
}

/// A rule, and where leaving it out breaks which promise.
struct Counterexample: CustomTestStringConvertible, Sendable {
    let rule: Rule
    let promise: Violation.Promise
    let scenario: @Sendable () -> Scenario

    init(
        _ rule: Rule, breaks promise: Violation.Promise, _ scenario: @autoclosure @escaping @Sendable () -> Scenario
    ) {
        self.rule = rule
        self.promise = promise
        self.scenario = scenario
    }

    var testDescription: String { rule.rawValue }

    static let all: [Counterexample] = [
        // 1. a redirected, b handled.
        Counterexample(.mark, breaks: .order, Scenario([[0, 0]], owners: [0, 0])),
        // b read before a failed.
        Counterexample(.lookAtDispatch, breaks: .order, Scenario([[0, 0]], owners: [0, 0])),
        // 2. a redirected, b behind it, a handled and the mark lifted, c before b.
        Counterexample(.liftByLast, breaks: .order, Scenario([[0, 0, 0]], owners: [0, 0])),
        // Another key waits in front of a for ever.
        Counterexample(
            .liftByWindow, breaks: .noStall, Scenario([[1, 0, 0]], owners: [0, 0]) { $0.endless = [0] }),
        // Another key's event in the same bucket is done behind a, which waits.
        Counterexample(.sharedMarks, breaks: .order, Scenario([[0, 1, 0]], owners: [0, 0]) { $0.buckets = 1 }),
        // 3. a's delivery fails and is made again behind b's.
        Counterexample(.oneRedirectAtATime, breaks: .order, Scenario([[0, 0]], owners: [0, 0])),
        // 4. a committed as done, its redirect lost with its member.
        Counterexample(
            .acknowledgedFirst, breaks: .noLoss,
            Scenario([[0]], owners: [0, 0]) {
                $0.crashes = 1
                $0.lateRecords = false
            }),
        // 5. a's second copy lies behind b.
        Counterexample(.heldInPlace, breaks: .order, Scenario([[0, 0]], owners: [0, 0]) { $0.failures = 2 }),
        // b's copy beside a's.
        Counterexample(.retryLanes, breaks: .order, Scenario([[0, 0]], owners: [0, 0])),
        // 6. b handled while a's letter is under way.
        Counterexample(
            .letterHoldsLane, breaks: .order, Scenario([[0, 0]], owners: [0, 0]) { $0.givesUpAtOnce = true }),
        // 7. a waits in the retry topic, its member dies, the next one handles b.
        Counterexample(
            .marksFromRetryTopic, breaks: .order, Scenario([[0, 0]], owners: [0, 0]) { $0.crashes = 1 }),
        // a lands behind the end that the next owner saw, and is committed by the last one.
        Counterexample(.endAfterLedger, breaks: .order, Scenario([[0, 0]], owners: [0, 0]) { $0.revokes = 1 }),
        // b is done behind a, which is not.
        Counterexample(.ledgerWindow, breaks: .notAgain, Scenario([[0, 1]], owners: [0, 0]) { $0.crashes = 1 }),
        // 8. a was handled elsewhere, and its key follows for ever.
        Counterexample(.liftFromAfar, breaks: .noStall, Scenario([[0]], owners: [0, 1])),
        // 9. a is under way when its partition has to go.
        Counterexample(.dropLostWork, breaks: .noLoss, Scenario([[0]], owners: [0, 0]) { $0.revokes = 1 }),
        // 10. a's effects are committed, the offset not yet to be seen.
        Counterexample(
            .stableOffsets, breaks: .once,
            Scenario([[0]], owners: [0, 0]) {
                $0.exactlyOnce = true
                $0.crashes = 1
            }),
        // a's redirect is committed, the marker of its partition not yet written.
        Counterexample(
            .highWatermark, breaks: .order,
            Scenario([[0, 0]], owners: [0, 0]) {
                $0.exactlyOnce = true
                $0.crashes = 1
            }),
        // a was handled by the next owner too.
        Counterexample(
            .ownedOffsetsOnly, breaks: .once,
            Scenario([[0]], owners: [0, 1]) {
                $0.exactlyOnce = true
                $0.losses = 1
            }),
        // a's redirect is aborted, its offset committed with the next transaction.
        Counterexample(
            .restartAfterAbort, breaks: .noLoss,
            Scenario([[0]], owners: [0, 0]) {
                $0.exactlyOnce = true
                $0.aborts = 1
            }),
        // 11. The base stays in front of a transaction's marker.
        Counterexample(.gapsAreDone, breaks: .noStall, Scenario([[0, -1, 0]], owners: [0, 0])),
        // Where one member has both: a done before its redirect's acknowledgement came, and nothing else to commit.
        Counterexample(
            .liftAtOnce, breaks: .noStall,
            Scenario([[0, 0]], owners: [0, 0]) {
                $0.unfollowable = [1]
                $0.splitsDeliveries = true
            }),
    ]
}
