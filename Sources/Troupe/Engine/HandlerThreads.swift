// Threads for the handlers of one route, for those that block or compute.

import KafkaClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A task executor of a few threads.
///
/// The threads end once it is closed and the handlings that began have ended: a handler that outlasts the service ends
/// on its own thread.
///
/// `@unchecked Sendable`: what changes is touched under the mutex alone, which needs a condition beside it and so is the
/// system's.
final class HandlerThreads: TaskExecutor, @unchecked Sendable {
    private let name: String
    private let count: Int
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [UnownedJob] = []
    private var head = 0
    private var isClosed = false
    private var handlings = 0

    /// Creates an executor of `count` threads, which `start` starts.
    init(named name: String, count: Int) {
        self.name = name
        self.count = count
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Starts the threads.
    ///
    /// - Throws: `KafkaError` when the system has none left.
    func start() throws {
        for _ in 0..<count { try startThread(named: name) { self.work() } }
    }

    /// Lets the threads end as soon as nothing is to be done.
    func close() {
        locked { isClosed = true }
        pthread_cond_broadcast(condition)
    }

    /// A handling begins.
    func begin() { locked { handlings += 1 } }

    /// A handling ended.
    func end() {
        locked { handlings -= 1 }
        pthread_cond_broadcast(condition)
    }

    /// Takes a job from the Swift runtime.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        locked { jobs.append(job) }
        pthread_cond_signal(condition)
    }

    private func locked(_ body: () -> Void) {
        pthread_mutex_lock(mutex)
        body()
        pthread_mutex_unlock(mutex)
    }

    private func work() {
        while let job = next() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    /// Waits for a job; `nil` when the thread is to end.
    private func next() -> UnownedJob? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while head == jobs.count {
            if isClosed, handlings == 0 { return nil }
            pthread_cond_wait(condition, mutex)
        }
        let job = jobs[head]
        head += 1
        if head == jobs.count || head >= 1_024 {
            jobs.removeFirst(head)
            head = 0
        }
        return job
    }
}
