// One idempotency key on two routes.

import KafkaClient
import Testing
import Troupe

@testable import TroupeWeb

/// The flow that a gateway's test starts with an order and an idempotency key.
func orderFlow(_ key: String) -> String {
    EventID.derived(
        fromIdempotencyKey: IdempotencyKey.seed(key, of: "test.order.placed"), service: "shop-gateway", type: "",
        ordinal: 0
    ).text
}

private struct Ordered: Event {
    static let type: EventType = "test.ordered"
    static let topic: Topic = "orders"
    var id: String
    var key: EventKey { EventKey(id) }
}

private struct Returned: Event {
    static let type: EventType = "test.returned"
    static let topic: Topic = "orders"
    var id: String
    var key: EventKey { EventKey(id) }
}

@Suite struct IdempotencyScopeTests {
    @Test func oneKeyOnTwoRoutesStartsTwoFlows() async throws {
        let corner = try await TestCorner(topics: ["orders": 1])
        var configuration = GatewayConfiguration(service: GatewayWorld.service(corner), http: HTTPServerConfiguration())
        configuration.publishTimeout = .seconds(60)
        var gateway = Gateway("shop", configuration: configuration)
        gateway.post("/orders", publishes: Ordered.self)
        gateway.post("/returns", publishes: Returned.self)
        let running = try await gateway.start()
        func post(_ path: String) async throws -> String? {
            let answer = try await RawClient.ask(
                running.port, "POST \(path)", body: #"{"id":"1"}"#,
                headers: ["Content-Type: application/json", "Idempotency-Key: 42"])
            #expect(answer.status == 202)
            return answer.json["id"] as? String
        }
        let order = try #require(try await post("/orders"))
        let back = try #require(try await post("/returns"))
        #expect(order != back)
        #expect(try await post("/orders") == order)
        #expect(try await post("/returns") == back)
        for (flow, type) in [(order, Ordered.type), (back, Returned.type)] {
            try await eventually { running.follower.snapshot(flow)?.events.isEmpty == false }
            #expect(running.follower.snapshot(flow)?.events.map(\.envelope.type) == [type])
        }
        await running.stop()
    }
}
