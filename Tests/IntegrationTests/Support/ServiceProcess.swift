// A service in a process of its own, which can be killed hard, and the log that its handlers write.

import Foundation

/// A service of the chaos runs' chain (`Benchmarks/ChaosService`) in a process of its own.
///
/// It ends with this value at the latest. Not Foundation's `Process`, which reads beyond its buffers and leaks (6.3.1).
final class ServiceProcess {
    let identifier: pid_t
    /// The process ends when this is closed.
    private let input: Int32
    private var isReaped = false

    /// Starts the service `name`, whose handlers append to the file `log`.
    init(_ name: String, log: HandlerLines, environment: [String: String]) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 else { throw NotStarted(code: errno) }
        defer { close(ends[0]) }
        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let words: [String] = [Self.executable, "serve", name, log.path]
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        for descriptor in Int32(1)...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
        // None of the sockets of this process are the child's.
        #if canImport(Darwin)
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_CLOEXEC_DEFAULT))
        #else
            for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
                guard let descriptor = Int32(name), descriptor > 2 else { continue }
                posix_spawn_file_actions_addclose(&actions, descriptor)
            }
        #endif
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, Self.executable, &actions, &attributes, arguments, variables)
        guard code == 0 else {
            close(ends[1])
            throw NotStarted(code: code)
        }
        (self.identifier, input) = (identifier, ends[1])
    }

    deinit {
        close(input)
        guard !isReaped else { return }
        send(SIGKILL)
        _ = Self.reap(identifier)
    }

    /// The process could not be started.
    struct NotStarted: Error {
        var code: Int32
    }

    func send(_ signal: Int32) { if !isReaped { kill(identifier, signal) } }

    /// Waits for the end, and returns the exit status, or the signal that killed the process.
    func finish() async throws -> Int32 {
        let identifier = identifier
        let status = try await TestCluster.blocking { Self.reap(identifier) }
        isReaped = true
        return status & 0x7f == 0 ? status >> 8 & 0xff : status & 0x7f
    }

    private static func reap(_ identifier: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// The executable that was built beside these tests, in their directory or one above.
    private static let executable: String = {
        var directory = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<4 {
            let found = directory.appending(path: "ChaosService")
            if FileManager.default.isExecutableFile(atPath: found.path) { return found.path }
            directory.deleteLastPathComponent()
        }
        return "ChaosService"
    }()
}

/// The lines of handlers: each is written by one call before anything else happens.
struct HandlerLines {
    let path = NSTemporaryDirectory() + "troupe-handlers-\(UUID().uuidString)"

    /// What the processes have begun and ended, by the number of the event.
    struct Attempts {
        var begun: [Int32: Set<Int>] = [:]
        var ended: [Int32: Set<Int>] = [:]
        var succeeded: Set<Int> = []

        /// The events that a process has begun and not ended.
        func underWay(in process: Int32) -> Set<Int> {
            begun[process, default: []].subtracting(ended[process, default: []])
        }
    }

    /// What the lines say so far.
    func read() -> Attempts {
        var attempts = Attempts()
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() else { return attempts }
        for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: "\t")
            guard fields.count == 13, let number = Int(fields[1]), let process = Int32(fields[12]) else { continue }
            if fields[0] == "B" {
                attempts.begun[process, default: []].insert(number)
            } else {
                attempts.ended[process, default: []].insert(number)
                if fields[9] == "ok" { attempts.succeeded.insert(number) }
            }
        }
        return attempts
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
