// Clients that are slow, or gone, and streams.

import Foundation
import Synchronization
import Testing

@testable import TroupeWeb

@Suite struct SlowClientTests {
    private func server(_ limits: HTTPLimits, _ routes: (inout HTTPRouter) -> Void) throws -> HTTPServer {
        var router = HTTPRouter()
        router.on(.post, "/echo") { HTTPResponse(bytes: $0.body, contentType: "text/plain") }
        routes(&router)
        var configuration = HTTPServerConfiguration()
        configuration.limits = limits
        return try HTTPServer(router, configuration)
    }

    @Test(arguments: [
        "", "POST /ec", "POST /echo HTTP/1.1\r\nHost: local",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
    ])
    func slowRequestIsCut(_ beginning: String) async throws {
        var limits = HTTPLimits.patient
        limits.headerTimeout = .milliseconds(200)
        limits.bodyTimeout = .milliseconds(200)
        let server = try server(limits) { _ in }
        let client = try RawClient(port: server.port)
        try client.send(beginning)
        #expect(try await client.untilClosed() == "")
        try await eventually { server.connectionCount == 0 }
        #expect(server.requestsInFlight == 0)
        await server.stop()
    }

    @Test func idleConnectionIsCut() async throws {
        var limits = HTTPLimits.patient
        limits.idleTimeout = .milliseconds(200)
        let server = try server(limits) { _ in }
        let client = try RawClient(port: server.port)
        try client.ask("POST /echo", body: "x")
        #expect(try await client.response().text == "x")
        #expect(try await client.untilClosed() == "")
        await server.stop()
    }

    @Test func clientThatDoesNotReadIsCut() async throws {
        var limits = HTTPLimits.patient
        limits.writeTimeout = .milliseconds(300)
        let gate = Gate()
        gate.open()
        let server = try server(limits) {
            $0.get("/large") { _ in
                await gate.pass()
                return HTTPResponse(bytes: [UInt8](repeating: 0x20, count: 64 << 20), contentType: "text/plain")
            }
        }
        let client = try RawClient(port: server.port, receiveBuffer: 4096)
        try client.ask("GET /large")
        try await eventually { gate.arrived == 1 }
        try await eventually { server.requestsInFlight == 0 }
        try await eventually { server.connectionCount == 0 }
        await server.stop()
    }

    @Test func streamArrivesEventByEvent() async throws {
        let gate = Gate()
        let server = try server(.patient) {
            $0.get("/events") { _ in
                .events { stream in
                    try await stream.send(ServerSentEvent("first", id: "1"))
                    await gate.pass()
                    for number in 2...1000 { try await stream.send(ServerSentEvent("event", id: "\(number)")) }
                }
            }
        }
        let client = try RawClient(port: server.port)
        try client.ask("GET /events")
        let head = try await client.header()
        #expect(head.headers["Content-Type"] == "text/event-stream")
        #expect(head.headers["Cache-Control"] == "no-store")
        // The first event comes while the handler still runs.
        _ = try await client.text { $0.contains("data: first\n\n") }
        gate.open()
        let all = try await client.chunks()
        #expect(all.components(separatedBy: "data: event\n\n").count == 1000)
        await server.stop()
    }

    @Test func silentStreamSendsHeartbeats() async throws {
        var limits = HTTPLimits.patient
        limits.heartbeat = .milliseconds(100)
        let gate = Gate()
        let server = try server(limits) { $0.get("/events") { _ in .events { _ in await gate.pass() } } }
        let client = try RawClient(port: server.port)
        try client.ask("GET /events")
        _ = try await client.text { $0.components(separatedBy: ":\n\n").count >= 4 }
        gate.open()
        await server.stop()
    }

    @Test func streamWhoseClientLeftIsCancelled() async throws {
        var limits = HTTPLimits.patient
        limits.heartbeat = .milliseconds(50)
        let ended = Atomic(false)
        let gate = Gate()
        let server = try server(limits) {
            $0.get("/events") { _ in
                .events { _ in
                    await gate.pass()
                    ended.store(Task.isCancelled, ordering: .relaxed)
                }
            }
        }
        var client: RawClient? = try RawClient(port: server.port)
        try client?.ask("GET /events")
        try await eventually { gate.arrived == 1 }
        client = nil
        try await eventually { ended.load(ordering: .relaxed) }
        try await eventually { server.connectionCount == 0 }
        await server.stop()
    }

    @Test func writerWaitsForASlowReader() async throws {
        let written = Atomic(0)
        let server = try server(.patient) {
            $0.get("/flood") { _ in
                HTTPResponse(
                    .ok,
                    body: .stream { stream in
                        for _ in 0..<2000 {
                            try await stream.write([UInt8](repeating: 0x78, count: 8192))
                            written.add(8192, ordering: .relaxed)
                        }
                    })
            }
        }
        let client = try RawClient(port: server.port, receiveBuffer: 4096)
        try client.ask("GET /flood", headers: ["Connection: close"])
        _ = try await client.header()
        // What the system's buffers and the stream's own hold is all that is written ahead of the reader.
        var before = -1
        try await eventually {
            defer { before = written.load(ordering: .relaxed) }
            try await Task.sleep(for: .milliseconds(100))
            return written.load(ordering: .relaxed) == before
        }
        #expect(written.load(ordering: .relaxed) < 12 << 20)
        #expect(try await client.untilClosed(within: 120).utf8.count > 2000 * 8192)
        await server.stop()
    }

    @Test func streamThatIsNotReadIsCut() async throws {
        var limits = HTTPLimits.patient
        limits.writeTimeout = .milliseconds(300)
        let ended = Atomic(false)
        let server = try server(limits) {
            $0.get("/flood") { _ in
                HTTPResponse(
                    .ok,
                    body: .stream { stream in
                        defer { ended.store(true, ordering: .relaxed) }
                        while true { try await stream.write([UInt8](repeating: 0x78, count: 65_536)) }
                    })
            }
        }
        let client = try RawClient(port: server.port, receiveBuffer: 4096)
        try client.ask("GET /flood")
        try await eventually { ended.load(ordering: .relaxed) }
        try await eventually { server.connectionCount == 0 }
        await server.stop()
    }
}
