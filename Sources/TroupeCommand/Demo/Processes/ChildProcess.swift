// Owns one child process: its pipes, its signals and its end.

import Foundation
import Synchronization

/// How a process ended.
enum ProcessEnd: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    var description: String {
        switch self {
        case .exited(let code): "exited with \(code)"
        case .killed(let signal): "was killed by signal \(signal)"
        }
    }
}

/// A child process in a process group of its own, so that Ctrl-C reaches this process alone, which ends its children
/// in order.
///
/// The child's standard input is a pipe that this process holds open: when this process dies, however that comes
/// about, the child reads its end. Descriptor 3 is a pipe on which the child tells lines; standard output and error go
/// to a log file.
final class ChildProcess: Sendable {
    private struct State {
        var end: ProcessEnd?
        var waiting: [CheckedContinuation<ProcessEnd, Never>] = []
    }

    let name: String
    let pid: pid_t
    /// The end of the child's standard input, or -1 when it was let go.
    private let leash: Mutex<Int32>
    private let state = Mutex(State())

    /// The descriptor on which the child tells lines.
    static let lineDescriptor: Int32 = 3

    /// Starts a process.
    ///
    /// - Parameters:
    ///   - onLine: Called with each line the child tells, on a thread of its own.
    /// - Throws: `CommandFailure` when it cannot be started.
    init(
        _ name: String, executable: String, arguments: [String] = [], environment: [String: String], log: String,
        onLine: @escaping @Sendable (Data) -> Void
    ) throws {
        self.name = name
        let leash = try Pipe()
        let lines = try Pipe()
        pid = try Self.spawn(
            executable, arguments: arguments, environment: environment, log: log, stdin: leash.readEnd,
            lines: lines.writeEnd)
        self.leash = Mutex(leash.writeEnd)
        close(leash.readEnd)
        close(lines.writeEnd)
        Thread.detachNewThread { LineReader.read(from: lines.readEnd, onLine) }
        Thread.detachNewThread { self.awaitEnd() }
    }

    deinit { dropLeash() }

    /// Closes the child's standard input, as the death of this process would.
    func dropLeash() {
        leash.withLock { leash in
            if leash >= 0 { close(leash) }
            leash = -1
        }
    }

    /// Sends a signal unless the process has ended.
    ///
    /// The process is only reaped under the same lock, so its number cannot belong to another one meanwhile.
    func send(_ signal: Int32) {
        state.withLock { state in
            if state.end == nil { _ = kill(pid, signal) }
        }
    }

    /// How the process ended; `nil` while it runs.
    var end: ProcessEnd? { state.withLock { $0.end } }

    /// Waits until the process has ended, also when the task is cancelled.
    func waitForEnd() async -> ProcessEnd {
        await withCheckedContinuation { continuation in
            let end = state.withLock { state -> ProcessEnd? in
                if state.end == nil { state.waiting.append(continuation) }
                return state.end
            }
            if let end { continuation.resume(returning: end) }
        }
    }

    /// Asks the process to end, and kills it when it has not ended after `grace`.
    func stop(grace: Duration) async -> ProcessEnd {
        send(SIGTERM)
        send(SIGCONT)
        let killer = Task.detached {
            try await Task.sleep(for: grace)
            self.send(SIGKILL)
        }
        defer { killer.cancel() }
        return await waitForEnd()
    }

    private func awaitEnd() {
        var info = siginfo_t()
        // Leaves the process a zombie, so that its number stays its own until it is reaped under the lock.
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let waiting = state.withLock { state in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let signal = status & 0x7f
            let end: ProcessEnd = signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal)
            state.end = end
            defer { state.waiting = [] }
            return state.waiting.map { ($0, end) }
        }
        for (continuation, end) in waiting { continuation.resume(returning: end) }
    }
}

extension ChildProcess {
    /// Both ends of a pipe, closed in whatever is executed.
    private struct Pipe {
        let readEnd: Int32
        let writeEnd: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else {
                throw CommandFailure("No pipe could be made: \(String(cString: strerror(errno)))")
            }
            // Not atomic, but only one actor of this program starts processes.
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            (readEnd, writeEnd) = (ends[0], ends[1])
        }
    }

    private static func spawn(
        _ executable: String, arguments: [String], environment: [String: String], log: String, stdin: Int32,
        lines: Int32
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, stdin, STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        posix_spawn_file_actions_adddup2(&actions, lines, lineDescriptor)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&defaults, signal) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        // The threads of Swift's tasks block signals, and a child would inherit that.
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        var pid: pid_t = 0
        let result = withCStrings([executable] + arguments) { arguments in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { variables in
                posix_spawn(&pid, executable, &actions, &attributes, arguments, variables)
            }
        }
        guard result == 0 else {
            throw CommandFailure("\(executable) cannot be started: \(String(cString: strerror(result)))")
        }
        return pid
    }

    /// Calls `body` with a null-terminated array of C strings, valid during the call.
    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}

/// Reads lines from a descriptor.
enum LineReader {
    /// Calls `onLine` for each whole line until the writer has gone, then closes the descriptor.
    static func read(from descriptor: Int32, _ onLine: (Data) -> Void) {
        defer { close(descriptor) }
        var pending = Data()
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Foundation.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            pending.append(contentsOf: buffer[..<count])
            while let newline = pending.firstIndex(of: UInt8(ascii: "\n")) {
                onLine(pending[..<newline])
                pending = Data(pending[pending.index(after: newline)...])
            }
        }
    }
}
