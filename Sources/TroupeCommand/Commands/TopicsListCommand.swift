// `troupe topics list`: the topics of the cluster.

import KafkaClient
import Troupe

/// Lists topics with their size.
struct TopicsListCommand: Command {
    private static let all = Option("all", short: "a", help: "list Kafka's own topics too, such as __consumer_offsets")

    static let spec = CommandSpec(
        "topics", "list", summary: "List topics: partitions, replicas, records, and what they are for.",
        discussion: """
            RECORDS counts the offsets that are kept; in a compacted topic, or one written by transactions, there are
            fewer records than that. With a namespace only its topics are listed.
            """,
        options: [all] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe topics list", "every topic with its partitions and records"),
            Example("troupe topics list --format=json", "the same for a program"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let showsInternal: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        showsInternal = input.has(Self.all)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let admin = try KafkaAdmin(cluster.configuration)
        let found = try await admin.describeTopics()
        var topics: [TopicDescription] = []
        for (name, result) in found.sorted(by: { $0.key < $1.key }) where name.hasPrefix(cluster.namespace) {
            do {
                let topic = try result.get()
                if showsInternal || !topic.isInternal { topics.append(topic) }
            } catch {
                console.error("\(error)")
            }
        }
        let watermarks = try await cluster.ends(of: topics.flatMap(\.topicPartitions))
        let list = TopicList(
            topics: topics.map { topic in TopicRow(topic, watermarks.compactMapValues { try? $0.get() }) })
        if list.topics.isEmpty { console.note("No topics.") }
        try console.show(list, as: format)
    }
}

/// One topic in a listing.
struct TopicRow: Encodable, Sendable, Equatable {
    let topic: String
    let partitions: Int
    /// The number of replicas of the partition that has the fewest.
    let replicas: Int
    /// The offsets that are kept; `nil` when a partition could not be asked.
    let records: Int64?
    /// What the topic is for, of Troupe's own; `nil` for others.
    let purpose: TopicPlan.Purpose?

    init(topic: String, partitions: Int, replicas: Int, records: Int64?, purpose: TopicPlan.Purpose?) {
        self.topic = topic
        self.partitions = partitions
        self.replicas = replicas
        self.records = records
        self.purpose = purpose
    }

    init(_ description: TopicDescription, _ watermarks: [TopicPartition: Watermarks]) {
        let ends = description.topicPartitions.compactMap { watermarks[$0] }
        self.init(
            topic: description.name, partitions: description.partitions.count,
            replicas: description.partitions.map(\.replicas.count).min() ?? 0,
            records: ends.count == description.partitions.count ? ends.reduce(0) { $0 + $1.high - $1.low } : nil,
            purpose: TopicPlan.Purpose(ofTopic: description.name))
    }
}

/// The topics of a cluster.
struct TopicList: Report {
    let topics: [TopicRow]

    func encode(to encoder: any Encoder) throws { try topics.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        guard !topics.isEmpty else { return [] }
        var table = Table("TOPIC", ">PARTITIONS", ">REPLICAS", ">RECORDS", "FOR")
        for row in topics {
            table.add([
                row.topic, String(row.partitions), String(row.replicas), row.records.map(String.init) ?? "?",
                row.purpose?.words ?? (row.topic.hasPrefix("__") ? "Kafka's own" : "events"),
            ])
        }
        return table.lines(style)
    }
}
