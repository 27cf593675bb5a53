// Runs the built tool as a process of its own.

import Foundation

/// The tool as users run it: the executable that was built beside these tests.
///
/// What it writes goes to files, so that no thread waits for it.
final class ToolProcess {
    private let process = Process()
    private let directory = URL(filePath: NSTemporaryDirectory()).appending(path: "troupe-tool-\(UUID().uuidString)")
    private let ended = AsyncStream<Void>.makeStream()

    /// Held open as long as this value lives.
    private let input = Pipe()

    /// Starts `troupe` with `words`; variables that are `nil` are taken out of the environment.
    convenience init(_ words: String..., environment: [String: String?] = [:]) throws {
        try self.init("troupe", words, environment: environment, input: FileHandle.nullDevice)
    }

    /// Starts a service of the demo, which ends with this value.
    convenience init(demoService name: String, environment: [String: String?]) throws {
        try self.init(
            "demo-\(name)", [], environment: environment.merging(["DEMO_END_WITH_PARENT": "1"]) { $1 }, input: nil)
    }

    private init(
        _ executable: String, _ words: [String], environment: [String: String?], input: FileHandle?
    ) throws {
        var variables = ProcessInfo.processInfo.environment
        for (name, value) in environment { variables[name] = value }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        process.executableURL = Self.directory.appending(path: executable)
        process.arguments = words
        process.environment = variables
        process.standardOutput = try Self.file(at: directory.appending(path: "out"))
        process.standardError = try Self.file(at: directory.appending(path: "err"))
        process.standardInput = input.map { $0 as Any } ?? self.input
        process.terminationHandler = { [ended] _ in ended.continuation.finish() }
        try process.run()
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    private static func file(at url: URL) throws -> FileHandle {
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }

    /// The directory of the built executables, in which the tests are too, or a directory of theirs.
    private static let directory: URL = {
        var directory = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<4 {
            let tool = directory.appending(path: "troupe")
            if FileManager.default.isExecutableFile(atPath: tool.path) { break }
            directory.deleteLastPathComponent()
        }
        return directory
    }()

    /// What was written to standard output so far.
    var out: String { text("out") }
    /// What was written to standard error so far.
    var err: String { text("err") }

    private func text(_ name: String) -> String {
        String(decoding: (try? Data(contentsOf: directory.appending(path: name))) ?? Data(), as: UTF8.self)
    }

    func send(_ signal: Int32) { _ = kill(process.processIdentifier, signal) }

    /// Waits for the end, and returns the exit code, or the signal that killed the process, and all that was written.
    func finish() async -> (code: Int32, out: String, err: String) {
        for await _ in ended.stream {}
        return (process.terminationStatus, out, err)
    }
}

/// The processes whose command line contains `text`; ended ones that nobody has reaped do not count.
func processes(containing text: String) -> [pid_t] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return entries.compactMap { Int32($0) }.filter { pid in
        // A process without memory, such as a zombie, has an empty command line.
        (FileManager.default.contents(atPath: "/proc/\(pid)/environ")).map { String(decoding: $0, as: UTF8.self) }?
            .contains(text) == true && !(FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()).isEmpty
    }
}

/// Waits for a condition, for at most two minutes.
func eventually(_ condition: () throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return false
}
