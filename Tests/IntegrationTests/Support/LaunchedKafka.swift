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
            let file = FileManager.default.temporaryDirectory.appending(path: "launcher-\(TestCluster.uniquePart())")
            defer { try? FileManager.default.removeItem(at: file) }
            let path = file.path(percentEncoded: false)
            let environment = ProcessInfo.processInfo.environment
                .merging(["KAFKA_DIR": directory.path(percentEncoded: false), "KAFKA_HEAP": "256m"]) { $1 }
            let status = try spawn([launcher] + arguments, environment: environment, output: path)
            let text = try String(contentsOf: file, encoding: .utf8)
            guard status == 0 else { throw Failure(description: "\(arguments) ended with \(status): \(text)") }
            return text
        }
    }

    /// Runs a program to its end and returns its status as `waitpid` tells it; blocks.
    ///
    /// Not by Foundation's `Process`, which waits for all that the program left running: the nodes.
    private static func spawn(
        _ arguments: [String], environment: [String: String], output: String
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let words = arguments.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var process = pid_t()
        let error = posix_spawn(&process, arguments[0], &actions, nil, words, variables)
        guard error == 0 else { throw Failure(description: "\(arguments[0]): \(String(cString: strerror(error)))") }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw Failure(description: "Waiting for \(arguments[0]) failed") }
        }
        return status
    }
}
