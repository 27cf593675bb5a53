// Time limits that are as long as can be.

import Testing

@testable import TroupeWeb

@Suite struct DeadlineTests {
    @Test func aLimitBeyondTheClockIsNever() {
        #expect(deadline(in: .seconds(Int64.max)) == .max)
        let begin = monotonicMilliseconds()
        let soon = deadline(in: .seconds(1))
        #expect(soon >= begin + 1000)
        #expect(soon <= monotonicMilliseconds() + 1000)
    }

    /// In a process of its own: an overflow would end it.
    @Test func aServerWithoutTimeLimitsAnswersAndStops() async throws {
        await #expect(processExitsWith: .success) {
            var configuration = HTTPServerConfiguration()
            let never = Duration.seconds(Int64.max)
            configuration.limits.headerTimeout = never
            configuration.limits.bodyTimeout = never
            configuration.limits.idleTimeout = never
            configuration.limits.writeTimeout = never
            configuration.limits.handlerTimeout = never
            configuration.limits.gracePeriod = never
            configuration.limits.heartbeat = never
            var router = HTTPRouter()
            router.post("/echo") { HTTPResponse(bytes: $0.body, contentType: "text/plain") }
            router.get("/events") { _ in .events { try await $0.send(ServerSentEvent("one")) } }
            let server = try HTTPServer(router, configuration)
            try #require(try await RawClient.ask(server.port, "POST /echo", body: "x").text == "x")
            try #require(try await RawClient.ask(server.port, "GET /events").text.contains("data: one"))
            await server.stop()
        }
    }
}
