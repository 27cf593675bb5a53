// The server over real sockets: what it answers.

import Foundation
import KafkaClient
import Synchronization
import Testing

@testable import TroupeWeb

extension Trait where Self == ConditionTrait {
    /// Skips where a program is not installed, and says so.
    fileprivate static func needs(_ program: String) -> Self {
        let directories = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        return .enabled(
            if: directories.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") },
            "needs \(program), which is not on the PATH")
    }
}

@Suite struct ServerTests {
    /// Runs `body` with a server, and stops it.
    private func with(
        _ limits: HTTPLimits = .patient, routes: (inout HTTPRouter) -> Void,
        _ body: (HTTPServer) async throws -> Void
    ) async throws {
        var router = HTTPRouter()
        router.on(.post, "/echo") { HTTPResponse(bytes: $0.body, contentType: "application/octet-stream") }
        router.get("/hello/{name}") { .text("Hello \($0.parameters["name"] ?? "")\($0.query["mark"] ?? "")") }
        routes(&router)
        var configuration = HTTPServerConfiguration()
        configuration.limits = limits
        let server = try HTTPServer(router, configuration)
        let result: Result<Void, any Error>
        do { result = .success(try await body(server)) } catch { result = .failure(error) }
        await server.stop()
        try result.get()
    }

    @Test func requestReachesItsHandler() async throws {
        try await with(routes: { _ in }) { server in
            let hello = try await RawClient.ask(server.port, "GET /hello/W%C3%B6rld?mark=%21")
            #expect(hello.status == 200)
            #expect(hello.text == "Hello Wörld!")
            #expect(hello.headers["X-Content-Type-Options"] == "nosniff")
            let echo = try await RawClient.ask(server.port, "POST /echo", body: String(repeating: "x", count: 100_000))
            #expect(echo.body.count == 100_000)
        }
    }

    @Test func connectionServesManyRequests() async throws {
        try await with(routes: { _ in }) { server in
            let client = try RawClient(port: server.port)
            for number in 0..<200 {
                try client.ask("GET /hello/\(number)")
                #expect(try await client.response().text == "Hello \(number)")
            }
            // Two at once: they are answered in order.
            try client.ask("GET /hello/a")
            try client.ask("GET /hello/b")
            #expect(try await client.response().text == "Hello a")
            #expect(try await client.response().text == "Hello b")
            #expect(server.connectionCount == 1)
        }
    }

    @Test func headIsAnsweredWithoutBody() async throws {
        try await with(routes: { $0.get("/stream") { _ in .events { try await $0.send(ServerSentEvent("x")) } } }) {
            server in
            let client = try RawClient(port: server.port)
            try client.ask("HEAD /hello/x")
            let head = try await client.response(isHead: true)
            #expect(head.status == 200)
            #expect(head.headers["Content-Length"] == "7")
            try client.ask("HEAD /stream")
            #expect(try await client.response(isHead: true).headers["Content-Type"] == "text/event-stream")
            // Had a body been sent, it would stand before this answer.
            try client.ask("GET /hello/y")
            #expect(try await client.response().text == "Hello y")
        }
    }

    @Test func whatIsNotThereIsSaid() async throws {
        try await with(routes: { _ in }) { server in
            let nothing = try await RawClient.ask(server.port, "GET /nothing")
            #expect(nothing.status == 404)
            #expect(nothing.headers["Content-Type"] == "application/problem+json")
            #expect(nothing.json["status"] as? Int == 404)
            let wrong = try await RawClient.ask(server.port, "DELETE /hello/x")
            #expect(wrong.status == 405)
            #expect(wrong.headers["Allow"] == "GET, HEAD, OPTIONS")
            let options = try await RawClient.ask(server.port, "OPTIONS /echo")
            #expect(options.status == 204)
            #expect(options.headers["Allow"] == "OPTIONS, POST")
            #expect(try await RawClient.ask(server.port, "GET /hello/%zz").status == 400)
            #expect(try await RawClient.ask(server.port, "GET /hello/x?a=%zz").status == 400)
            let host = try await RawClient.ask(server.port, "GET /hello/x", headers: ["Host: evil.example"])
            #expect(host.status == 421)
        }
    }

    @Test func ambiguousRequestsAreRefusedAndTheConnectionClosed() async throws {
        try await with(routes: { _ in }) { server in
            for fields in [
                "Content-Length: 3\r\nContent-Length: 3", "Content-Length: 3\r\nTransfer-Encoding: chunked",
                "Content-Length: 3\r\nContent-Length: 30", "Transfer-Encoding: chunked, identity",
            ] {
                let client = try RawClient(port: server.port)
                try client.send(
                    "POST /echo HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n\r\nabcGET /hello/x HTTP/1.1\r\n\r\n")
                let response = try await client.response()
                #expect(response.status == 400, "\(fields)")
                #expect(try await client.untilClosed() == "", "\(fields): a second answer")
            }
        }
    }

    @Test(arguments: [
        "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /hello/x HTTP/1.1\r\n\r\n",
        "GET /hello/\u{0}x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "\r\n\r\n\r\n\r\n\u{1}\u{2}\u{3}",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /hello/x HTTP/1.1\r\nHost: localhost\r\nNo colon\r\nConnection: close\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
    ])
    func whatIsNoHTTPEndsTheConnectionAndNothingElse(_ bytes: String) async throws {
        var limits = HTTPLimits.patient
        limits.headerTimeout = .milliseconds(300)
        limits.bodyTimeout = .milliseconds(300)
        limits.idleTimeout = .milliseconds(300)
        try await with(limits, routes: { _ in }) { server in
            let client = try RawClient(port: server.port)
            try client.send(bytes)
            let answer = try await client.untilClosed()
            #expect(!answer.contains(" 500 "))
            // A request that is held up for longer than the limits above is cut, too.
            try await eventually { (try? await RawClient.ask(server.port, "GET /hello/x").status) == 200 }
        }
    }

    @Test func longHeadersAreRefused() async throws {
        try await with(routes: { _ in }) { server in
            let client = try RawClient(port: server.port)
            try client.ask("GET /hello/x", headers: ["X-Long: " + String(repeating: "x", count: 20_000)])
            #expect(try await client.header().status == 431)
            let other = try RawClient(port: server.port)
            try other.ask("GET /hello/" + String(repeating: "x", count: 20_000))
            #expect([414, 431].contains(try await other.header().status))
        }
    }

    @Test func largeBodiesAreRefused() async throws {
        var limits = HTTPLimits.patient
        limits.maxBodyBytes = 1000
        try await with(limits, routes: { _ in }) { server in
            let client = try RawClient(port: server.port)
            try client.ask("POST /echo", body: String(repeating: "x", count: 1000))
            #expect(try await client.response().status == 200)
            // It is read to its end: the connection stays usable.
            try client.ask("POST /echo", body: String(repeating: "x", count: 1001))
            #expect(try await client.response().status == 413)
            try client.ask("GET /hello/x")
            #expect(try await client.response().status == 200)
            try client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<3 { try client.send("200\r\n" + String(repeating: "x", count: 512) + "\r\n") }
            try client.send("0\r\n\r\n")
            #expect(try await client.response().status == 413)
            try client.ask("GET /hello/x")
            #expect(try await client.response().status == 200)
            // Asked first, the client is told before it sends anything.
            try client.send(
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.response().status == 413)
            #expect(try await client.untilClosed() == "")
            // Far too much is not even read.
            let flood = try RawClient(port: server.port)
            try flood.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
            #expect(try await flood.response().status == 413)
        }
    }

    @Test func failuresAreNotToldToClients() async throws {
        struct Broken: Error { let secret = "tell-nobody" }
        try await with(routes: {
            $0.get("/broken") { _ in throw Broken() }
            $0.get("/problem") { _ in throw HTTPProblem(.conflict, "Not now") }
        }) { server in
            let broken = try await RawClient.ask(server.port, "GET /broken")
            #expect(broken.status == 500)
            #expect(!broken.text.contains("tell-nobody"))
            let problem = try await RawClient.ask(server.port, "GET /problem")
            #expect(problem.status == 409)
            #expect(problem.json["detail"] as? String == "Not now")
        }
    }

    @Test func tokensAreAskedFor() async throws {
        try await with(routes: { $0.get("/private", requiring: BearerTokens("open-sesame")) { _ in .text("in") } }) {
            server in
            let without = try await RawClient.ask(server.port, "GET /private")
            #expect(without.status == 401)
            #expect(without.headers["WWW-Authenticate"] == "Bearer")
            let wrong = try await RawClient.ask(server.port, "GET /private", headers: ["Authorization: Bearer open"])
            #expect(wrong.status == 401)
            let right = try await RawClient.ask(
                server.port, "GET /private", headers: ["Authorization: Bearer open-sesame"])
            #expect(right.text == "in")
        }
    }

    @Test func busyClientsAreToldToWait() async throws {
        var limits = HTTPLimits.patient
        limits.requestRate = RequestRate(perSecond: 0.001, burst: 2)
        try await with(limits, routes: { _ in }) { server in
            let client = try RawClient(port: server.port)
            var statuses: [Int] = []
            for _ in 0..<3 {
                try client.ask("GET /hello/x")
                let response = try await client.response()
                statuses.append(response.status)
                if response.status == 429 { #expect(Int(response.headers["Retry-After"] ?? "") ?? 0 >= 500) }
            }
            #expect(statuses == [200, 200, 429])
        }
    }

    @Test func requestsBeyondTheBoundAreToldLater() async throws {
        var limits = HTTPLimits.patient
        limits.maxRequestsInFlight = 2
        let gate = Gate()
        try await with(
            limits,
            routes: {
                $0.get("/wait") { _ in
                    await gate.pass()
                    return .text("done")
                }
            }
        ) { server in
            async let first = RawClient.ask(server.port, "GET /wait")
            async let second = RawClient.ask(server.port, "GET /wait")
            try await eventually { gate.arrived == 2 }
            let third = try await RawClient.ask(server.port, "GET /wait")
            #expect(third.status == 503)
            #expect(third.headers["Retry-After"] == "1")
            gate.open()
            #expect(try await [first.status, second.status] == [200, 200])
            #expect(try await RawClient.ask(server.port, "GET /wait").status == 200)
        }
    }

    @Test func handlerThatTakesTooLongIsCancelled() async throws {
        let gate = Gate()
        let cancelled = Atomic(false)
        try await with(routes: {
            $0.get("/wait", timeLimit: .milliseconds(100)) { _ in
                await gate.pass()
                cancelled.store(Task.isCancelled, ordering: .relaxed)
                return .text("late")
            }
        }) { server in
            let client = try RawClient(port: server.port)
            try client.ask("GET /wait")
            #expect(try await client.response().status == 503)
            try await eventually { cancelled.load(ordering: .relaxed) }
            try client.ask("GET /hello/x")
            #expect(try await client.response().status == 200)
        }
    }

    @Test(.needs("openssl"), .needs("curl")) func tlsIsSpoken() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "troupe-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (key, certificate) = (directory.path + "/key.pem", directory.path + "/cert.pem")
        try #require(
            try await run(
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate
            ).status == 0)
        var router = HTTPRouter()
        router.get("/hello") { _ in
            await Task.yield()
            return .text("Hello over TLS")
        }
        var configuration = HTTPServerConfiguration()
        configuration.tls = TLSFiles(certificate: certificate, key: key)
        let server = try HTTPServer(router, configuration)
        let answer = try await run(
            "curl", "--silent", "--cacert", certificate, "--max-time", "120", "https://localhost:\(server.port)/hello")
        #expect(answer.output == "Hello over TLS")
        await server.stop()
        configuration.tls = TLSFiles(certificate: key, key: certificate)
        #expect(throws: HTTPServerError.self) { try HTTPServer(router, configuration) }
        configuration.tls = TLSFiles(certificate: "/nowhere", key: key)
        #expect(throws: HTTPServerError.self) { try HTTPServer(router, configuration) }
    }

    /// Runs a command to its end, on a thread of its own, and returns what it wrote to its output.
    private func run(_ command: String...) async throws -> (status: Int32, output: String) {
        let line = command.map { "'\($0)'" }.joined(separator: " ") + " 2>/dev/null"
        return try await withCheckedThrowingContinuation { continuation in
            do {
                try startThread(named: "command") { continuation.resume(with: Result { try outputOfShell(line) }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}
