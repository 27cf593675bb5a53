// How a gateway starts, comes back and stops.

import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeWeb

@Suite struct GatewayTestsOfLife {
    @Test func stopAnswersWhoeverWaits() async throws {
        let world = try await GatewayWorld()
        let gateway = try await world.start()
        async let held = withThrowingTaskGroup(of: RawResponse.self) { group in
            for _ in 0..<10 { group.addTask { try await world.post(gateway, "/orders?wait=100s") } }
            return try await group.reduce(into: [RawResponse]()) { $0.append($1) }
        }
        try await eventually { gateway.follower.waiterCount == 10 }
        await gateway.stop()
        let answers = try await held
        #expect(answers.count == 10)
        #expect(answers.allSatisfy { $0.status == 202 && $0.headers["Location"] != nil })
        await world.end()
    }

    @Test(.timeLimit(.minutes(5))) func stopAnswersWhoWaitsForKafkaInVain() async throws {
        let world = try await GatewayWorld(onEmbeddedBroker: true)
        let broker = try #require(world.corner.broker)
        let gateway = try await world.start {
            $0.publishTimeout = .seconds(5)
            $0.service.kafka.deliveryTimeout = .seconds(600)
        }
        try await eventually { try await world.post(gateway).status == 202 }
        try await eventually { gateway.requestsInFlight == 0 }
        try broker.takeDown()
        async let held = world.post(gateway, "/orders?wait=100s")
        try await eventually { gateway.requestsInFlight == 1 }
        await gateway.stop()
        let answer = try await held
        #expect(answer.status == 503)
        // It is told of its event, not only that the gateway stops.
        #expect(answer.json["flow"] is String)
        #expect(gateway.requestsInFlight == 0)
        await world.end()
    }

    @Test func gatewayThatComesBackKnowsTheLatestFlows() async throws {
        let world = try await GatewayWorld()
        let first = try await world.start()
        let id = try #require(try await world.post(first).json["id"] as? String)
        try await world.service.publish(Shipped(orderID: "o-1"), correlationID: id)
        await first.stop()
        try await world.with { gateway in
            let flow = try await RawClient.ask(gateway.port, "GET /flows/\(id)?wait=100s")
            #expect(flow.json["status"] as? String == "completed")
        }
        try await world.with({ $0.lookback = 0 }) { gateway in
            let unknown = try await RawClient.ask(gateway.port, "GET /flows/\(id)")
            #expect(unknown.status == 404)
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
        var configuration = GatewayConfiguration(service: GatewayWorld.service(corner), http: HTTPServerConfiguration())
        configuration.service.provisioning = .verify
        configuration.publishTimeout = .seconds(60)
        var gateway = Gateway("shop-gateway", configuration: configuration)
        gateway.post("/orders", publishes: Placed.self)
        await #expect(throws: StartupError.self) { _ = try await gateway.start() }
        gateway.configuration.service.provisioning = .create
        let running = try await gateway.start()
        let answer = try await RawClient.ask(
            running.port, "POST /orders", body: GatewayWorld.body, headers: GatewayWorld.json)
        #expect(answer.status == 202)
        await running.stop()
    }

    @Test func aGatewayThatCannotStartSaysWhyAndEndsItsProcess() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            var configuration = GatewayConfiguration()
            configuration.service.environment = [:]
            try await Gateway("Not a name", configuration: configuration).runService()
        }
        let lines = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(lines.contains("The gateway cannot run"))
        #expect(lines.contains("bootstrap.servers is not set"))
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
            let world = try await GatewayWorld()
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
