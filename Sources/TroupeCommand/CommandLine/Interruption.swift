// Ctrl-C and SIGTERM: the first cancels the running command, the second ends the process at once.

import Foundation
internal import Synchronization

/// Turns SIGINT and SIGTERM into the cancellation of a task.
enum Interruption {
    /// The write end of the pipe that the signal handler writes to; set once, before the handlers are.
    private static let pipeEnd = Atomic<Int32>(-1)

    /// Cancels `task` at the first signal and exits with 130 at the second.
    ///
    /// SIGPIPE is ignored: writing to a reader that has gone is an error like any other.
    static func cancel(_ task: Task<ExitCode, Never>) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipeEnd.store(ends[1], ordering: .releasing)
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGINT, SIGTERM] {
            // Runs between any two instructions: only async-signal-safe calls are allowed here.
            signal(number) { _ in
                let saved = errno
                var byte: UInt8 = 1
                _ = write(Interruption.pipeEnd.load(ordering: .acquiring), &byte, 1)
                errno = saved
            }
        }
        let readEnd = ends[0]
        Thread.detachNewThread {
            var count = 0
            var byte: UInt8 = 0
            while true {
                let got = read(readEnd, &byte, 1)
                if got == 1 {
                    count += 1
                    if count > 1 { _exit(ExitCode.interrupted.rawValue) }
                    task.cancel()
                } else if got == 0 || errno != EINTR {
                    return
                }
            }
        }
    }
}
