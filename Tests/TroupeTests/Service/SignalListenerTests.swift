// Signals: heard while they are listened for, and as before afterwards. Each test in a process of its own.

import Foundation
import KafkaClient
import Synchronization
import Testing

@testable import Troupe

@Suite(.timeLimit(.minutes(2))) struct SignalListenerTests {
    /// The signals that were heard, for a test that has a process to itself.
    private static let heard = Mutex<[ShutdownSignal]>([])

    private static func listen(_ signals: [ShutdownSignal]) throws -> SignalListener {
        try SignalListener(signals) { signal in heard.withLock { $0.append(signal) } }
    }

    private static func wait(until condition: () -> Bool) { while !condition() { usleep(1_000) } }

    @Test func aFormerActionComesBack() async {
        await #expect(processExitsWith: .exitCode(7)) {
            // Ignored before: ignored again afterwards. By its default action the process would end of it.
            signal(SIGHUP, SIG_IGN)
            let listener = try SignalListenerTests.listen([.hangup, .terminate])
            kill(getpid(), SIGHUP)
            SignalListenerTests.wait { SignalListenerTests.heard.withLock { $0 } == [.hangup] }
            listener.cancel()
            kill(getpid(), SIGHUP)
            exit(7)
        }
    }

    @Test func theDefaultActionComesBackToo() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let listener = try SignalListenerTests.listen([.terminate])
            listener.cancel()
            kill(getpid(), SIGTERM)
            SignalListenerTests.wait { false }
        }
    }

    @Test func aProcessHasOneListenerAndASecondServiceDoesNotRunWithoutOne() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let listener = try SignalListenerTests.listen([.terminate])
            let service = EventService(
                "stock", router: EventRouter(), configuration: ServiceConfiguration(environment: [:]))
            // Were it run, the lack of brokers would end the process with status 1.
            await #expect(throws: KafkaError.self) { try await service.runService() }
            kill(getpid(), SIGTERM)
            SignalListenerTests.wait { SignalListenerTests.heard.withLock { $0 } == [.terminate] }
            listener.cancel()
            exit(7)
        }
    }

    @Test func aSignalThatComesBeforeTheTaskCancelsIt() async throws {
        let shutdown = Shutdown()
        let start = ContinuousClock.now
        #expect(shutdown.note(.terminate, at: start) == 1 && shutdown.status == 1)
        let task = Task { while true { try await Task.sleep(for: .seconds(1_000)) } }
        shutdown.cancels(task)
        await #expect(throws: CancellationError.self) { try await task.value }
        // Sent twice, it is one all the same.
        #expect(shutdown.note(.terminate, at: start + .milliseconds(99)) == 1)
        #expect(shutdown.note(.interrupt, at: start + .milliseconds(100)) == 2 && shutdown.status == 130)
    }
}
