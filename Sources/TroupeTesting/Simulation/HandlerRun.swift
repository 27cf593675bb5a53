// One run of a handler in a simulation: its jobs wait until the simulation chooses to run them.

import KafkaClient
import Synchronization
import Troupe

/// One run of a handler, and the executor of its task and of whatever that starts.
///
/// Jobs that the Swift runtime hands over are kept; the simulation runs them one at a time, in the order its seed
/// chooses. So handlers interleave at their suspension points, and the same seed repeats the same interleaving.
final class HandlerRun: TaskExecutor {
    /// The run that the current task belongs to.
    @TaskLocal static var current: HandlerRun?

    /// Where the run says that it has something to do.
    let inbox: HandlerInbox
    /// The run's number, in the order of starting.
    let number: Int
    /// The lane whose head is handled.
    let lane: Int
    let handling: Handling
    let attempt: Int
    /// How many parts of the handler sleep by the simulation's clock.
    let clockSleepers = Atomic<Int>(0)

    private struct State {
        var jobs: [UnownedJob] = []
        var result: Result<[PackedMessage], any Error>?
        var failure: (any Error)?
        var isAbandoned = false
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())

    init(inbox: HandlerInbox, number: Int, lane: Int, handling: Handling, attempt: Int) {
        self.inbox = inbox
        self.number = number
        self.lane = lane
        self.handling = handling
        self.attempt = attempt
    }

    /// Starts the handler.
    ///
    /// Nothing of it runs before `runJob`.
    func start(_ processor: RecordProcessor, firstFailedAt: Int64?) {
        let task = Task(executorPreference: self) {
            let result: Result<[PackedMessage], any Error>
            var failure: (any Error)?
            do {
                let outcome = try await Self.$current.withValue(self) {
                    try await processor.handleOrFallBack(
                        self.handling, attempt: self.attempt, firstFailedAt: firstFailedAt)
                }
                (result, failure) = (.success(outcome.messages.all), outcome.failure)
            } catch { result = .failure(error) }
            self.state.withLock {
                $0.result = result
                $0.failure = failure
            }
            self.inbox.add(self)
        }
        state.withLock { $0.task = task }
    }

    /// Takes a job from the Swift runtime.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isAbandoned = state.withLock { state in
            if !state.isAbandoned { state.jobs.append(job) }
            return state.isAbandoned
        }
        if isAbandoned { globalConcurrentExecutor.enqueue(ExecutorJob(job)) } else { inbox.add(self) }
    }

    /// Whether a part of the handler, such as its time limit, sleeps by the simulation's clock.
    var sleepsByClock: Bool { clockSleepers.load(ordering: .relaxed) > 0 }

    /// Whether a job waits.
    var hasJob: Bool { state.withLock { !$0.jobs.isEmpty } }

    /// What came of the handler; `nil` while it runs.
    var result: Result<[PackedMessage], any Error>? { state.withLock { $0.result } }

    /// Why the handler failed for good, when its fallback succeeded in its stead.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// Runs one job, on the calling thread.
    func runJob() {
        guard let job = state.withLock({ $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }) else { return }
        inbox.driving { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    /// Cancels the handler.
    func cancel() { state.withLock { $0.task }?.cancel() }

    /// Cancels the handler and leaves what remains of it to the runtime's own threads.
    func abandon() {
        let (task, jobs) = state.withLock { state in
            state.isAbandoned = true
            defer { state.jobs = [] }
            return (state.task, state.jobs)
        }
        task?.cancel()
        for job in jobs { globalConcurrentExecutor.enqueue(ExecutorJob(job)) }
    }
}
