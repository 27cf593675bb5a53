// What a flow's status follows from, on a clock that stands where it is put.

import Testing
import Troupe

@testable import TroupeFlow

@Suite struct StatusTests {
    let placed = Shop.event("e1", Shop.placed, at: 1_000)
    let reserved = Shop.event("e2", Shop.reserved, at: 1_010, cause: "e1")
    let paid = Shop.event("e3", Shop.paid, at: 1_020, cause: "e2")
    let declined = Shop.event("e3", Shop.declined, at: 1_020, cause: "e2")
    let released = Shop.event("e4", Shop.released, at: 1_030, cause: "e3")
    let shipped = Shop.event("e5", Shop.shipped, at: 1_040, cause: "e3")
    let cancelled = Shop.event("e5", Shop.cancelled, at: 1_040, cause: "e4")

    private func judge(
        _ events: [FlowEvent], _ attempts: [FlowFacts.Attempt] = [], at now: Int64 = 2_000,
        _ registry: ServiceRegistry = Shop.registry()
    ) -> FlowJudgement {
        FlowJudgement(FlowFacts(id: "f", events: events, attempts: attempts), registry.judged(at: now), at: now)
    }

    @Test func anOwedStepInTimeMakesAFlowRunning() {
        let judgement = judge([placed])
        #expect(judgement.status == .running)
        #expect(judgement.steps.map(\.service) == ["inventory"])
        #expect(judgement.steps.map(\.status) == [.owed])
        #expect(judgement.steps.map(\.publishes) == [[Shop.reserved, Shop.rejected]])
        #expect(judgement.nextOwedAt == 31_000)
        #expect(judgement.endedAt == nil)
        #expect(judgement.subject == "order-42")
        #expect(judgement.type == Shop.placed)
    }

    @Test func aStepIsLateAtTheMomentItIsOwed() {
        #expect(judge([placed], at: 30_999).status == .running)
        #expect(judge([placed], at: 31_000).status == .stuck)
        #expect(judge([placed], at: 31_000).nextOwedAt == nil)
    }

    @Test func anEndingWithNothingOwedCompletesAFlow() {
        let judgement = judge(
            [placed, reserved, paid, shipped],
            [
                Shop.attempt("inventory", placed, at: 1_005, published: ["e2"]),
                Shop.attempt("payments", reserved, at: 1_015, published: ["e3"]),
                Shop.attempt("shipping", paid, at: 1_035, published: ["e5"]),
            ])
        #expect(judgement.status == .completed)
        #expect(judgement.endedAt == 1_040)
        #expect(judgement.nextOwedAt == nil)
    }

    @Test func anEndingDoesNotCompleteAFlowThatOwesAStep() {
        let attempts = [
            Shop.attempt("inventory", placed, at: 1_005, published: ["e2"]),
            Shop.attempt("shipping", paid, at: 1_035, published: ["e5"]),
        ]
        let events = [placed, reserved, paid, shipped]
        #expect(judge(events, attempts).status == .running)
        #expect(judge(events, attempts, at: 40_000).status == .stuck)
    }

    @Test func anEndingThatFailsFailsAFlow() {
        let cancelled = Shop.event("e2", Shop.cancelled, at: 1_010, cause: "e1")
        let judgement = judge([placed, cancelled], [Shop.attempt("inventory", placed, at: 1_005, published: ["e2"])])
        #expect(judgement.status == .failed)
        #expect(judgement.endedAt == 1_010)
    }

    @Test func aStepThatUndoesMakesAFlowCompensatingUntilItIsDone() {
        let before = [
            Shop.attempt("inventory", placed, at: 1_005, published: ["e2"]),
            Shop.attempt("payments", reserved, at: 1_015, published: ["e3"]),
        ]
        #expect(judge([placed, reserved, declined], before).status == .compensating)
        let undone = before + [Shop.attempt("inventory", declined, at: 1_025, published: ["e4"])]
        #expect(judge([placed, reserved, declined, released], undone).status == .compensating)
        let all = undone + [Shop.attempt("shipping", released, at: 1_035, published: ["e5"])]
        let judgement = judge([placed, reserved, declined, released, cancelled], all)
        #expect(judgement.status == .compensated)
        #expect(judgement.steps.count { $0.compensates == Shop.reserved } == 1)
    }

    @Test func nothingIsUndoneThatWasNotSeen() {
        let judgement = judge([declined])
        #expect(judgement.status == .running)
        #expect(judgement.steps.map(\.compensates) == [nil])
    }

    @Test func aLateCompensationIsStuck() {
        let before = [
            Shop.attempt("inventory", placed, at: 1_005, published: ["e2"]),
            Shop.attempt("payments", reserved, at: 1_015, published: ["e3"]),
        ]
        #expect(judge([placed, reserved, declined], before, at: 40_000).status == .stuck)
    }

    @Test func aLaterSuccessOverrulesCompensation() {
        let shipped = Shop.event("e6", Shop.shipped, at: 1_050)
        let attempts = [
            Shop.attempt("inventory", placed, at: 1_005), Shop.attempt("payments", reserved, at: 1_015),
            Shop.attempt("inventory", declined, at: 1_025), Shop.attempt("shipping", released, at: 1_035),
        ]
        #expect(judge([placed, reserved, declined, released, cancelled, shipped], attempts).status == .completed)
    }

    @Test func aDeadLetterComesBeforeEverythingElse() {
        let attempts = [Shop.attempt("inventory", placed, at: 1_005, .deadLettered, number: 4)]
        #expect(judge([placed], attempts).status == .deadLettered)
        #expect(judge([placed, reserved], attempts, at: 90_000).status == .deadLettered)
        #expect(judge([placed, shipped], attempts).status == .deadLettered)
        #expect(judge([placed], attempts).nextOwedAt == nil)
    }

    @Test func aReplayThatSucceedsEndsTheDeadLetter() {
        let attempts = [
            Shop.attempt("inventory", placed, at: 1_005, .deadLettered, number: 4),
            Shop.attempt("inventory", placed, at: 5_000, .handled, replays: 1),
        ]
        #expect(judge([placed, shipped], attempts, at: 6_000).status == .completed)
    }

    @Test func aReplayThatFailsAgainIsDeadLetteredAgain() {
        let attempts = [
            Shop.attempt("inventory", placed, at: 1_005, .deadLettered, number: 4),
            Shop.attempt("inventory", placed, at: 5_000, .deadLettered, number: 4, replays: 1),
        ]
        #expect(judge([placed], attempts, at: 6_000).status == .deadLettered)
    }

    @Test func aReplayThatIsTriedAgainIsOwedAnew() {
        let attempts = [
            Shop.attempt("inventory", placed, at: 1_005, .deadLettered, number: 4),
            Shop.attempt("inventory", placed, at: 100_000, .redirected, replays: 1, notBefore: 101_000),
        ]
        #expect(judge([placed], attempts, at: 101_000).status == .running)
        #expect(judge([placed], attempts, at: 130_000).status == .stuck)
    }

    @Test(arguments: [TaskReport.Outcome.retrying, .redirected])
    func aStepThatWaitsForItsRetryIsOwed(_ outcome: TaskReport.Outcome) {
        let attempts = [Shop.attempt("inventory", placed, at: 1_005, outcome, notBefore: 60_000)]
        #expect(judge([placed], attempts).status == .running)
        #expect(judge([placed], attempts).steps.map(\.status) == [.waiting])
        #expect(judge([placed], attempts, at: 31_000).status == .stuck)
    }

    @Test(arguments: [TaskReport.Outcome.handled, .fellBack, .ignored])
    func everyEndOfAHandlingIsDone(_ outcome: TaskReport.Outcome) {
        let judgement = judge([placed, shipped], [Shop.attempt("inventory", placed, at: 1_005, outcome)])
        #expect(judgement.status == .completed)
        #expect(judgement.steps.map(\.status) == [outcome == .ignored ? .ignored : .handled])
    }

    @Test func aSuccessHoldsOverACrashedTwin() {
        let attempts = [
            Shop.attempt("inventory", placed, at: 1_005, .redirected, notBefore: 2_000),
            Shop.attempt("inventory", placed, at: 1_900, .handled),
        ]
        for attempts in [attempts, attempts.reversed()] {
            #expect(judge([placed, shipped], attempts).status == .completed)
        }
    }

    @Test func anAttemptThatIsDeadLetteredAfterItWasHandledIsDeadLettered() {
        let attempts = [
            Shop.attempt("inventory", placed, at: 1_005, .handled, number: 2, published: ["e9"]),
            Shop.attempt("inventory", placed, at: 1_040, .deadLettered, number: 2),
        ]
        for attempts in [attempts, attempts.reversed()] {
            #expect(judge([placed, shipped], attempts).status == .deadLettered)
        }
        var twins = attempts
        twins[1].attempt.instance = "inventory-2"
        #expect(judge([placed, shipped], twins, at: 40_000).status == .completed)
        let replayed = attempts + [Shop.attempt("inventory", placed, at: 5_000, replays: 1)]
        #expect(judge([placed, shipped], replayed, at: 40_000).status == .completed)
    }

    @Test func attemptsBeyondCountingAreJudged() {
        let attempts = [Shop.attempt("inventory", placed, at: .max, .retrying, number: .max, notBefore: .max)]
        let facts = FlowFacts(id: "f", events: [placed], attempts: attempts)
        let registry = Shop.registry([Shop.heartbeat("inventory")]).judged(at: 1_000)
        #expect(FlowDetail(facts, registry, at: 1_000).verdict.delay?.kind == .retrying)
        #expect(FlowDetail(facts, registry, at: -1_000).verdict.delay?.kind == .retrying)
    }

    @Test func aFlowWithNothingOwedAndNoEndingGoesOn() {
        let judgement = judge([placed], [Shop.attempt("inventory", placed, at: 1_005)], at: 90_000)
        #expect(judgement.status == .running)
        #expect(judgement.nextOwedAt == nil)
    }

    @Test func aPublishedEventIsWaitedForAWhile() {
        let attempts = [Shop.attempt("inventory", placed, at: 1_005, published: ["e9"])]
        let early = judge([placed, shipped], attempts)
        #expect(early.status == .running)
        #expect(early.unread == ["e9"])
        #expect(early.nextOwedAt == 31_007)
        #expect(judge([placed, shipped], attempts, at: 31_007).status == .completed)
    }

    @Test func anEventThatCameOfAStepShowsThatItIsDone() {
        var reserved = reserved
        reserved.source = "/services/inventory"
        let judgement = judge([placed, reserved], at: 40_000)
        #expect(judgement.steps.map(\.status) == [.handled, .owed])
        #expect(judgement.steps.map(\.published) == [["e2"], []])
        reserved.source = "/services/payments"
        #expect(judge([placed, reserved]).steps.map(\.status) == [.owed, .owed])
    }

    @Test func nobodyOwesAnUndeclaredType() {
        let strange = Shop.event("e1", "shop.strange", at: 1_000)
        #expect(judge([strange], at: 90_000).status == .running)
        #expect(judge([strange], at: 90_000).steps.isEmpty)
    }

    @Test func aTypeOnAnotherTopicIsNotTheRoutes() {
        var elsewhere = placed
        elsewhere.topic = "elsewhere"
        #expect(judge([elsewhere]).steps.isEmpty)
    }

    @Test func anOlderTypeIsOwedByTheRouteThatAcceptsIt() {
        let old = Shop.event("e1", "shop.order.placed.v0", at: 1_000)
        let registry = Shop.registry(declarations: [
            Shop.declaration(
                "inventory", [Shop.route("inventory", Shop.placed, acceptedTypes: ["shop.order.placed.v0"])])
        ])
        #expect(judge([old], [], registry).steps.map(\.service) == ["inventory"])
    }

    @Test func aTombstoneIsOwedByTheRouteForTombstonesOnly() {
        var tombstone = placed
        tombstone.isTombstone = true
        #expect(judge([tombstone]).steps.isEmpty)
        let registry = Shop.registry(declarations: [
            Shop.declaration("cleaner", [Shop.route("cleaner", Shop.placed, input: .tombstone)])
        ])
        #expect(judge([tombstone], [], registry).steps.map(\.service) == ["cleaner"])
        #expect(judge([placed], [], registry).steps.isEmpty)
    }

    @Test func everyServiceThatHandlesATypeOwesIt() {
        let registry = Shop.registry(
            declarations: Shop.declarations + [
                Shop.declaration("mail", [Shop.route("mail", Shop.placed, within: 5_000)])
            ])
        let judgement = judge([placed], [Shop.attempt("inventory", placed, at: 1_005)], registry)
        #expect(judgement.steps.map(\.service) == ["inventory", "mail"])
        #expect(judgement.steps.map(\.status) == [.handled, .owed])
        #expect(judgement.nextOwedAt == 6_000)
    }

    @Test func aServiceThatIsFirstKnownLaterCountsFromThen() {
        let since = [ServiceRegistry.RouteKey(service: "inventory", type: Shop.placed): Int64(50_000)]
        #expect(judge([placed], at: 60_000, Shop.registry(since: since)).status == .running)
        #expect(judge([placed], at: 80_000, Shop.registry(since: since)).status == .stuck)
    }

    @Test func aServiceThatIsFirstKnownAfterTheEndOwesNothing() {
        let since = [ServiceRegistry.RouteKey(service: "inventory", type: Shop.placed): Int64(50_000)]
        #expect(judge([placed, shipped], at: 60_000, Shop.registry(since: since)).status == .completed)
    }

    @Test func anAttemptOfNoDeclaredRouteIsStillSeen() {
        let waiting = [Shop.attempt("ghost", placed, at: 1_005, .redirected, notBefore: 2_000)]
        let registry = Shop.registry(declarations: [])
        #expect(judge([placed], waiting, registry).status == .running)
        #expect(judge([placed], waiting, at: 31_007, registry).status == .stuck)
        #expect(judge([], waiting, registry).steps.map(\.type) == [Shop.placed])
        #expect(judge([], waiting, registry).startedAt == 1_005)
    }

    @Test func hostileTimesDoNotOverflow() {
        let registry = Shop.registry(declarations: [
            Shop.declaration("inventory", [Shop.route("inventory", Shop.placed, within: .max)])
        ])
        let event = Shop.event("e1", Shop.placed, at: .max - 1)
        let facts = FlowFacts(
            id: "f", events: [event], attempts: [Shop.attempt("x", event, at: .max, .retrying, notBefore: .max)])
        for now in [Int64.min, 0, .max] {
            let detail = FlowDetail(facts, registry.judged(at: now), at: now)
            #expect(detail.events.count == 1)
            #expect(detail.steps.count == 2)
        }
    }

    @Test func theStartIsTheEventWithoutACauseWhateverTheClocksSay() {
        let late = Shop.event("e1", Shop.placed, at: 5_000)
        let judgement = judge([late, reserved])
        #expect(judgement.type == Shop.placed)
        #expect(judgement.startedAt == 1_010)
    }

    @Test func eventsStandBehindTheirCauses() {
        let root = Shop.event("r", Shop.placed, at: 5_000)
        let child = Shop.event("a", Shop.reserved, at: 4_000, cause: "r")
        let grandchild = Shop.event("b", Shop.paid, at: 3_000, cause: "a")
        #expect([grandchild, child, root].behindTheirCauses.map(\.id) == ["r", "a", "b"])
        let circle = [
            Shop.event("x", Shop.placed, at: 2, cause: "y"), Shop.event("y", Shop.placed, at: 1, cause: "x"),
        ]
        #expect(Set(circle.behindTheirCauses.map(\.id)) == ["x", "y"])
    }
}
