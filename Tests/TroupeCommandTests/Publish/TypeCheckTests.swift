// A type that nobody declares is told when it is published.

import KafkaClient
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct TypeCheckTests {
    private let shop = [
        RegistryFixture.declaration("storefront", starts: ["shop.order.placed"]),
        RegistryFixture.declaration("shipping", from: "shop.order.placed", to: "shop.order.completed"),
    ]

    @Test func theNearestTypeIsSuggested() {
        #expect(
            TypeCheck.doubt(of: "shop.order.plcaed", among: shop)
                == "Warning: no service declares that it handles or publishes shop.order.plcaed. "
                + "Did you mean shop.order.placed?")
        #expect(
            TypeCheck.doubt(of: "weather\u{1b}", among: shop)
                == "Warning: no service declares that it handles or publishes weather\\u{1b}. "
                + "'troupe graph' shows the types there are.")
    }

    @Test func whatIsHandledPublishedOrStartedIsKnown() {
        var shop = shop
        shop[1].routes[0].acceptedTypes = ["shop.order.received"]
        for type in ["shop.order.placed", "shop.order.completed", "shop.order.received"] {
            #expect(TypeCheck.doubt(of: type, among: shop) == nil)
        }
    }

    @Test func whereNobodyDeclaresAnythingNothingIsSaid() {
        #expect(TypeCheck.doubt(of: "shop.order.placed", among: []) == nil)
    }

    @Test(arguments: TestCluster.available)
    func aMistypedTypeIsPublishedWithAWarning(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("orders")
        func publish(_ type: String) async -> ToolOnCluster.Outcome {
            await tool.run("publish", "orders", "--type", type, "{}")
        }
        let unregistered = await publish("shop.order.plcaed")
        #expect(unregistered.code == .ok && unregistered.err.isEmpty)
        try await tool.makeTopic("troupe.services")
        try await RegistryFixture.declare(shop, on: tool)
        let right = await publish("shop.order.placed")
        #expect(right.code == .ok && right.err.isEmpty)
        // On a busy machine the registry may not be read in the time that a publication waits for it.
        var wrong = await publish("shop.order.plcaed")
        var count = 3
        while wrong.err.isEmpty, count < 20 {
            wrong = await publish("shop.order.plcaed")
            count += 1
        }
        #expect(wrong.code == .ok)
        #expect(wrong.err.hasSuffix("Did you mean shop.order.placed?\n"))
        #expect(await tool.run("tail", "orders", "--format=json").lines.count == count)
    }
}
