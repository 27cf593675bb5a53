// `troupe topics create`: makes topics.

import KafkaClient
import Troupe

/// Creates topics.
struct TopicsCreateCommand: Command {
    private static let partitions = Option(
        "partitions", short: "p", .one("N"), help: "partitions of each topic", default: "the broker's")
    private static let replicationFactor = Option(
        "replication-factor", .one("N"), help: "replicas of each partition", default: "the broker's")
    private static let config = Option(
        "config", .many("NAME=VALUE"), help: "configuration of the topics, such as retention.ms=-1")
    private static let ifMissing = Option("if-missing", help: "succeed where a topic exists already")

    static let spec = CommandSpec(
        "topics", "create", summary: "Create topics.",
        discussion: """
            The topics a service needs beside its inputs, for retries and dead letters, are better made by
            'troupe topics apply', which knows their configuration.
            """,
        arguments: [Argument("TOPIC", help: "the topics to create", repeats: true)],
        options: [partitions, replicationFactor, config, ifMissing] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe topics create orders --partitions=8", "create the topic orders"),
            Example(
                "troupe topics create rates --config cleanup.policy=compact --if-missing",
                "create a compacted topic unless it is there"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let topics: [NewTopic]
    private let allowsExisting: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        let partitions = try input.integer(Self.partitions, in: 1...100_000)
        let replicas = try input.integer(Self.replicationFactor, in: 1...1_000)
        let configuration = Dictionary(try input.pairs(Self.config).map { ($0.key, $0.value) }) { _, last in last }
        topics = try input.arguments.map { name in
            if let problem = TopicName.problem(with: name) {
                throw UsageError("'\(name.printable)' cannot be a topic's name: \(problem)")
            }
            return NewTopic(name, partitions: partitions, replicationFactor: replicas, configuration: configuration)
        }
        allowsExisting = input.has(Self.ifMissing)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let wanted = topics.map { topic in
            var topic = topic
            topic.name = cluster.brokerName(of: topic.name)
            return topic
        }
        if cluster.isEmbeddedBroker, wanted.contains(where: { !$0.configuration.isEmpty }) {
            throw KafkaError(.unsupportedByEmbeddedBroker, "The embedded broker keeps no configuration of topics")
        }
        let results = try await KafkaAdmin(cluster.configuration).createTopics(wanted)
        var report = TopicChanges(verb: "Created")
        for (name, result) in results.sorted(by: { $0.key < $1.key }) {
            switch result {
            case .success: report.changed.append(name)
            case .failure(let error) where error.code == .topicAlreadyExists && allowsExisting:
                report.unchanged.append(name)
            case .failure(let error): report.failed[name] = "\(error)"
            }
        }
        try report.show(on: console, as: format)
    }
}

/// What became of topics that were to be changed.
struct TopicChanges: Report {
    let verb: String
    var changed: [String] = []
    /// Topics that were as they should be.
    var unchanged: [String] = []
    /// Why topics could not be changed.
    var failed: [String: String] = [:]

    init(verb: String) { self.verb = verb }

    enum CodingKeys: CodingKey { case changed, unchanged, failed }

    func lines(_ style: Style) -> [String] {
        changed.map { "\(verb) \($0.printable)" } + unchanged.map { "\($0.printable) is there already" }
    }

    /// Shows what was done, tells what failed, and throws when anything has.
    func show(on console: Console, as format: OutputFormat) throws {
        try console.show(self, as: format)
        for (_, reason) in failed.sorted(by: { $0.key < $1.key }) { console.error(reason) }
        if !failed.isEmpty {
            throw CommandFailure("\(failed.count) of \(changed.count + unchanged.count + failed.count) topics failed")
        }
    }
}
