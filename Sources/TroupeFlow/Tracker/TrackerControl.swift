// What the tracker's thread and its owner share: what is wanted, who waits for it, and how it ended.

import KafkaClient
import Synchronization

/// What the tracker's thread and its owner share.
final class TrackerControl: Sendable {
    private struct State {
        var wanted: Set<TopicPartition> = []
        var isStopped = false
        /// What was asked for and not taken by the thread yet.
        var catchUps: [CatchUp] = []
        var outcome: Result<Void, any Error>?
        var ends: [Promise<Void>] = []
    }

    private let state = Mutex(State())
    let waker: Waker
    /// Says when the registry changed, and with it perhaps the topics to read.
    let registryChanges: AsyncStream<Void>
    private let registryChanged: AsyncStream<Void>.Continuation

    init() throws {
        waker = try Waker()
        (registryChanges, registryChanged) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: From the owner

    /// Reads these partitions from now on; those that were read already go on.
    func read(_ partitions: Set<TopicPartition>) {
        state.withLock { $0.wanted.formUnion(partitions) }
        waker.wake()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        waker.wake()
    }

    /// Reads these partitions from now on, and waits until everything before their ends is in the store.
    ///
    /// - Parameters:
    ///   - ends: The offset behind the last record of each partition, asked for just now.
    ///   - unreadable: Partitions whose end nobody could tell: they are read, too, but nobody waits for them.
    nonisolated(nonsending) func catchUp(
        to ends: [TopicPartition: Int64], unreadable: [TopicPartition: KafkaError]
    ) async throws {
        let catchUp = CatchUp(to: ends, unreadable: unreadable)
        let outcome = state.withLock { state -> Result<Void, any Error>? in
            if state.outcome == nil {
                state.wanted.formUnion(ends.keys)
                state.wanted.formUnion(unreadable.keys)
                state.catchUps.append(catchUp)
            }
            return state.outcome
        }
        if let outcome { return try outcome.get() }
        waker.wake()
        try await catchUp.promise.value()
    }

    /// Waits for the thread's end, and throws what ended it.
    func ended() async throws {
        let promise = Promise<Void>()
        let outcome = state.withLock { state -> Result<Void, any Error>? in
            if state.outcome == nil { state.ends.append(promise) }
            return state.outcome
        }
        if let outcome { return try outcome.get() }
        // A task of its own, because the thread ends also when the caller was cancelled.
        try await Task { try await promise.value() }.value
    }

    // MARK: From the thread

    var isStopped: Bool { state.withLock { $0.isStopped } }
    var wanted: Set<TopicPartition> { state.withLock { $0.wanted } }

    /// Whether somebody waits whom the thread does not know of.
    var hasCatchUps: Bool { state.withLock { !$0.catchUps.isEmpty } }

    /// Takes those who wait, and what is to be read for them.
    func takeCatchUps() -> (wanted: Set<TopicPartition>, catchUps: [CatchUp]) {
        state.withLock { state in
            defer { state.catchUps = [] }
            return (state.wanted, state.catchUps)
        }
    }

    func noteRegistryChange() { registryChanged.yield() }

    func finish(_ outcome: Result<Void, any Error>) {
        let (catchUps, ends) = state.withLock { state in
            state.outcome = outcome
            defer { (state.catchUps, state.ends) = ([], []) }
            return (state.catchUps, state.ends)
        }
        for catchUp in catchUps {
            catchUp.promise.resolve(outcome.flatMap { .failure(CancellationError()) })
        }
        for promise in ends { promise.resolve(outcome) }
        registryChanged.finish()
    }
}
