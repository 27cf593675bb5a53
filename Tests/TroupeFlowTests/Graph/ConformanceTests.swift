// What is found wrong with choreographies, and what is not.

import Testing
import Troupe
import TroupeFlow

@Suite struct ConformanceTests {
    private typealias Shop = Choreography

    private func rules(_ shop: Choreography, _ observed: [ObservedEdge] = []) -> [ConformanceFinding.Rule] {
        Conformance.check(shop.declarations, observed: observed).map(\.rule)
    }

    @Test func nothingIsWrongWithTheShop() {
        #expect(Conformance.check(Shop.shop.declarations).isEmpty)
        #expect(
            rules(
                .shop, [ObservedEdge(publisher: "storefront", type: "order.placed", consumer: "inventory", count: 1)]
            ).isEmpty)
        #expect(Conformance.check([]).isEmpty)
    }

    @Test func anEventNobodyHandlesIsNamedWithItsPublisher() {
        var shop = Shop.shop
        shop.change("shipping") { $0.routes[0].publishes.append("parcel.weighed") }
        shop.change("shipping") { $0.events.append(Shop.event("parcel.weighed")) }
        let findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.unconsumed])
        #expect(findings.first?.service == "shipping")
        #expect(findings.first?.route == "payment.taken")
        #expect(findings.first?.type == "parcel.weighed")
        #expect(findings.first?.advice.isEmpty == false)
    }

    @Test func anEventNobodyPublishesIsNamedWithItsConsumer() {
        var shop = Shop.shop
        shop.service("returns", [Shop.on("parcel.returned")])
        let findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.unpublished])
        #expect(findings.first?.service == "returns")
        #expect(findings.first?.route == "parcel.returned")
    }

    @Test func olderNamesNeedNoPublisher() {
        var shop = Shop.shop
        shop.change("shipping") { $0.routes[0].acceptedTypes = ["payment.received"] }
        #expect(rules(shop).isEmpty)
    }

    @Test func anUndeclaredPublicationIsSeen() {
        let findings = Conformance.check(
            Shop.shop.declarations,
            observed: [
                ObservedEdge(publisher: "shipping", type: "order.completed", count: 2),
                ObservedEdge(publisher: "stranger", type: "order.placed", consumer: "inventory", count: 1),
            ])
        #expect(findings.map(\.rule) == [.undeclaredPublication, .undeclaredPublication])
        #expect(findings.map(\.service) == ["shipping", "stranger"])
        #expect(findings.last?.message.contains("has not declared itself") == true)
    }

    @Test func whatAnOperatorPublishesIsNoFindingAndCountsAsPublished() {
        var shop = Shop.shop
        shop.service("returns", [Shop.on("parcel.returned")])
        #expect(rules(shop) == [.unpublished])
        let byHand = [
            ObservedEdge(publisher: "/troupe/publish", type: "parcel.returned", consumer: "returns", count: 1),
            ObservedEdge(publisher: "/troupe/publish", type: "order.placed", count: 1),
        ]
        #expect(byHand.map(\.isByOperator) == [true, true])
        #expect(rules(shop, byHand).isEmpty)
    }

    @Test func anUndeclaredPublicationIsToldWithItsCountAndTime() throws {
        let findings = Conformance.check(
            Shop.shop.declarations,
            observed: [
                ObservedEdge(publisher: "shipping", type: "order.completed", count: 2, lastPublishedAt: 1_000)
            ])
        #expect(
            findings.map(\.message) == [
                "shipping was seen to publish order.completed 2 times, last at 1970-01-01T00:00:01.000Z, "
                    + "which it does not declare"
            ])
    }

    @Test func aFlowWithoutAnEndingIsNamedByItsStart() {
        var shop = Choreography()
        shop.service("door", starts: ["guest.arrived"], [])
        shop.service("host", [Shop.on("guest.arrived")])
        let findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.cannotEnd])
        #expect(findings.first?.type == "guest.arrived")
        #expect(findings.first?.service == "door")
    }

    @Test func anOutcomeThatLeadsNowhereIsNamed() {
        var shop = Shop.shop
        // Rejected orders are noted by somebody, and their flows go on for ever.
        shop.change("storefront") { $0.routes.removeAll { $0.type == "stock.rejected" } }
        shop.service("statistics", [Shop.on("stock.rejected")])
        let findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.deadEnd])
        #expect(findings.first?.type == "stock.rejected")
        #expect(findings.first?.service == "inventory")
        #expect(findings.first?.route == "order.placed")
    }

    @Test func eventsThatFollowOneAnotherForEverAreFound() {
        var loop = Choreography()
        loop.service("a", starts: ["ping"], [Shop.on("pong", .one, "ping")])
        loop.service("b", [Shop.on("ping", .all, "pong", "game.completed")])
        let findings = Conformance.check(loop.declarations)
        #expect(findings.map(\.rule) == [.endlessLoop])
        #expect(findings.first?.message.contains("ping -> pong -> ping") == true)
    }

    @Test func aLoopWithAWayOutIsNone() {
        var loop = Choreography()
        loop.service("a", starts: ["ping"], [Shop.on("pong", .one, "ping")])
        loop.service("b", [Shop.on("ping", .oneOf, "pong", "game.completed")])
        #expect(rules(loop).isEmpty)
        var optional = Choreography()
        optional.service("a", starts: ["ping"], [Shop.on("ping", .optional, "ping"), Shop.on("end", .none)])
        optional.service("b", [Shop.on("ping", .one, "game.completed")])
        #expect(!rules(optional).contains(.endlessLoop))
    }

    @Test func aServiceThatAnswersItselfWhateverHappensIsALoop() {
        var loop = Choreography()
        loop.service("a", starts: ["tick"], [Shop.on("tick", .one, "tick")])
        #expect(rules(loop) == [.cannotEnd, .endlessLoop])
    }

    @Test func disagreementsOnTopicEndingAndPayloadAreFound() {
        var shop = Shop.shop
        shop.change("notifications") { declaration in
            for index in declaration.events.indices where declaration.events[index].type == "parcel.dispatched" {
                declaration.events[index].topic = "parcels"
                declaration.events[index].flowEnding = .completed
            }
        }
        let findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.topicMismatch, .endingMismatch])
        #expect(findings.allSatisfy { $0.service == "notifications" && $0.route == "parcel.dispatched" })
    }

    @Test func aReaderThatNeedsWhatIsNotWrittenIsFound() {
        func schema(_ properties: String, required: String) -> String {
            #"{"type":"object","properties":{\#(properties)},"required":[\#(required)]}"#
        }
        var shop = Shop.shop
        shop.change("shipping") { declaration in
            for index in declaration.events.indices where declaration.events[index].type == "parcel.dispatched" {
                declaration.events[index].payloadSchema = schema(
                    #""id":{"type":"string"},"weight":{"type":"integer"},"zone":{"type":"string"},"#
                        + #""size":{"type":"string","enum":["s","m"]},"at":{"type":"string"}"#,
                    required: #""id","weight""#)
            }
        }
        shop.change("notifications") { declaration in
            for index in declaration.events.indices where declaration.events[index].type == "parcel.dispatched" {
                declaration.events[index].payloadSchema = schema(
                    #""id":{"type":"integer"},"weight":{"type":"number"},"zone":{"type":"string"},"#
                        + #""size":{"type":"string","enum":["m"]},"at":{"type":"string","format":"date-time"},"#
                        + #""mail":{"type":"string"}"#,
                    required: #""id","zone","mail""#)
            }
        }
        let findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == Array(repeating: .payloadMismatch, count: 5))
        let text = findings.map(\.message).joined(separator: "\n")
        #expect(text.contains("id is written as string and read as integer"))
        #expect(text.contains("mail is required, and never written"))
        #expect(text.contains("zone is required, and not always written"))
        #expect(text.contains(#"size may be "s", which is not read"#))
        #expect(text.contains("at is read as date-time and written as plain text"))
    }

    @Test func sharedGroupsAndPrivateTopicsAreFound() {
        var shop = Shop.shop
        shop.change("shipping") { $0.group = "payments" }
        var findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.sharedGroup])
        #expect(findings.first?.message.contains("payments and shipping") == true)

        shop = .shop
        shop.service("nosy", [Shop.on("order.placed")])
        shop.change("nosy") { $0.routes[0].topic = "inventory.order.dlt" }
        findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.privateTopic])
        #expect(findings.first?.service == "nosy")
    }

    @Test func compensatingWhatNobodyPublishesIsFound() {
        var shop = Shop.shop
        shop.change("inventory") { $0.routes[1].compensates = "stock.taken" }
        let findings = Conformance.check(shop.declarations)
        #expect(findings.map(\.rule) == [.compensatesNothing])
        #expect(findings.first?.type == "stock.taken")
    }
}
