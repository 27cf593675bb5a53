// Hears the signals that ask a process to end.

import KafkaClient
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A signal that asks a process to end.
public enum ShutdownSignal: Int32, Sendable, Hashable, CaseIterable {
    /// Sent by a terminal's Ctrl-C.
    case interrupt = 2
    /// Sent by process managers and container engines.
    case terminate = 15
    /// Sent when a terminal closes.
    case hangup = 1

    /// `SIGINT`: sent by a terminal's Ctrl-C.
    public static let sigint = ShutdownSignal.interrupt
    /// `SIGTERM`: sent by process managers and container engines.
    public static let sigterm = ShutdownSignal.terminate
    /// `SIGHUP`: sent when a terminal closes.
    public static let sighup = ShutdownSignal.hangup
}

/// The writing end of the pipe that the signal handler writes to, or -1.
///
/// One listener a process.
private let signalPipe = Atomic<Int32>(-1)

/// Runs in the middle of whatever the process does: it may only write to the pipe.
private func forwardSignal(_ signal: Int32) {
    var byte = UInt8(truncatingIfNeeded: signal)
    let saved = errno
    _ = write(signalPipe.load(ordering: .relaxed), &byte, 1)
    errno = saved
}

/// Calls a closure for each signal, from a thread of its own, until it is cancelled.
package final class SignalListener: Sendable {
    private let former: [(signal: Int32, action: sigaction)]
    private let writeEnd: Int32
    private static let cancelled: UInt8 = 0

    /// Begins to listen.
    ///
    /// The signals' former actions come back with `cancel`. Throws when signals are listened for already: a process has
    /// one listener.
    package init(_ signals: [ShutdownSignal], _ onSignal: @escaping @Sendable (ShutdownSignal) -> Void) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw KafkaError(.invalidState, "Listening for signals failed: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let (readEnd, writeEnd) = (ends[0], ends[1])
        guard signalPipe.compareExchange(expected: -1, desired: writeEnd, ordering: .sequentiallyConsistent).exchanged
        else {
            for end in ends { close(end) }
            throw KafkaError(
                .invalidState, "The process's signals are listened for already",
                advice: "Call runService() once a process; run further services with run()")
        }
        self.writeEnd = writeEnd
        do {
            try startThread(named: "troupe-signals") {
                var byte: UInt8 = 0
                while true {
                    let count = read(readEnd, &byte, 1)
                    if count < 0, errno == EINTR { continue }
                    guard count == 1, byte != Self.cancelled else { break }
                    if let signal = ShutdownSignal(rawValue: Int32(byte)) { onSignal(signal) }
                }
                close(readEnd)
            }
        } catch {
            signalPipe.store(-1, ordering: .sequentiallyConsistent)
            for end in ends { close(end) }
            throw error
        }
        former = signals.map { shutdown in
            var action = sigaction()
            sigaction(shutdown.rawValue, nil, &action)
            signal(shutdown.rawValue, forwardSignal)
            return (shutdown.rawValue, action)
        }
    }

    /// Stops listening: signals do again what they did before.
    package func cancel() {
        for (signal, action) in former.reversed() {
            var action = action
            sigaction(signal, &action, nil)
        }
        signalPipe.store(-1, ordering: .sequentiallyConsistent)
        var byte = Self.cancelled
        _ = write(writeEnd, &byte, 1)
        close(writeEnd)
    }
}

/// The signals that came, and the task that the first of them cancels.
final class Shutdown: Sendable {
    private struct State {
        var count = 0
        var last: ShutdownSignal?
        var lastTime: ContinuousClock.Instant?
        var task: Task<Void, any Error>?
    }
    private let state = Mutex(State())

    /// Notes a signal; returns how many have come.
    ///
    /// Signals within a tenth of a second count as one: `timeout`, and managers that signal a process and its group, send
    /// each twice.
    func note(_ signal: ShutdownSignal, at time: ContinuousClock.Instant = .now) -> Int {
        let (count, task) = state.withLock { state in
            if let last = state.lastTime, last.duration(to: time) < .milliseconds(100) {
                return (state.count, state.task)
            }
            state.count += 1
            state.last = signal
            state.lastTime = time
            return (state.count, state.task)
        }
        task?.cancel()
        return count
    }

    /// Says what the first signal cancels; at once when it has come already.
    func cancels(_ task: Task<Void, any Error>) {
        let isDue = state.withLock { state in
            state.task = task
            return state.count > 0
        }
        if isDue { task.cancel() }
    }

    /// The status of a process that ends before its work did: 130 after Ctrl-C, as shells expect, else 1.
    var status: Int32 { state.withLock { $0.last } == .interrupt ? 130 : 1 }
}

/// Ends the process at once: no other thread's work is waited for, and none is disturbed by exit handlers.
package func endProcess(status: Int32) -> Never { _exit(status) }
