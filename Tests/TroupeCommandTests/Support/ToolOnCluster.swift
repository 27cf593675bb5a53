// Runs the tool's commands in the test process, on the embedded broker and on a real Kafka where one is named.

import Foundation
import KafkaClient
import Testing

@testable import TroupeCommand

/// A cluster that tests run on.
enum TestCluster: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case embedded
    case kafka

    /// The clusters of this run.
    static var available: [TestCluster] { isKafkaNamed ? [.embedded, .kafka] : [.embedded] }
    /// Whether a real Kafka is named.
    static var isKafkaNamed: Bool { !kafkaServers.isEmpty }
    static let needsKafka: Comment = "needs a real Kafka: set KAFKA_BOOTSTRAP_SERVERS"

    private static let kafkaServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""
    private static let broker = Result { try EmbeddedBroker() }

    var testDescription: String { rawValue }

    /// A configuration for clients of the cluster.
    var configuration: KafkaConfiguration {
        get throws {
            switch self {
            case .embedded: return try Self.broker.get().configuration
            case .kafka: return KafkaConfiguration(bootstrapServers: Self.kafkaServers)
            }
        }
    }
}

/// The tool on a cluster, in a namespace of its own.
struct ToolOnCluster: Sendable {
    let cluster: TestCluster
    let namespace = "cli-\(String(UInt64.random(in: 0 ... .max), radix: 36))."
    let configuration: KafkaConfiguration

    init(_ cluster: TestCluster) throws {
        self.cluster = cluster
        configuration = try cluster.configuration
    }

    /// What a command wrote, and how it ended.
    struct Outcome: Sendable {
        let code: ExitCode
        let out: String
        let err: String

        /// The lines of the data.
        var lines: [String] { out.split(separator: "\n").map(String.init) }

        /// The data as a JSON value.
        func json() throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: Data(out.utf8)) }
    }

    /// Runs a command with the cluster's address and namespace.
    func run(_ words: String..., recorder: Recorder = Recorder()) async -> Outcome {
        await run(words, recorder: recorder)
    }

    /// Runs a command with the cluster's address and namespace.
    func run(_ words: [String], recorder: Recorder = Recorder()) async -> Outcome {
        let place = ["--bootstrap-servers", configuration.bootstrapServers, "--namespace", namespace]
        let code = await Tool.troupe.run(words + place, recorder.console())
        return Outcome(code: code, out: recorder.out, err: recorder.err)
    }

    /// Makes a topic of four partitions, which is what the embedded broker gives to clients.
    func makeTopic(_ name: String) async throws {
        try await KafkaAdmin(configuration).createTopic(NewTopic(namespace + name, partitions: 4))
    }

    /// Sends records, acknowledged.
    func send(_ messages: [KafkaMessage]) async throws -> [Delivery] {
        let producer = try KafkaProducer(configuration)
        let deliveries = try await producer.send(
            contentsOf: messages.map { message in
                var message = message
                message.topic = namespace + message.topic
                return message
            })
        await producer.shutdown()
        return deliveries
    }
}

extension JSONValue {
    /// A member of an object, or an element of an array by its number.
    subscript(_ path: String...) -> JSONValue? {
        path.reduce(self) { value, step in
            switch value {
            case .object(let members)?: members[step]
            case .array(let elements)?: Int(step).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            default: nil
            }
        }
    }
}

/// Waits until a condition holds.
func wait(within timeout: Duration = .seconds(120), until condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + timeout
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "waited in vain")
        try await Task.sleep(for: .milliseconds(10))
    }
}
