// The sentence and the reason, for each reason there is.

import Testing
import Troupe

@testable import TroupeFlow

@Suite struct VerdictTests {
    let placed = Shop.event("e1", Shop.placed, at: 0)

    private func verdict(
        _ heartbeats: [InstanceHeartbeat] = [], _ attempts: [FlowFacts.Attempt] = [], events: [FlowEvent]? = nil,
        at now: Int64 = 270_000, lags: [String: Int] = [:]
    ) -> Verdict {
        let facts = FlowFacts(id: "f", events: events ?? [placed], attempts: attempts)
        return FlowDetail(facts, Shop.registry(heartbeats, lags: lags).judged(at: now), at: now).verdict
    }

    @Test func aGroupWithoutMembersIsNamedWithItsLag() {
        let verdict = verdict(lags: ["inventory": 312])
        #expect(
            verdict.sentence
                == "STUCK 4 min: inventory has not handled shop.order.placed; its group has no members; lag 312")
        #expect(verdict.status == .stuck)
        #expect(verdict.since == 30_000)
        #expect(verdict.service == "inventory")
        #expect(verdict.event == "e1")
        #expect(verdict.delay?.kind == .noMembers)
        #expect(verdict.delay?.lag == 312)
    }

    @Test func aSilentInstanceIsNoMember() {
        let silent = Shop.heartbeat("inventory", at: 270_000 - 15_001)
        #expect(verdict([silent]).delay?.kind == .noMembers)
        #expect(verdict([Shop.heartbeat("inventory", at: 270_000 - 15_000)]).delay?.kind == .unknown)
    }

    @Test func aStoppedInstanceIsNoMember() {
        let stopped = Shop.heartbeat("inventory", at: 270_000) { $0.status.phase = .stopped }
        #expect(verdict([stopped]).delay?.kind == .noMembers)
    }

    @Test func aRetryTopicIsNamedWithTheTimeThatIsLeft() {
        let attempts = [
            Shop.attempt(
                "inventory", placed, at: 10, .redirected, number: 2, notBefore: 330_000,
                failure: .init(type: "Timeout", message: "too slow"))
        ]
        let verdict = verdict([Shop.heartbeat("inventory", at: 270_000)], attempts)
        #expect(
            verdict.sentence
                == "STUCK 4 min: inventory has not handled shop.order.placed; "
                + "it waits in inventory.orders.retry for 1 min more, after Timeout")
        #expect(verdict.delay?.kind == .inRetryTopic)
        #expect(verdict.delay?.until == 330_000)
    }

    @Test func aRetryInPlaceIsNamedWithItsInstance() {
        let attempts = [Shop.attempt("inventory", placed, at: 10, .retrying, number: 1, notBefore: 271_000)]
        let verdict = verdict([Shop.heartbeat("inventory", at: 270_000)], attempts)
        #expect(verdict.delay?.kind == .retrying)
        #expect(verdict.delay?.text == "attempt 2 waits in inventory-1 for 1 s more")
    }

    @Test func aFollowerSaysThatItStandsBehindAnother() {
        let attempts = [Shop.attempt("inventory", placed, at: 10, .redirected, number: 0)]
        let verdict = verdict([Shop.heartbeat("inventory", at: 270_000)], attempts)
        #expect(verdict.delay?.text == "it waits in inventory.orders.retry, behind an earlier event")
    }

    @Test func troubleOfTheOwnerIsRepeated() {
        let troubled = Shop.heartbeat("inventory", at: 270_000) { $0.status.trouble = "the broker is away" }
        let verdict = verdict([troubled])
        #expect(verdict.delay?.kind == .trouble)
        #expect(verdict.delay?.text == "inventory-1 has trouble: the broker is away")
    }

    @Test func aPartitionWithoutAnOwnerIsNamed() {
        let elsewhere = Shop.heartbeat("inventory", at: 270_000) { $0.assignment = ["orders": [1]] }
        let verdict = verdict([elsewhere])
        #expect(verdict.delay?.kind == .unowned)
        #expect(verdict.delay?.text == "its instance does not own partition 0 of orders")
    }

    @Test func anOpenBreakerIsNamed() {
        let open = Shop.heartbeat("inventory", at: 270_000) {
            $0.status.routes = [
                RouteStatus(route: Shop.placed, running: 0, waiting: 3, inFlight: 3, circuit: .open)
            ]
            $0.status.lag = 10
        }
        #expect(verdict([open]).delay?.kind == .breakerOpen)
        let otherRoute = Shop.heartbeat("inventory", at: 270_000) {
            $0.status.routes = [
                RouteStatus(route: Shop.declined, running: 0, waiting: 3, inFlight: 3, circuit: .open)
            ]
        }
        #expect(verdict([otherRoute]).delay?.kind == .unknown)
    }

    @Test func lagIsNamedBeforeRunningHandlers() {
        let behind = Shop.heartbeat("inventory", at: 270_000) {
            $0.status.lag = 312
            $0.status.inFlight = 8
            $0.status.running = 4
        }
        let verdict = verdict([behind])
        #expect(verdict.delay?.kind == .lag)
        #expect(verdict.delay?.lag == 312)
        #expect(verdict.delay?.text == "inventory-1 has a lag of 312")
    }

    @Test func aHandlerUnderWayIsNamed() {
        let busy = Shop.heartbeat("inventory", at: 270_000) {
            $0.status.lag = 1
            $0.status.inFlight = 1
            $0.status.running = 1
        }
        #expect(verdict([busy]).delay?.kind == .running)
        #expect(verdict([busy]).delay?.text == "inventory-1 runs 1 handler")
    }

    @Test func aDeadLetterIsNamedWithItsError() {
        let attempts = [
            Shop.attempt(
                "inventory", placed, at: 29_998, .deadLettered, number: 4,
                failure: .init(type: "InvalidOrder", message: "no lines"))
        ]
        let verdict = verdict([Shop.heartbeat("inventory", at: 270_000)], attempts)
        #expect(
            verdict.sentence
                == "DEAD-LETTERED 4 min: inventory gave up on shop.order.placed at attempt 4 "
                + "(InvalidOrder: no lines); the letter waits in inventory.orders.dlt")
        #expect(verdict.delay?.kind == .inDeadLetterTopic)
        #expect(verdict.delay?.topic == "inventory.orders.dlt")
    }

    @Test func whereAnEventWasSentIsSaidByItsReportAndNotByWhatIsDeclaredNow() {
        let letter = [
            Shop.attempt("inventory", placed, at: 29_998, .deadLettered, number: 4, sentTo: "stock-v1.orders.dlt")
        ]
        let dead = verdict([Shop.heartbeat("inventory", at: 270_000)], letter)
        #expect(dead.sentence.hasSuffix("; the letter waits in stock-v1.orders.dlt"))
        #expect(dead.delay?.topic == "stock-v1.orders.dlt")
        let redirect = [
            Shop.attempt("inventory", placed, at: 10, .redirected, number: 0, sentTo: "stock-v1.orders.retry")
        ]
        let waiting = verdict([Shop.heartbeat("inventory", at: 270_000)], redirect)
        #expect(waiting.delay?.text == "it waits in stock-v1.orders.retry, behind an earlier event")
        #expect(waiting.delay?.topic == "stock-v1.orders.retry")
        // A service that is gone from the registry left its letter all the same.
        let facts = FlowFacts(id: "f", events: [placed], attempts: letter)
        let unknown = FlowDetail(facts, Shop.registry(declarations: []).judged(at: 270_000), at: 270_000).verdict
        #expect(unknown.delay?.text == "the letter waits in stock-v1.orders.dlt")
    }

    @Test func theStoreKeepsWhereALetterWasSent() throws {
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration) }
        log.publish("e1", Shop.placed, flow: "f1", at: 1_000)
        try log.report(
            "inventory",
            [
                TaskReport(
                    "e1", flow: "f1", type: Shop.placed, at: 1_010, .deadLettered, attempt: 4,
                    sentTo: "stock-v1.orders.dlt")
            ])
        let store = try FlowStore(path: ":memory:")
        try FlowWriter(store).apply(log.records, at: 2_000)
        let flow = try #require(try store.flow("f1", at: 2_000))
        #expect(flow.steps.flatMap(\.attempts).map(\.sentTo) == ["stock-v1.orders.dlt"])
        #expect(flow.verdict.delay?.topic == "stock-v1.orders.dlt")
    }

    @Test func aRunningFlowNamesWhoIsNextAndUntilWhen() {
        let verdict = verdict([Shop.heartbeat("inventory", at: 2_000)], at: 2_000)
        #expect(verdict.sentence == "RUNNING 2 s: inventory is to handle shop.order.placed within 28 s")
        #expect(verdict.service == "inventory")
    }

    @Test func aQuietFlowSaysThatNobodyOwesAnything() {
        let verdict = verdict([], [Shop.attempt("inventory", placed, at: 10)])
        #expect(
            verdict.sentence
                == "RUNNING 4 min: no service owes a step, and no event has ended the flow that shop.order.placed started"
        )
    }

    @Test func endedFlowsSayHowAndHowFast() {
        let handled = [Shop.attempt("inventory", placed, at: 10)]
        let shipped = Shop.event("e9", Shop.shipped, at: 1_200)
        #expect(
            verdict([], handled, events: [placed, shipped]).sentence
                == "COMPLETED in 1.2 s: shop.order.shipped ended the flow")
        let cancelled = Shop.event("e9", Shop.cancelled, at: 1_200)
        #expect(
            verdict([], handled, events: [placed, cancelled]).sentence
                == "FAILED in 1.2 s: shop.order.cancelled ended the flow")
        let reserved = Shop.event("e2", Shop.reserved, at: 1)
        let declined = Shop.event("e3", Shop.declined, at: 2)
        let compensated = verdict(
            [], handled + [Shop.attempt("payments", reserved, at: 3), Shop.attempt("inventory", declined, at: 4)],
            events: [placed, reserved, declined, cancelled])
        #expect(
            compensated.sentence
                == "COMPENSATED in 1.2 s: inventory undid shop.stock.reserved after shop.order.cancelled")
    }

    @Test func severalLateStepsAreCounted() {
        let reserved = Shop.event("e2", Shop.reserved, at: 10)
        #expect(
            verdict(events: [placed, reserved]).sentence.hasSuffix("; its group has no members; 1 more step is late"))
    }

    @Test(arguments: [
        (Int64(0), "0 ms"), (850, "850 ms"), (1_000, "1 s"), (1_250, "1.2 s"), (59_999, "59 s"), (60_000, "1 min"),
        (3_600_000, "1 h"), (3_900_000, "1 h 5 min"), (90_000_000, "1 d 1 h"), (-5, "0 ms"),
    ])
    func lengthsOfTimeAreInTheirLargestUnits(_ length: Int64, _ text: String) {
        #expect(TimeText.length(length) == text)
    }
}
