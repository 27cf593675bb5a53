// What a gateway tells of flows over real sockets, on a cluster.

import EventJSON
import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeWeb

@Suite struct GatewayTestsOfFlows {
    @Test func waitingIsAnsweredWithTheEnd() async throws {
        let world = try await GatewayWorld()
        try await world.with { gateway in
            async let held = world.post(
                gateway, "/orders?wait=100s", headers: GatewayWorld.json + ["Idempotency-Key: k"])
            let id = orderFlow("k")
            try await eventually { gateway.follower.waiterCount == 1 }
            try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
            let answer = try await held
            #expect(answer.status == 200)
            #expect(answer.json["status"] as? String == "completed")
            let ending = try #require(answer.json["ending"] as? [String: Any])
            #expect(ending["type"] as? String == "test.order.shipped")
            #expect((ending["data"] as? [String: Any])?["orderID"] as? String == "o-1")
            // Another flow fails, and the header asks.
            let second = try await world.post(gateway)
            let other = try #require(second.json["id"] as? String)
            async let asking = RawClient.ask(gateway.port, "GET /flows/\(other)", headers: ["Prefer: wait=90"])
            try await eventually { gateway.follower.waiterCount == 1 }
            try await world.service.publish(Refused(orderID: "o-1", reason: "no"), correlationID: other)
            let failed = try await asking
            #expect(failed.status == 200)
            #expect(failed.headers["Preference-Applied"] == "wait=90")
            #expect(failed.json["status"] as? String == "failed")
            // What is over is answered at once.
            #expect(try await RawClient.ask(gateway.port, "GET /flows/\(other)?wait=100s").status == 200)
            #expect(gateway.follower.waiterCount == 0)
        }
        await world.end()
    }

    @Test func endThatComesBeforeTheAcknowledgementIsNotMissed() async throws {
        let world = try await GatewayWorld()
        try await world.with { gateway in
            let id = orderFlow("early")
            try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
            try await eventually { gateway.follower.snapshot(id)?.outcome == .completed }
            let answer = try await world.post(
                gateway, "/orders?wait=100s", headers: GatewayWorld.json + ["Idempotency-Key: early"])
            #expect(answer.status == 200)
        }
        await world.end()
    }

    @Test func timeUpIsAnswered202() async throws {
        let world = try await GatewayWorld()
        try await world.with({ $0.maxWait = .milliseconds(200) }) { gateway in
            let answer = try await world.post(gateway, "/orders?wait=100s")
            #expect(answer.status == 202)
            let id = try #require(answer.json["id"] as? String)
            #expect(answer.headers["Location"] == "/flows/\(id)")
            let again = try await RawClient.ask(gateway.port, "GET /flows/\(id)?wait=100ms")
            #expect(again.status == 202)
            #expect(again.headers["Location"] == "/flows/\(id)")
            #expect(gateway.follower.waiterCount == 0)
        }
        await world.end()
    }

    @Test func eventsAreStreamedAndResumedAtAnotherGateway() async throws {
        let world = try await GatewayWorld()
        try await world.with { one in
            try await world.with { other in
                let id = try #require(try await world.post(one).json["id"] as? String)
                let client = try RawClient(port: one.port)
                try client.ask("GET /flows/\(id)/events")
                #expect(try await client.header().status == 200)
                let begun = try await client.text { $0.contains("\n\n") }
                #expect(begun.contains(#""type":"test.order.placed""#))
                #expect(!begun.contains("lamp"), "payloads of other events are not shown")
                let point = try #require(begun.firstMatch(of: /id: (.+)\n/)?.1)
                try await world.service.publish(Refused(orderID: "o-1", reason: "no"), correlationID: id)
                let ended = try await client.text { $0.contains("event: end") && $0.hasSuffix("0\r\n\r\n") }
                #expect(ended.components(separatedBy: "\ndata: ").count == 4)
                #expect(ended.contains(#""status":"failed""#))
                // At the other one, from there on.
                try await eventually { other.follower.snapshot(id)?.outcome == .failed }
                let rest = try RawClient(port: other.port)
                try rest.ask("GET /flows/\(id)/events", headers: ["Last-Event-ID: \(point)"])
                let text = try await rest.text { $0.hasSuffix("0\r\n\r\n") }
                #expect(!text.contains("test.order.placed"))
                #expect(text.contains(#""type":"test.order.refused""#))
                let last = try #require(text.matches(of: /id: (.+)\n/).last?.1)
                let done = try await RawClient.ask(
                    other.port, "GET /flows/\(id)/events", headers: ["Last-Event-ID: \(last)"])
                #expect(done.status == 204)
            }
        }
        await world.end()
    }

    @Test func endingsAreLearnedFromDeclarations() async throws {
        let world = try await GatewayWorld()
        let producer = try KafkaProducer(world.corner.configuration)
        func declare(_ service: String, _ events: [EventDescription], by key: String? = nil) async throws {
            let declaration = ServiceDeclaration(
                service: service, version: "1", group: service, delivery: "at-least-once", routes: [], starts: [],
                events: events)
            try await producer.send(
                KafkaMessage(
                    topic: world.corner.namespace + "troupe.services",
                    key: Array(RegistryKey.declaration(service: key ?? service, fingerprint: "1").text.utf8),
                    value: try EventJSONEncoder().encode(declaration)))
        }
        func describe<E: Event>(_ type: E.Type) -> EventDescription {
            EventDescription(
                type: E.type.rawValue, topic: world.corner.namespace + E.topic.rawValue, flowEnding: E.flowEnding,
                contentType: "",
                dataSchema: nil,
                payloadSchema: nil)
        }
        try await declare("refuser", [describe(Refused.self)])
        // Nothing is learned from a record whose key speaks of another service.
        var wrong = describe(Refused.self)
        wrong.flowEnding = .completed
        try await declare("refuser", [wrong], by: "liar")
        try await world.with(endings: false) { gateway in
            // Known at the start: on a topic that is read anyway.
            async let refused = world.post(
                gateway, "/orders?wait=100s", headers: GatewayWorld.json + ["Idempotency-Key: a"])
            let first = orderFlow("a")
            try await world.service.publish(Refused(orderID: "o-1", reason: "no"), correlationID: first)
            #expect(try await refused.json["status"] as? String == "failed")
            // Heard of later, with a topic that was not read before; its event is there already.
            let id = try #require(try await world.post(gateway).json["id"] as? String)
            try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
            try await declare("shipper", [describe(Shipped.self)])
            let shipped = try await RawClient.ask(gateway.port, "GET /flows/\(id)?wait=100s")
            #expect(shipped.json["status"] as? String == "completed")
        }
        await producer.shutdown(within: .seconds(5))
        await world.end()
    }

    @Test func servicesThatAreHeardOfTogetherAreAllFollowed() async throws {
        let world = try await GatewayWorld()
        let producer = try KafkaProducer(world.corner.configuration)
        // Each names a further topic, so that each is a reason to look.
        for number in 0..<8 {
            let topics = [Shipped.topic.rawValue] + (0..<number).map { "other-\($0)" }
            let declaration = ServiceDeclaration(
                service: "service-\(number)", version: "1", group: "g", delivery: "at-least-once", routes: [],
                starts: [],
                events: topics.enumerated().map { index, topic in
                    EventDescription(
                        type: index == 0 ? Shipped.type.rawValue : "other.\(topic)",
                        topic: world.corner.namespace + topic,
                        flowEnding: index == 0 ? .completed : nil, contentType: "", dataSchema: nil, payloadSchema: nil)
                })
            try await producer.send(
                KafkaMessage(
                    topic: world.corner.namespace + "troupe.services",
                    key: Array(RegistryKey.declaration(service: declaration.service, fingerprint: "1").text.utf8),
                    value: try EventJSONEncoder().encode(declaration)))
        }
        await producer.shutdown(within: .seconds(5))
        for _ in 0..<3 {
            try await world.with(endings: false) { gateway in
                let id = try #require(try await world.post(gateway).json["id"] as? String)
                try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
                let flow = try await RawClient.ask(gateway.port, "GET /flows/\(id)?wait=100s")
                #expect(flow.json["status"] as? String == "completed")
            }
        }
        await world.end()
    }

    @Test func archiveAnswersForWhatIsForgotten() async throws {
        struct Archive: FlowArchive {
            func flow(_ id: String) async throws -> FlowSnapshot? {
                id == "old" ? FlowSnapshot(id: id, outcome: .completed) : nil
            }
        }
        let world = try await GatewayWorld()
        try await world.with({ $0.archive = Archive() }) { gateway in
            let old = try await RawClient.ask(gateway.port, "GET /flows/old?wait=100s")
            #expect(old.status == 200)
            #expect(old.json["status"] as? String == "completed")
            #expect(try await RawClient.ask(gateway.port, "GET /flows/older").status == 404)
        }
        await world.end()
    }

    @Test func aRequestThatIsRepeatedAfterItsFlowWasForgottenIsAnsweredWithItsEnd() async throws {
        struct Archive: FlowArchive {
            func flow(_ id: String) async throws -> FlowSnapshot? { FlowSnapshot(id: id, outcome: .failed) }
        }
        let world = try await GatewayWorld()
        try await world.with({ $0.archive = Archive() }) { gateway in
            let headers = GatewayWorld.json + ["Idempotency-Key: 7b1f"]
            let answer = try await world.post(gateway, "/orders?wait=100s", headers: headers)
            #expect(answer.status == 200)
            #expect(answer.json["status"] as? String == "failed")
        }
        await world.end()
    }
}
