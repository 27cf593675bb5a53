// A handler that blocks the service's thread for ever cannot keep a service, or its process, from ending.

import Foundation
import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct BlockedHandlerTests {
    private let released = Released()

    /// Whether the handlers may end.
    private final class Released: Sendable {
        private let value = Atomic<Bool>(false)
        func wait() { while !value.load(ordering: .acquiring) { usleep(1_000) } }
        func release() { value.store(true, ordering: .releasing) }
    }

    private func space(_ log: CapturingLog) async throws -> TestSpace {
        try await TestSpace(partitions: 1) {
            $0.engine.drainTimeout = .milliseconds(100)
            $0.engine.closeTimeout = .milliseconds(100)
            $0.logger = Logger(label: "test", level: .warning, handler: log)
        }
    }

    @Test(arguments: [false, true])
    func runEndsByItsDeadlinesAndNamesTheHandler(_ atOnce: Bool) async throws {
        let space = try await space(CapturingLog())
        var router = EventRouter()
        let entered = Atomic<Bool>(false)
        router.on(Placed.self) { [released] _, _ in
            entered.store(true, ordering: .releasing)
            released.wait()
        }
        defer { released.release() }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("stuck")])
        let running = Task { try await service.run() }
        try await wait(for: "the handler to block") { entered.load(ordering: .acquiring) }
        if atOnce { service.stopAtOnce() } else { running.cancel() }
        let error = await #expect(throws: HandlerBlockedError.self) { try await running.value }
        #expect(error?.route == "test.placed" && error?.eventID == "stuck-0" && error?.offset == 0)
        #expect(error?.description.contains(space.name(Placed.topic)) == true)
    }

    @Test func aServiceThatEndsInTimeIsNotGivenUp() async throws {
        // The drain is longer than the handler blocks: the stop waits for it, and commits.
        let space = try await TestSpace(partitions: 1) { $0.engine.closeTimeout = .seconds(60) }
        let entered = Atomic<Bool>(false)
        var router = EventRouter()
        router.on(Placed.self) { [released] _, _ in
            entered.store(true, ordering: .releasing)
            released.wait()
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce([space.placed("slow")])
        let running = Task { try await service.run() }
        try await wait(for: "the handler to block") { entered.load(ordering: .acquiring) }
        running.cancel()
        released.release()
        try await running.value
        #expect(service.status.handled == 1)
    }

    /// Runs a service whose handler blocks for ever, in a process that gets `signals`, one when the one before was
    /// taken.
    private static func blockForEver(_ signals: [Int32], closeTimeout: Duration) async throws {
        let broker = try EmbeddedBroker(topics: ["placed": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(
            KafkaMessage(
                topic: "placed", key: Array("k".utf8), value: Array(#"{"order":"k","number":0}"#.utf8),
                headers: [
                    KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "stuck"), KafkaHeader("ce_source", "/t"),
                    KafkaHeader("ce_type", Placed.type.rawValue), KafkaHeader("content-type", "application/json"),
                ]))
        var router = EventRouter()
        router.on(Placed.self) { _, _ in
            let thread = Thread {
                for signal in signals {
                    kill(getpid(), signal)
                    // Signals that are heard within a tenth of a second count as one, and a busy machine may hold the
                    // thread up that hears them.
                    sleep(16)
                }
            }
            thread.start()
            while true { sleep(1_000) }
        }
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.tracking = .off
        // The first signal alone does not end the process.
        configuration.engine.drainTimeout = .seconds(1_000)
        configuration.engine.closeTimeout = closeTimeout
        configuration.logger = Logger(
            label: "test", level: .critical, handler: StandardErrorLogHandler(format: .json))
        try await EventService("stock", router: router, configuration: configuration).runService()
    }

    @Test func aSecondSignalEndsTheProcess() async throws {
        let result = await #expect(processExitsWith: .exitCode(130), observing: [\.standardErrorContent]) {
            try await BlockedHandlerTests.blockForEver([SIGTERM, SIGINT], closeTimeout: .milliseconds(100))
        }
        let told = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(told.contains(#""event_id":"stuck""#) && told.contains("test.placed") && told.contains("critical"))
    }

    @Test func aThirdSignalEndsTheProcessThereAndThen() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            try await BlockedHandlerTests.blockForEver([SIGINT, SIGINT, SIGTERM], closeTimeout: .seconds(1_000))
        }
        let told = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(told.contains(#""event_id":"stuck""#))
    }
}
