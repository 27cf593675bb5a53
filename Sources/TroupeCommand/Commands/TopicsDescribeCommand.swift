// `troupe topics describe`: one topic, its partitions and its configuration.

import KafkaClient
import Troupe

/// Describes a topic.
struct TopicsDescribeCommand: Command {
    static let spec = CommandSpec(
        "topics", "describe", summary: "Describe a topic: partitions, leaders, offsets, configuration.",
        discussion: "Only the configuration that was set on the topic is shown; the rest is the broker's default.",
        arguments: [Argument("TOPIC", help: "the topic")],
        options: KafkaOptions.all + [OutputFormat.option],
        examples: [Example("troupe topics describe orders", "where the topic orders is kept and how it is set up")])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let name: String

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        name = try input.required(0)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let topic = try await cluster.topic(named: name)
        let admin = try KafkaAdmin(cluster.configuration)
        let watermarks = try await cluster.ends(of: topic.topicPartitions)
        var configuration: [String: String]?
        if !cluster.isEmbeddedBroker {
            configuration = try await admin.describeConfigurations(ofTopics: [topic.name])[topic.name]?.get()
                .filter { $0.value.source == .topic }.mapValues { $0.value ?? "(secret)" }
        }
        try console.show(
            TopicDetails(topic, watermarks.compactMapValues { try? $0.get() }, configuration), as: format)
    }
}

/// Everything about one topic.
struct TopicDetails: Report {
    struct Partition: Encodable, Sendable, Equatable {
        let partition: Int32
        let leader: Int32?
        let replicas: [Int32]
        let inSyncReplicas: [Int32]
        let firstOffset: Int64?
        let nextOffset: Int64?
    }

    let topic: String
    let purpose: TopicPlan.Purpose?
    let partitions: [Partition]
    /// What was set on the topic; `nil` where the broker keeps no configuration.
    let configuration: [String: String]?

    init(
        _ description: TopicDescription, _ watermarks: [TopicPartition: Watermarks], _ configuration: [String: String]?
    ) {
        topic = description.name
        purpose = TopicPlan.Purpose(ofTopic: description.name)
        partitions = description.partitions.map { partition in
            let ends = watermarks[TopicPartition(description.name, partition.id)]
            return Partition(
                partition: partition.id, leader: partition.leader, replicas: partition.replicas,
                inSyncReplicas: partition.inSyncReplicas, firstOffset: ends?.low, nextOffset: ends?.high)
        }
        self.configuration = configuration
    }

    func lines(_ style: Style) -> [String] {
        var table = Table(">PARTITION", ">LEADER", "REPLICAS", "IN SYNC", ">FIRST OFFSET", ">NEXT OFFSET", ">RECORDS")
        func ids(_ ids: [Int32]) -> String { ids.map(String.init).joined(separator: ",") }
        for row in partitions {
            var records: String?
            if let first = row.firstOffset, let next = row.nextOffset { records = String(next - first) }
            table.add([
                String(row.partition), row.leader.map(String.init) ?? "none", ids(row.replicas),
                ids(row.inSyncReplicas), row.firstOffset.map(String.init) ?? "?",
                row.nextOffset.map(String.init) ?? "?", records ?? "?",
            ])
        }
        var lines = [style.bold(topic.printable) + " (\(purpose?.words ?? "events"))", ""] + table.lines(style)
        if let configuration {
            lines += ["", style.bold("configuration") + (configuration.isEmpty ? " (the broker's defaults)" : "")]
            lines += configuration.sorted { $0.key < $1.key }.map { "  \($0.key)=\($0.value.printable)" }
        }
        return lines
    }
}
