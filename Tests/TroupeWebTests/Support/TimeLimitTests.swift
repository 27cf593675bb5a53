// Work is waited for until its limit, and no longer, whatever it does.

import Synchronization
import Testing

@testable import TroupeWeb

@Suite struct TimeLimitTests {
    private struct Failure: Error {}

    @Test func whatWorkThrowsInTimeIsThrown() async throws {
        let runs = Atomic(0)
        try await withTimeLimit(.seconds(600)) { runs.add(1, ordering: .relaxed) }
        #expect(runs.load(ordering: .relaxed) == 1)
        await #expect(throws: Failure.self) { try await withTimeLimit(.seconds(600)) { throw Failure() } }
    }

    /// Work that goes on when it is cancelled, until its gate opens, and notes whether it was.
    private final class StubbornWork: Sendable {
        let gate = Gate()
        private let note = Mutex<Bool?>(nil)

        var wasCancelled: Bool? { note.withLock { $0 } }

        func run() async {
            await Task { await gate.pass() }.value
            let isCancelled = Task.isCancelled
            note.withLock { $0 = isCancelled }
        }
    }

    @Test func workThatDoesNotEndIsCancelledAndNotWaitedFor() async throws {
        let work = StubbornWork()
        await #expect(throws: TimeLimitExceeded.self) {
            try await withTimeLimit(.milliseconds(10)) { await work.run() }
        }
        #expect(work.wasCancelled == nil)
        work.gate.open()
        try await eventually { work.wasCancelled == true }
    }

    @Test func aCallerThatIsCancelledWaitsNoLonger() async throws {
        let work = StubbornWork()
        let caller = Task { try await withTimeLimit(.seconds(600)) { await work.run() } }
        try await eventually { work.gate.arrived == 1 }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        work.gate.open()
        try await eventually { work.wasCancelled == true }
    }
}
