// The gateway over real sockets, on a cluster.

import EventJSON
import Foundation
import KafkaClient
import Synchronization
import Testing
import Troupe

@testable import TroupeWeb

private struct Placed: Event, Hashable {
    static let type: EventType = "test.order.placed"
    static let topic: Topic = "orders"
    struct Line: Codable, Hashable { var sku: String }
    var orderID: String
    var lines: [Line]
    var key: EventKey { EventKey(orderID) }
}

private struct Shipped: Event, Hashable {
    static let type: EventType = "test.order.shipped"
    static let topic: Topic = "shipments"
    static var flowEnding: FlowEnding? { .completed }
    var orderID: String
    var key: EventKey { EventKey(orderID) }
}

private struct Refused: Event, Hashable {
    static let type: EventType = "test.order.refused"
    static let topic: Topic = "orders"
    static var flowEnding: FlowEnding? { .failed }
    var orderID: String
    var reason: String
    var key: EventKey { EventKey(orderID) }
}

/// A corner of a cluster, and whoever answers in it.
private final class World: Sendable {
    let corner: TestCorner
    let service: EventPublisher
    static let body = #"{"orderID":"o-1","lines":[{"sku":"lamp"}]}"#
    static let json = ["Content-Type: application/json"]

    init(onEmbeddedBroker isEmbedded: Bool = !TestCorner.isKafka) async throws {
        corner = try await TestCorner(
            topics: ["orders": 4, "shipments": 4, "troupe.services": 1], onEmbeddedBroker: isEmbedded)
        service = try await EventPublisher("shipping", configuration: Self.service(corner))
    }

    static func service(_ corner: TestCorner) -> ServiceConfiguration {
        var configuration = ServiceConfiguration(kafka: corner.configuration, environment: [:])
        configuration.namespace = corner.namespace
        configuration.logger = Logger(label: "test", level: .critical, handler: Silent())
        // What is declared is up to each test.
        configuration.tracking.isEnabled = false
        return configuration
    }

    /// Starts a gateway, runs `body` and stops it.
    func with(
        endings: Bool = true, _ configure: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: (RunningGateway) async throws -> Void
    ) async throws {
        let gateway = try await start(endings: endings, configure)
        let result: Result<Void, any Error>
        do { result = .success(try await body(gateway)) } catch { result = .failure(error) }
        await gateway.stop()
        try result.get()
    }

    func start(
        endings: Bool = true, _ configure: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> RunningGateway {
        var configuration = GatewayConfiguration(service: Self.service(corner), http: HTTPServerConfiguration())
        configuration.patienceWithUnknownFlows = .milliseconds(100)
        configure(&configuration)
        var gateway = Gateway("shop-gateway", configuration: configuration)
        gateway.post("/orders", publishes: Placed.self)
        if endings { gateway.endings(Shipped.self, Refused.self) }
        return try await gateway.start()
    }

    func end() async { await service.shutdown(within: .seconds(5)) }

    func post(
        _ gateway: RunningGateway, _ path: String = "/orders", body: String = World.body, headers: [String] = World.json
    ) async throws -> RawResponse {
        try await RawClient.ask(gateway.port, "POST \(path)", body: body, headers: headers)
    }

    /// All records of a topic that are there by now.
    func records(_ topic: String) async throws -> [KafkaRecord] {
        let partitions = (0..<4).map { TopicPartition(corner.namespace + topic, Int32($0)) }
        let admin = try KafkaAdmin(corner.configuration)
        let total = try await admin.watermarks(of: partitions).values.reduce(0) { try $0 + Int($1.get().high) }
        let starts = Dictionary(uniqueKeysWithValues: partitions.map { ($0, StartingPoint.earliest) })
        let consumer = try KafkaConsumer(corner.configuration, .partitions(starts))
        var records: [KafkaRecord] = []
        if total > 0 {
            for try await record in consumer.records {
                records.append(record)
                if records.count == total { break }
            }
        }
        await consumer.close()
        return records
    }
}

private struct Silent: LogHandler {
    func log(_ line: LogLine) {}
}

@Suite struct GatewayTests {
    @Test func postIsPublishedAndItsFlowNamed() async throws {
        let world = try await World()
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
        let world = try await World()
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
        let world = try await World()
        try await world.with({ $0.http.limits.maxBodyBytes = 1000 }) { gateway in
            #expect(try await world.post(gateway, headers: []).status == 415)
            #expect(try await world.post(gateway, headers: ["Content-Type: text/plain"]).status == 415)
            let other = try await world.post(gateway, headers: ["Content-Type: Application/JSON ; charset=utf-8"])
            #expect(other.status == 202)
            #expect(try await world.post(gateway, body: String(repeating: " ", count: 1001)).status == 413)
            #expect(try await world.post(gateway, "/orders?wait=soon").status == 400)
            #expect(try await world.post(gateway, headers: World.json + ["Idempotency-Key: a b"]).status == 400)
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
        let world = try await World()
        try await world.with { one in
            try await world.with { other in
                let headers = World.json + ["Idempotency-Key: \"7b1f\""]
                let first = try await world.post(one, headers: headers)
                let second = try await world.post(other, headers: headers)
                let third = try await world.post(one, headers: headers)
                #expect([first, second, third].map(\.status) == [202, 202, 202])
                #expect(Set([first, second, third].map { $0.json["id"] as? String }).count == 1)
                let different = try await world.post(one, headers: World.json + ["Idempotency-Key: 7b20"])
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

    @Test func waitingIsAnsweredWithTheEnd() async throws {
        let world = try await World()
        try await world.with { gateway in
            async let held = world.post(gateway, "/orders?wait=20s", headers: World.json + ["Idempotency-Key: k"])
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
            async let asking = RawClient.ask(gateway.port, "GET /flows/\(other)", headers: ["Prefer: wait=30"])
            try await eventually { gateway.follower.waiterCount == 1 }
            try await world.service.publish(Refused(orderID: "o-1", reason: "no"), correlationID: other)
            let failed = try await asking
            #expect(failed.status == 200)
            #expect(failed.headers["Preference-Applied"] == "wait=30")
            #expect(failed.json["status"] as? String == "failed")
            // What is over is answered at once.
            #expect(try await RawClient.ask(gateway.port, "GET /flows/\(other)?wait=20s").status == 200)
            #expect(gateway.follower.waiterCount == 0)
        }
        await world.end()
    }

    @Test func endThatComesBeforeTheAcknowledgementIsNotMissed() async throws {
        let world = try await World()
        try await world.with { gateway in
            let id = orderFlow("early")
            try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
            try await eventually { gateway.follower.snapshot(id)?.outcome == .completed }
            let answer = try await world.post(
                gateway, "/orders?wait=20s", headers: World.json + ["Idempotency-Key: early"])
            #expect(answer.status == 200)
        }
        await world.end()
    }

    @Test func timeUpIsAnswered202() async throws {
        let world = try await World()
        try await world.with({ $0.maxWait = .milliseconds(200) }) { gateway in
            let answer = try await world.post(gateway, "/orders?wait=20s")
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
        let world = try await World()
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

    @Test func unreachableBrokerIsToldInTime() async throws {
        let world = try await World(onEmbeddedBroker: true)
        let broker = try #require(world.corner.broker)
        try await world.with({ $0.publishTimeout = .seconds(2) }) { gateway in
            #expect(try await world.post(gateway).status == 202)
            try broker.takeDown()
            let begin = ContinuousClock.now
            let down = try await world.post(gateway)
            #expect(down.status == 503)
            #expect(down.headers["Retry-After"] == "2")
            // Long after the 2 s on a starved machine, and long before the client's own five minutes.
            #expect(ContinuousClock.now - begin < .seconds(60))
            try broker.bringUp()
            try await eventually { try await world.post(gateway).status == 202 }
        }
        await world.end()
    }

    @Test func stopAnswersWhoeverWaits() async throws {
        let world = try await World()
        let gateway = try await world.start()
        async let held = withThrowingTaskGroup(of: RawResponse.self) { group in
            for _ in 0..<10 { group.addTask { try await world.post(gateway, "/orders?wait=60s") } }
            return try await group.reduce(into: [RawResponse]()) { $0.append($1) }
        }
        try await eventually { gateway.follower.waiterCount == 10 }
        await gateway.stop()
        let answers = try await held
        #expect(answers.count == 10)
        #expect(answers.allSatisfy { $0.status == 202 && $0.headers["Location"] != nil })
        await world.end()
    }

    @Test func endingsAreLearnedFromDeclarations() async throws {
        let world = try await World()
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
            async let refused = world.post(gateway, "/orders?wait=20s", headers: World.json + ["Idempotency-Key: a"])
            let first = orderFlow("a")
            try await world.service.publish(Refused(orderID: "o-1", reason: "no"), correlationID: first)
            #expect(try await refused.json["status"] as? String == "failed")
            // Heard of later, with a topic that was not read before; its event is there already.
            let id = try #require(try await world.post(gateway).json["id"] as? String)
            try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
            try await declare("shipper", [describe(Shipped.self)])
            let shipped = try await RawClient.ask(gateway.port, "GET /flows/\(id)?wait=20s")
            #expect(shipped.json["status"] as? String == "completed")
        }
        await producer.shutdown(within: .seconds(5))
        await world.end()
    }

    @Test func servicesThatAreHeardOfTogetherAreAllFollowed() async throws {
        let world = try await World()
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
                let flow = try await RawClient.ask(gateway.port, "GET /flows/\(id)?wait=20s")
                #expect(flow.json["status"] as? String == "completed")
            }
        }
        await world.end()
    }

    @Test func gatewayThatComesBackKnowsTheLatestFlows() async throws {
        let world = try await World()
        let first = try await world.start()
        let id = try #require(try await world.post(first).json["id"] as? String)
        try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
        await first.stop()
        try await world.with { gateway in
            let flow = try await RawClient.ask(gateway.port, "GET /flows/\(id)?wait=20s")
            #expect(flow.json["status"] as? String == "completed")
        }
        try await world.with({ $0.lookback = 0 }) { gateway in
            let unknown = try await RawClient.ask(gateway.port, "GET /flows/\(id)")
            #expect(unknown.status == 404)
        }
        await world.end()
    }

    @Test func archiveAnswersForWhatIsForgotten() async throws {
        struct Archive: FlowArchive {
            func flow(_ id: String) async throws -> FlowSnapshot? {
                id == "old" ? FlowSnapshot(id: id, outcome: .completed) : nil
            }
        }
        let world = try await World()
        try await world.with({ $0.archive = Archive() }) { gateway in
            let old = try await RawClient.ask(gateway.port, "GET /flows/old?wait=20s")
            #expect(old.status == 200)
            #expect(old.json["status"] as? String == "completed")
            #expect(try await RawClient.ask(gateway.port, "GET /flows/older").status == 404)
        }
        await world.end()
    }

    @Test func tokensAreAskedForAndPayloadsHidden() async throws {
        let world = try await World()
        try await world.with({
            $0.tokens = BearerTokens("open-sesame")
            $0.payloads = .none
        }) { gateway in
            #expect(try await world.post(gateway).status == 401)
            #expect(try await RawClient.ask(gateway.port, "GET /flows/x").status == 401)
            #expect(try await RawClient.ask(gateway.port, "GET /health").status == 200)
            let headers = World.json + ["Authorization: Bearer open-sesame"]
            let id = try #require(try await world.post(gateway, headers: headers).json["id"] as? String)
            try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
            let flow = try await RawClient.ask(
                gateway.port, "GET /flows/\(id)?wait=20s", headers: ["Authorization: Bearer open-sesame"])
            let ending = try #require(flow.json["ending"] as? [String: Any])
            #expect(ending["type"] as? String == "test.order.shipped")
            #expect(ending["data"] == nil)
        }
        await world.end()
    }

    @Test func environmentGoesOverTheCode() throws {
        var configuration = GatewayConfiguration(
            service: ServiceConfiguration(
                kafka: KafkaConfiguration(bootstrapServers: "k:9092"),
                environment: [
                    "TROUPE_HTTP_HOST": "0.0.0.0", "TROUPE_HTTP_PORT": "81", "TROUPE_HTTP_TOKENS": "a,b",
                    "TROUPE_HTTP_ALLOWED_HOSTS": "Shop.example", "TROUPE_HTTP_TLS_CERTIFICATE": "c",
                    "TROUPE_HTTP_TLS_KEY": "k",
                ]))
        let resolved = try configuration.resolved()
        #expect(resolved.http.host == "0.0.0.0")
        #expect(resolved.http.port == 81)
        #expect(resolved.http.allowedHosts == ["shop.example"])
        #expect(resolved.tokens?.admit(authorization: "Bearer b") == true)
        #expect(resolved.http.tls == TLSFiles(certificate: "c", key: "k"))
        #expect(resolved.service.kafka.deliveryTimeout == .seconds(5))
        for broken in [["TROUPE_HTTP_PORT": "x"], ["TROUPE_HTTP_TLS_KEY": "k"]] {
            configuration.service.environment = broken
            #expect(throws: StartupError.self) { try configuration.resolved() }
        }
    }

    @Test func missingTopicsAreMadeOrNamed() async throws {
        let corner = try await TestCorner()
        var configuration = GatewayConfiguration(service: World.service(corner), http: HTTPServerConfiguration())
        configuration.service.provisioning = .verify
        var gateway = Gateway("shop-gateway", configuration: configuration)
        gateway.post("/orders", publishes: Placed.self)
        await #expect(throws: StartupError.self) { _ = try await gateway.start() }
        gateway.configuration.service.provisioning = .create
        let running = try await gateway.start()
        let answer = try await RawClient.ask(running.port, "POST /orders", body: World.body, headers: World.json)
        #expect(answer.status == 202)
        await running.stop()
    }

    /// In a process of its own, where nobody else opens files or starts threads.
    @Test func nothingIsLeftBehind() async throws {
        await #expect(processExitsWith: .success) {
            func count() throws -> (files: Int, threads: Int) {
                let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
                let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap {
                    try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)
                }.filter { name in ["MHD", "troupe-", "kafka", "rdk:"].contains { name.hasPrefix($0) } }
                return (files, threads.count)
            }
            let world = try await World()
            func cycle() async throws {
                let gateway = try await world.start()
                try #require(try await world.post(gateway).status == 202)
                await gateway.stop()
            }
            try await cycle()
            let before = try count()
            for _ in 0..<3 { try await cycle() }
            // librdkafka closes its connections a moment after a client's end.
            try await eventually {
                let after = try count()
                return after.files <= before.files && after.threads <= before.threads
            }
        }
    }
}
