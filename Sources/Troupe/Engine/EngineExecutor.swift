// Runs Swift tasks on the engine's own thread.

import KafkaClient
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A task executor that is one thread: jobs enqueued from that thread skip the lock, others wake it.
///
/// `@unchecked Sendable`: `local` is touched on the engine's thread alone; the rest is behind a lock or atomic.
final class EngineExecutor: TaskExecutor, @unchecked Sendable {
    private let waker: Waker
    /// The thread's identity, set once before any job arrives.
    private let thread = Atomic<UInt>(0)
    private var local: [UnownedJob] = []
    private var head = 0
    private let remote = Mutex<[UnownedJob]>([])
    private let remoteCount = Atomic<Int>(0)

    /// Creates an executor whose thread sleeps on `waker`.
    init(waker: Waker) {
        self.waker = waker
        local.reserveCapacity(1_024)
    }

    private static var currentThread: UInt {
        #if canImport(Darwin)
            UInt(bitPattern: pthread_self())
        #else
            UInt(pthread_self())
        #endif
    }

    /// Declares the calling thread to be the one that runs jobs.
    func adoptCurrentThread() { thread.store(Self.currentThread, ordering: .sequentiallyConsistent) }

    /// Whether the caller is on the engine's thread.
    var isCurrent: Bool { thread.load(ordering: .relaxed) == Self.currentThread }

    /// Takes a job from the Swift runtime.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            local.append(job)
        } else {
            remote.withLock { $0.append(job) }
            remoteCount.add(1, ordering: .sequentiallyConsistent)
            waker.wake()
        }
    }

    /// Whether a job from another thread waits.
    var hasRemoteJobs: Bool { remoteCount.load(ordering: .sequentiallyConsistent) > 0 }

    /// Runs all jobs, also those that they enqueue.
    ///
    /// Returns whether there were any. On the engine's thread only.
    func runJobs() -> Bool {
        takeRemoteJobs()
        guard head < local.count else { return false }
        while head < local.count {
            let job = local[head]
            head += 1
            if head == local.count {
                local.removeAll(keepingCapacity: true)
                head = 0
            }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        return true
    }

    private func takeRemoteJobs() {
        guard remoteCount.load(ordering: .acquiring) > 0 else { return }
        let jobs = remote.withLock { jobs in
            let taken = jobs
            jobs = []
            return taken
        }
        remoteCount.subtract(jobs.count, ordering: .sequentiallyConsistent)
        local.append(contentsOf: jobs)
    }
}
