// The demo's services as processes: where their executables are, what they are told, and how they end.

import Foundation
import Synchronization
import Troupe

/// Starts, kills and stops the demo's services.
actor DemoServices {
    /// The services, in the order in which they are shown.
    static let names = ["storefront", "inventory", "payments", "shipping", "notifications"]

    private let directory: String
    private let environment: [String: String]
    private let executables: String
    private var children: [String: ChildProcess] = [:]
    let board = StatusBoard()

    /// - Parameters:
    ///   - directory: Where the services keep their files and logs.
    ///   - environment: What all services are told.
    /// - Throws: `CommandFailure` when an executable is missing.
    init(directory: String, environment: [String: String]) throws {
        self.directory = directory
        self.environment = environment
        executables = try Self.executableDirectory()
        for name in Self.names where !FileManager.default.isExecutableFile(atPath: "\(executables)/demo-\(name)") {
            throw CommandFailure(
                "The demo service \(executables)/demo-\(name) is missing: build the whole package with 'swift build'")
        }
    }

    /// The directory of this executable, beside which the services' are.
    private static func executableDirectory() throws -> String {
        guard let path = Bundle.main.executablePath else { throw CommandFailure("Where troupe was started is unknown") }
        return URL(filePath: path).resolvingSymlinksInPath().deletingLastPathComponent().path
    }

    /// Starts a service, with `settings` beside what all are told.
    func start(_ name: String, settings: [String: String] = [:]) throws {
        var environment = ProcessInfo.processInfo.environment.merging(self.environment) { _, new in new }
        environment.merge(settings) { _, new in new }
        environment["DEMO_STATE_DIR"] = directory
        environment["DEMO_STATUS_FD"] = String(ChildProcess.lineDescriptor)
        environment["DEMO_END_WITH_PARENT"] = "1"
        let board = board
        children[name] = try ChildProcess(
            name, executable: "\(executables)/demo-\(name)", environment: environment, log: logPath(name)
        ) { board.take($0, from: name) }
    }

    /// The path of a service's log.
    nonisolated func logPath(_ name: String) -> String { "\(directory)/\(name).log" }

    /// The process of a service; `nil` when none was started.
    func child(_ name: String) -> ChildProcess? { children[name] }

    /// Kills a service's process, as `kill -9` does, and waits until it has gone.
    func kill(_ name: String) async {
        guard let child = children[name] else { return }
        child.send(SIGKILL)
        _ = await child.waitForEnd()
        board.processEnded(name)
    }

    /// Stops a service in order.
    func stop(_ name: String) async {
        guard let child = children.removeValue(forKey: name) else { return }
        _ = await child.stop(grace: .seconds(10))
        board.processEnded(name)
    }

    /// Stops all services at the same time; nothing of them is left when it returns.
    func stopAll() async {
        await withTaskGroup(of: Void.self) { group in
            for name in Self.names { group.addTask { await self.stop(name) } }
        }
    }

    /// Throws when a service has ended that was not told to.
    func checkAllRun() throws {
        for (name, child) in children {
            guard let end = child.end else { continue }
            throw CommandFailure("The service \(name) \(end) unasked. Its log is \(logPath(name)):\n\(lastLines(name))")
        }
    }

    /// The services' own numbers.
    nonisolated func status(of name: String) -> ServiceStatus? { board.status(of: name) }

    private func lastLines(_ name: String) -> String {
        guard let text = try? String(contentsOfFile: logPath(name), encoding: .utf8) else { return "" }
        return text.split(separator: "\n").suffix(5).map { "  " + String($0).printable }.joined(separator: "\n")
    }
}
