// Handlers that take too long are named.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct WatchdogTests {
    @Test func aHandlerThatWaitsTooLongIsNamedWithItsEvent() async throws {
        let log = CapturingLog()
        let space = try await TestSpace(partitions: 1) {
            $0.engine.slowHandlerThreshold = .milliseconds(500)
            $0.logger = Logger(label: "test", level: .warning, handler: log)
        }
        let (gate, open) = AsyncStream<Void>.makeStream()
        var router = EventRouter()
        router.on(Placed.self) { _, _ in for await _ in gate { break } }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("slow")])
        try await withService(service) {
            try await wait(for: "the watchdog to speak") { log.lines.contains { $0.message.contains("has run for") } }
            open.yield()
            try await wait(for: "the handler to end") { service.status.handled == 1 }
        }
        let line = try #require(log.lines.first { $0.message.contains("has run for") })
        #expect(line.metadata[LogKey.route] == "test.placed")
        #expect(line.metadata[LogKey.eventID] == "slow-0")
        #expect(line.message.contains("`timeLimit:`") && line.message.contains("`execution: .offloaded(threads:)`"))
        #expect(line.metadata[LogKey.offset] == "0")
    }

    @Test func aHandlerThatBlocksTheThreadIsNamedWithItsEvent() async throws {
        let log = CapturingLog()
        let space = try await TestSpace(partitions: 1) {
            $0.engine.slowHandlerThreshold = .milliseconds(500)
            $0.logger = Logger(label: "test", level: .warning, handler: log)
        }
        let blocked = Mutex(true)
        var router = EventRouter()
        // A handler that spins until it is let go, as one does that calls a blocking API.
        router.on(Placed.self) { _, _ in while blocked.withLock({ $0 }) { await Task.yieldNothing() } }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("stuck")])
        try await withService(service) {
            try await wait(for: "the watchdog to speak") { log.lines.contains { $0.message.contains("has blocked") } }
            blocked.withLock { $0 = false }
            try await wait(for: "the handler to end") { service.status.handled == 1 }
        }
        let line = try #require(log.lines.first { $0.message.contains("has blocked") })
        #expect(line.metadata[LogKey.route] == "test.placed")
        #expect(line.metadata[LogKey.eventID] == "stuck-0")
        #expect(line.message.contains("`execution: .offloaded(threads:)`"))
    }
}

extension Task where Success == Never, Failure == Never {
    /// Suspends nothing: the spinning handler keeps its thread.
    fileprivate static func yieldNothing() async {}
}
