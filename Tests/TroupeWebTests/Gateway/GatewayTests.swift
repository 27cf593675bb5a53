// Posting to a gateway over real sockets, on a cluster.

import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeWeb

@Suite struct GatewayTests {
    @Test func postIsPublishedAndItsFlowNamed() async throws {
        let world = try await GatewayWorld()
        try await world.with { gateway in
            let answer = try await world.post(gateway)
            #expect(answer.status == 202)
            let id = try #require(answer.json["id"] as? String)
            #expect(answer.headers["Location"] == "/flows/\(id)")
            #expect(answer.json["status"] as? String == "running")
            let records = try await world.records("orders")
            #expect(records.count == 1)
            let envelope = try EventEnvelope(try #require(records.first))
            #expect(envelope.correlationID == id)
            #expect(envelope.type == Placed.type)
            #expect(envelope.source == "/services/shop-gateway")
            #expect(envelope.causationID == nil)
            #expect(records.first?.key?.text == "o-1")
            let event = try #require(records.first?.value).withUnsafeBytes { try Placed.coder.decode($0) }
            #expect(event == Placed(orderID: "o-1", lines: [Placed.Line(sku: "lamp")]))
            // It can be asked for from that moment on.
            let flow = try await RawClient.ask(gateway.port, "GET /flows/\(id)")
            #expect(flow.status == 200)
            #expect(flow.json["status"] as? String == "running")
        }
        await world.end()
    }

    @Test(arguments: [
        (#"{"orderID":"o-1","lines":[{"sku":7}]}"#, "lines[0].sku"), (#"{"orderID":"o-1"}"#, "lines"),
        (#"{"orderID":null,"lines":[]}"#, "orderID"), (#"{"orderID":"o-1","lines":["#, ""), ("", ""), ("[]", ""),
        ("\u{0}", ""), (String(repeating: "[", count: 10_000), ""),
    ])
    func bodyThatDoesNotFitIsToldWhere(_ body: String, _ path: String) async throws {
        let world = try await GatewayWorld()
        try await world.with { gateway in
            let answer = try await world.post(gateway, body: body)
            #expect(answer.status == 400)
            #expect(answer.headers["Content-Type"] == "application/problem+json")
            #expect(answer.json["path"] as? String == path)
            #expect(answer.json["detail"] as? String != "")
            #expect(try await world.records("orders").isEmpty)
        }
        await world.end()
    }

    @Test func whatIsNotTakenIsSaid() async throws {
        let world = try await GatewayWorld()
        try await world.with({ $0.http.limits.maxBodyBytes = 1000 }) { gateway in
            #expect(try await world.post(gateway, headers: []).status == 415)
            #expect(try await world.post(gateway, headers: ["Content-Type: text/plain"]).status == 415)
            let other = try await world.post(gateway, headers: ["Content-Type: Application/JSON ; charset=utf-8"])
            #expect(other.status == 202)
            #expect(try await world.post(gateway, body: String(repeating: " ", count: 1001)).status == 413)
            #expect(try await world.post(gateway, "/orders?wait=soon").status == 400)
            #expect(try await world.post(gateway, headers: GatewayWorld.json + ["Idempotency-Key: a b"]).status == 400)
            #expect(try await RawClient.ask(gateway.port, "GET /orders").status == 405)
            let unknown = try await RawClient.ask(gateway.port, "GET /flows/nobody")
            #expect(unknown.status == 404)
            #expect(unknown.json["title"] as? String == "Unknown flow")
            #expect(try await RawClient.ask(gateway.port, "GET /flows/nobody?wait=50ms").status == 404)
            #expect(try await RawClient.ask(gateway.port, "GET /flows/nobody/events").status == 404)
            #expect(try await RawClient.ask(gateway.port, "GET /health").text == #"{"status":"up"}"#)
        }
        await world.end()
    }

    @Test func repeatedPostStartsOneFlowAtAnyGateway() async throws {
        let world = try await GatewayWorld()
        try await world.with { one in
            try await world.with { other in
                let headers = GatewayWorld.json + ["Idempotency-Key: \"7b1f\""]
                let first = try await world.post(one, headers: headers)
                let second = try await world.post(other, headers: headers)
                let third = try await world.post(one, headers: headers)
                #expect([first, second, third].map(\.status) == [202, 202, 202])
                #expect(Set([first, second, third].map { $0.json["id"] as? String }).count == 1)
                let different = try await world.post(one, headers: GatewayWorld.json + ["Idempotency-Key: 7b20"])
                #expect(different.json["id"] as? String != first.json["id"] as? String)
                let envelopes = try await world.records("orders").map { try EventEnvelope($0) }
                let flow = envelopes.filter { $0.correlationID == first.json["id"] as? String }
                #expect((1...3).contains(flow.count))
                #expect(Set(flow.map(\.id)).count == 1)
                // Once a gateway has read the event, it is not published again.
                let id = try #require(first.json["id"] as? String)
                try await eventually { one.follower.snapshot(id)?.events.count == 1 }
                let before = try await world.records("orders").count
                #expect(try await world.post(one, headers: headers).status == 202)
                #expect(try await world.records("orders").count == before)
            }
        }
        await world.end()
    }

    @Test func keyOfAnotherRequestIsRefusedWhereTheGatewayCanKnow() async throws {
        let world = try await GatewayWorld()
        let keyed = GatewayWorld.json + ["Idempotency-Key: 7b21"]
        let other = #"{"orderID":"o-2","lines":[]}"#
        try await world.with { one in
            let first = try await world.post(one, headers: keyed)
            #expect(first.status == 202)
            let mistaken = try await world.post(one, body: other, headers: keyed)
            #expect(mistaken.status == 422)
            #expect(mistaken.headers["Content-Type"] == "application/problem+json")
            #expect(mistaken.json["header"] as? String == "Idempotency-Key")
            let id = try #require(first.json["id"] as? String)
            try await eventually { one.follower.snapshot(id)?.events.count == 1 }
            #expect(try await world.post(one, body: other, headers: keyed).status == 422)
            // Nothing of it was published, and the right request may still be repeated.
            #expect(try await world.records("orders").count == 1)
            #expect(try await world.post(one, headers: keyed).json["id"] as? String == id)
            // Without a key, or with one of its own, it is another request.
            #expect(try await world.post(one, body: other).status == 202)
            #expect(
                try await world.post(one, body: other, headers: GatewayWorld.json + ["Idempotency-Key: 7b22"]).status
                    == 202)
            // Another gateway knows the event, not the body it came of.
            try await world.with { two in
                try await eventually { two.follower.snapshot(id)?.events.count == 1 }
                #expect(try await world.post(two, body: other, headers: keyed).status == 202)
                #expect(try await world.post(two, headers: keyed).status == 202)
                #expect(try await world.records("orders").count == 3)
            }
        }
        await world.end()
    }

    @Test func unreachableBrokerIsToldInTime() async throws {
        let world = try await GatewayWorld(onEmbeddedBroker: true)
        let broker = try #require(world.corner.broker)
        try await world.with({ $0.publishTimeout = .seconds(2) }) { gateway in
            // On a busy machine also the first may take longer than the 2 s.
            try await eventually { try await world.post(gateway).status == 202 }
            try broker.takeDown()
            let begin = ContinuousClock.now
            let down = try await world.post(gateway)
            #expect(down.status == 503)
            #expect(down.headers["Retry-After"] == "2")
            // Long after the 2 s on a starved machine, and long before the client's own five minutes.
            #expect(ContinuousClock.now - begin < .seconds(120))
            try broker.bringUp()
            try await eventually { try await world.post(gateway).status == 202 }
        }
        await world.end()
    }

    @Test(.timeLimit(.minutes(5))) func theGatewayItselfBoundsTheWaitForKafka() async throws {
        let world = try await GatewayWorld(onEmbeddedBroker: true)
        let broker = try #require(world.corner.broker)
        try await world.with({
            $0.publishTimeout = .seconds(3)
            // librdkafka alone would keep every client waiting for longer than it waits.
            $0.service.kafka.deliveryTimeout = .seconds(600)
        }) { gateway in
            func keyed(_ key: String) -> [String] { GatewayWorld.json + ["Idempotency-Key: \(key)"] }
            try await eventually { try await world.post(gateway, headers: keyed("first")).status == 202 }
            let known = gateway.follower.flowCount
            try broker.takeDown()
            var flows: Set<String> = []
            for (path, wish) in [("/orders", []), ("/orders?wait=100s", []), ("/orders", ["Prefer: wait=100"])] {
                let down = try await world.post(gateway, path, headers: keyed("7b21") + wish)
                #expect(down.status == 503)
                #expect(down.headers["Content-Type"] == "application/problem+json")
                #expect(down.headers["Retry-After"] == "2")
                let detail = try #require(down.json["detail"] as? String)
                #expect(detail.contains("may be written all the same") && detail.contains("one flow only"))
                flows.insert(try #require(down.json["flow"] as? String))
            }
            let keyless = try await world.post(gateway)
            #expect((keyless.json["detail"] as? String)?.contains("starts another flow") == true)
            // Nothing is kept of what is not known.
            #expect(gateway.follower.waiterCount == 0)
            #expect(gateway.follower.flowCount == known)
            try await eventually { gateway.requestsInFlight == 0 }
            try broker.bringUp()
            // What was told 503 is written now, as it was said, and a repeated request starts no other flow.
            let doubted = try #require(keyless.json["flow"] as? String)
            try await eventually { gateway.follower.snapshot(doubted)?.events.count == 1 }
            #expect(try await RawClient.ask(gateway.port, "GET /flows/\(doubted)").status == 200)
            try await eventually {
                let again = try await world.post(gateway, headers: keyed("7b21"))
                flows.insert(try #require((again.json["id"] ?? again.json["flow"]) as? String))
                return again.status == 202
            }
            #expect(flows.count == 1)
            let flow = try #require(flows.first)
            var ids: [String?] = []
            try await eventually {
                ids = try await world.records("orders").filter { $0.header("ce_correlationid") == flow }
                    .map { $0.header("ce_id") }
                return ids.count >= 3
            }
            #expect(Set(ids).count == 1)
        }
        await world.end()
    }

    @Test func tokensAreAskedForAndPayloadsHidden() async throws {
        let world = try await GatewayWorld()
        try await world.with({
            $0.tokens = BearerTokens("open-sesame")
            $0.payloads = .none
        }) { gateway in
            #expect(try await world.post(gateway).status == 401)
            #expect(try await RawClient.ask(gateway.port, "GET /flows/x").status == 401)
            #expect(try await RawClient.ask(gateway.port, "GET /health").status == 200)
            let headers = GatewayWorld.json + ["Authorization: Bearer open-sesame"]
            let id = try #require(try await world.post(gateway, headers: headers).json["id"] as? String)
            try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
            let flow = try await RawClient.ask(
                gateway.port, "GET /flows/\(id)?wait=100s", headers: ["Authorization: Bearer open-sesame"])
            let ending = try #require(flow.json["ending"] as? [String: Any])
            #expect(ending["type"] as? String == "test.order.shipped")
            #expect(ending["data"] == nil)
        }
        await world.end()
    }
}
