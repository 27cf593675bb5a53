// Stopping: what is in flight is answered, and nothing is left.

import Foundation
import Synchronization
import Testing

@testable import TroupeWeb

@Suite struct StopTests {
    private func server(_ gate: Gate, grace: Duration = .seconds(120)) throws -> HTTPServer {
        var router = HTTPRouter()
        router.get("/wait") { _ in
            await gate.pass()
            return .text("done")
        }
        router.get("/stubborn") { _ in
            // It does not mind being cancelled.
            while gate.arrived == 0 { await Task.yield() }
            return .text("done")
        }
        router.get("/events") { _ in
            .events { stream in
                try await stream.send(ServerSentEvent("x"))
                await gate.pass()
            }
        }
        var configuration = HTTPServerConfiguration()
        configuration.limits = .patient
        configuration.limits.gracePeriod = grace
        return try HTTPServer(router, configuration)
    }

    @Test func stopAnswersWhatIsInFlight() async throws {
        let gate = Gate()
        let server = try server(gate)
        async let answers = withThrowingTaskGroup(of: RawResponse.self) { group in
            for _ in 0..<20 { group.addTask { [port = server.port] in try await RawClient.ask(port, "GET /wait") } }
            return try await group.reduce(into: [RawResponse]()) { $0.append($1) }
        }
        try await eventually { gate.arrived == 20 }
        let idle = try RawClient(port: server.port)
        try await eventually { server.connectionCount == 21 }
        let stopping = Task { await server.stop() }
        // Nobody new is let in.
        try await eventually { (try? RawClient(port: server.port)) == nil }
        #expect(server.requestsInFlight == 20)
        gate.open()
        let all = try await answers
        #expect(all.count == 20)
        #expect(all.allSatisfy { $0.status == 200 && $0.text == "done" && $0.headers["Connection"] == "close" })
        await stopping.value
        #expect(try await idle.untilClosed() == "")
        // Stopping again returns at once.
        await server.stop()
    }

    @Test func keptConnectionIsToldThatTheServerStops() async throws {
        let gate = Gate()
        let server = try server(gate)
        let kept = try RawClient(port: server.port)
        try kept.ask("GET /nothing")
        #expect(try await kept.response().status == 404)
        async let held = RawClient.ask(server.port, "GET /wait")
        try await eventually { gate.arrived == 1 }
        let stopping = Task { await server.stop() }
        try await eventually { (try? RawClient(port: server.port)) == nil }
        try kept.ask("GET /wait")
        #expect(try await kept.response().status == 503)
        gate.open()
        #expect(try await held.status == 200)
        await stopping.value
    }

    @Test func whatDoesNotEndIsAnsweredInItsPlace() async throws {
        let gate = Gate()
        let server = try server(gate, grace: .milliseconds(100))
        async let stubborn = RawClient.ask(server.port, "GET /stubborn")
        try await eventually { server.requestsInFlight == 1 }
        await server.stop()
        let answer = try await stubborn
        #expect(answer.status == 503)
        #expect(answer.json["detail"] as? String == "The server is stopping")
        gate.open()
        await gate.pass()
    }

    @Test func streamsEndWithTheServer() async throws {
        let gate = Gate()
        let server = try server(gate)
        let client = try RawClient(port: server.port)
        try client.ask("GET /events")
        _ = try await client.text { $0.contains("data: x\n\n") }
        try await eventually { gate.arrived == 1 }
        await server.stop()
        #expect(try await client.untilClosed().hasSuffix("0\r\n\r\n"))
    }

    @Test func clientsThatLeaveAreForgotten() async throws {
        let gate = Gate()
        let server = try server(gate)
        for _ in 0..<50 {
            let client = try RawClient(port: server.port)
            try client.ask("GET /wait")
        }
        try await eventually { gate.arrived == 50 }
        gate.open()
        try await eventually { server.connectionCount == 0 }
        #expect(server.requestsInFlight == 0)
        await server.stop()
    }

    /// In a process of its own, where nobody else opens files or starts threads.
    @Test func nothingIsLeftBehind() async throws {
        await #expect(processExitsWith: .success) {
            func count() throws -> (files: Int, threads: Int) {
                let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
                let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap {
                    try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)
                }
                return (files, threads.filter { $0.hasPrefix("MHD") || $0.hasPrefix("troupe-") }.count)
            }
            var router = HTTPRouter()
            router.get("/") { _ in .text("x") }
            func cycle() async throws {
                let server = try HTTPServer(router)
                try #require(try await RawClient.ask(server.port, "GET /").status == 200)
                let kept = try RawClient(port: server.port)
                try kept.send("GET / HT")
                await server.stop()
                withExtendedLifetime(kept) {}
            }
            try await cycle()
            // The first sleep opens the timer's own descriptors, which stay.
            try await Task.sleep(for: .milliseconds(1))
            let before = try count()
            for _ in 0..<5 { try await cycle() }
            // The thread that stops a server says so in its last breath.
            try await eventually {
                let after = try count()
                return after.files <= before.files && after.threads == 0
            }
        }
    }
}
