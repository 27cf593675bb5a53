// What the engine shares with other threads: requests to stop, its status, its heartbeat.

import KafkaClient
import Synchronization

/// What the engine shares with other threads.
final class EngineShared: Sendable {
    let waker: Waker
    /// Woken by news that must be told at once; `nil` when nobody tells them.
    let newsWaker: Waker?
    private let newsCount = Atomic<Int>(0)
    private let assignment = Mutex<[String: [Int32]]>([:])
    /// 0: go on; 1: stop in order; 2: stop at once.
    let stopWanted = Atomic<Int>(0)
    let isSleeping = Atomic<Bool>(false)
    /// What was learned of the topic of tasks since the start: nothing (0), that it is not there (-1), or that it is and
    /// how many bytes of a record it takes at most.
    let tasksTopic = Atomic<Int>(0)
    private let beats = Atomic<Int>(0)
    private let seen = Atomic<Int>(0)
    private let current = Mutex<Handling?>(nil)
    private let status = Mutex(ServiceStatus())
    private let outcome = Mutex(Outcome())

    private struct Outcome {
        var result: Result<Void, any Error>?
        var waiters: [CheckedContinuation<Void, any Error>] = []
    }

    /// - Parameter tellsNews: Whether somebody sleeps on `newsWaker`.
    init(tellsNews: Bool = false) throws {
        waker = try Waker()
        newsWaker = tellsNews ? try Waker() : nil
    }

    // MARK: Stopping

    /// Asks the engine to stop: in order, or at once.
    func requestStop(atOnce: Bool) {
        let wanted = atOnce ? 2 : 1
        var known = stopWanted.load(ordering: .sequentiallyConsistent)
        while known < wanted {
            let (exchanged, original) = stopWanted.compareExchange(
                expected: known, desired: wanted, ordering: .sequentiallyConsistent)
            if exchanged { break }
            known = original
        }
        waker.wake()
    }

    /// The request the engine has acted on; written on its thread.
    var stopSeen: Int {
        get { seen.load(ordering: .relaxed) }
        set { seen.store(newValue, ordering: .relaxed) }
    }

    /// Waits for the engine's end; throws what ended it.
    func waitForEnd() async throws {
        try await withCheckedThrowingContinuation { (waiter: CheckedContinuation<Void, any Error>) in
            let result = outcome.withLock { outcome -> Result<Void, any Error>? in
                if outcome.result == nil { outcome.waiters.append(waiter) }
                return outcome.result
            }
            if let result { waiter.resume(with: result) }
        }
    }

    /// Declares the engine to have ended; only the first time counts.
    func finish(_ failure: (any Error)?) {
        let result: Result<Void, any Error> = failure.map { .failure($0) } ?? .success(())
        let waiters = outcome.withLock { outcome in
            if outcome.result == nil { outcome.result = result }
            defer { outcome.waiters = [] }
            return outcome.waiters
        }
        for waiter in waiters { waiter.resume(with: result) }
    }

    /// Whether the engine has ended.
    var isFinished: Bool { outcome.withLock { $0.result != nil } }

    // MARK: Status

    /// The last status the engine published.
    var lastStatus: ServiceStatus { status.withLock { $0 } }

    /// Publishes a status.
    func publish(_ value: ServiceStatus) { status.withLock { $0 = value } }

    // MARK: News

    /// The partitions that the instance owns, by topic.
    var lastAssignment: [String: [Int32]] { assignment.withLock { $0 } }

    /// Publishes what the instance owns.
    func publish(assignment value: [String: [Int32]]) { assignment.withLock { $0 = value } }

    /// How many times there were news.
    var news: Int { newsCount.load(ordering: .sequentiallyConsistent) }

    /// Says that there are news.
    func tellNews() {
        newsCount.add(1, ordering: .sequentiallyConsistent)
        newsWaker?.wake()
    }

    // MARK: Watchdog

    /// Tells the watchdog that the loop goes round.
    func heartbeat() { beats.add(1, ordering: .relaxed) }

    /// The number of rounds the loop made.
    var heartbeats: Int { beats.load(ordering: .relaxed) }

    /// Notes the handling that the thread enters.
    func enter(_ handling: Handling) { current.withLock { $0 = handling } }

    /// The handling that the thread entered last.
    var currentHandling: Handling? { current.withLock { $0 } }
}
