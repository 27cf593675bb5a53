// A Kafka of a test's own, started as the test needs it: with other settings, or with access rights.

import Foundation
import KafkaClient
import Testing

/// An Apache Kafka started by the launcher that `KAFKA_LAUNCHER` names.
struct LaunchedKafka: Sendable {
    private static let launcher = ProcessInfo.processInfo.environment["KAFKA_LAUNCHER"] ?? ""
    private let directory: URL
    /// What the launcher printed: addresses by the names of environment variables.
    private let variables: [String: String]

    /// Whether a launcher is named.
    static var isAvailable: Bool { !launcher.isEmpty }

    /// Why a test is skipped without one.
    static let needsLauncher: Comment = "needs a Kafka of its own: set KAFKA_LAUNCHER"

    /// Starts a node with the launcher's options.
    private init(_ options: [String]) async throws {
        directory = FileManager.default.temporaryDirectory
            .appending(path: "troupe-kafka-\(TestCluster.uniquePart())", directoryHint: .isDirectory)
        var output = ""
        // A port that is taken is the launcher's to notice; another one is tried.
        for attempt in 1... {
            do {
                let port = String(Int.random(in: 20_000...31_000))
                output = try await Self.run(["start", "--port", port] + options, in: directory)
                break
            } catch  where attempt < 5 { continue }
        }
        var variables: [String: String] = [:]
        for word in output.split(whereSeparator: \.isWhitespace) {
            let pair = word.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
        }
        self.variables = variables
    }

    /// Runs `body` with a Kafka that was started with the launcher's options, and ends it afterwards.
    static func with(_ options: [String], _ body: (LaunchedKafka) async throws -> Void) async throws {
        let kafka = try await LaunchedKafka(options)
        do {
            try await body(kafka)
        } catch {
            _ = try? await kafka.run(["stop"])
            throw error
        }
        try await kafka.run(["stop"])
    }

    /// Runs a command of the launcher.
    @discardableResult
    func run(_ arguments: [String]) async throws -> String { try await Self.run(arguments, in: directory) }

    /// A configuration for clients with every right.
    var configuration: KafkaConfiguration {
        get throws {
            var configuration = KafkaConfiguration(bootstrapServers: try #require(variables["KAFKA_BOOTSTRAP_SERVERS"]))
            configuration.isEmbeddedBroker = false
            return configuration
        }
    }

    /// A configuration for clients of the user `guest`, who has no rights but those that were granted.
    var guestConfiguration: KafkaConfiguration {
        get throws {
            var configuration = KafkaConfiguration(
                bootstrapServers: try #require(variables["KAFKA_SECURE_BOOTSTRAP_SERVERS"]))
            configuration.isEmbeddedBroker = false
            configuration.security = .sasl(
                .plain(username: "guest", password: Secret("guest-secret")),
                over: .init(authorities: .file(try #require(variables["KAFKA_CA"]))))
            return configuration
        }
    }

    private static func run(_ arguments: [String], in directory: URL) async throws -> String {
        try await TestCluster.blocking {
            let process = Process()
            process.executableURL = URL(filePath: launcher)
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment
                .merging(["KAFKA_DIR": directory.path(percentEncoded: false), "KAFKA_HEAP": "256m"]) { $1 }
            // To a file: the nodes live on and would keep a pipe open.
            let file = FileManager.default.temporaryDirectory.appending(path: "launcher-\(TestCluster.uniquePart())")
            defer { try? FileManager.default.removeItem(at: file) }
            _ = FileManager.default.createFile(atPath: file.path(percentEncoded: false), contents: nil)
            let output = try FileHandle(forWritingTo: file)
            process.standardOutput = output
            process.standardError = output
            try process.run()
            process.waitUntilExit()
            let text = try String(contentsOf: file, encoding: .utf8)
            guard process.terminationStatus == 0 else { throw Failure(description: "\(arguments): \(text)") }
            return text
        }
    }
}
