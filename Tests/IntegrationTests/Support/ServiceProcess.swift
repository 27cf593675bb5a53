// A service in a process of its own, which can be killed hard, and the log that its handlers write.

import Foundation

/// A service of the chaos runs' chain (`Benchmarks/ChaosService`) in a process of its own.
///
/// It ends with this value at the latest.
final class ServiceProcess {
    private let process = Process()
    /// Held open as long as this value lives: the process ends when it is closed.
    private let input = Pipe()
    private let ended = AsyncStream<Void>.makeStream()

    /// Starts the service `name`, whose handlers append to the file `log`.
    init(_ name: String, log: HandlerLines, environment: [String: String]) throws {
        process.executableURL = Self.executable
        process.arguments = ["serve", name, log.path]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.terminationHandler = { [ended] _ in ended.continuation.finish() }
        try process.run()
    }

    /// The executable that was built beside these tests, in their directory or one above.
    private static let executable: URL = {
        var directory = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<4 {
            let found = directory.appending(path: "ChaosService")
            if FileManager.default.isExecutableFile(atPath: found.path) { return found }
            directory.deleteLastPathComponent()
        }
        return directory.appending(path: "ChaosService")
    }()

    var identifier: Int32 { process.processIdentifier }

    func send(_ signal: Int32) { _ = kill(process.processIdentifier, signal) }

    /// Waits for the end, and returns the exit status, or the signal that killed the process.
    func finish() async -> Int32 {
        for await _ in ended.stream {}
        return process.terminationStatus
    }
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
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return attempts }
        for line in text.split(separator: "\n") {
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
