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
final class SignalListener: Sendable {
    private let signals: [ShutdownSignal]
    private let writeEnd: Int32
    private static let cancelled: UInt8 = 0

    /// Begins to listen.
    ///
    /// The signals' former actions come back with `cancel`.
    init(_ signals: [ShutdownSignal], _ onSignal: @escaping @Sendable (ShutdownSignal) -> Void) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw KafkaError(.invalidState, "Listening for signals failed: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.signals = signals
        writeEnd = ends[1]
        let readEnd = ends[0]
        signalPipe.store(writeEnd, ordering: .sequentiallyConsistent)
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
        for shutdown in signals { signal(shutdown.rawValue, forwardSignal) }
    }

    /// Stops listening.
    func cancel() {
        for shutdown in signals { signal(shutdown.rawValue, SIG_DFL) }
        signalPipe.store(-1, ordering: .sequentiallyConsistent)
        var byte = Self.cancelled
        _ = write(writeEnd, &byte, 1)
        close(writeEnd)
    }
}

/// Ends the process, as a `main` does that failed.
func endProcess(status: Int32) -> Never { exit(status) }
