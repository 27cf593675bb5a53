// `troupe topics delete`: deletes topics and all that is in them.

import KafkaClient

/// Deletes topics.
struct TopicsDeleteCommand: Command {
    private static let yes = Option("yes", short: "y", help: "delete; without it only tell what would be deleted")

    static let spec = CommandSpec(
        "topics", "delete", summary: "Delete topics and everything in them.",
        discussion: "Without --yes it tells how many records would be gone and deletes nothing.",
        arguments: [Argument("TOPIC", help: "the topics to delete", repeats: true)],
        options: [yes] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe topics delete old-orders", "tell what would be deleted"),
            Example("troupe topics delete old-orders --yes", "delete it"),
        ])

    private let kafka: KafkaOptions
    private let format: OutputFormat
    private let names: [String]
    private let isSure: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        format = try OutputFormat(input)
        names = Set(input.arguments).sorted()
        isSure = input.has(Self.yes)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        var topics: [TopicDescription] = []
        for name in names { topics.append(try await cluster.topic(named: name)) }
        guard isSure else {
            let watermarks = try await cluster.watermarks(of: topics.flatMap(\.topicPartitions))
            try console.show(TopicList(topics: topics.map { TopicRow($0, watermarks) }), as: format)
            console.note("Nothing was deleted. Add --yes to delete these topics and their records for good.")
            return
        }
        let results = try await KafkaAdmin(cluster.configuration).deleteTopics(topics.map(\.name))
        var report = TopicChanges(verb: "Deleted")
        for (name, result) in results.sorted(by: { $0.key < $1.key }) {
            switch result {
            case .success: report.changed.append(name)
            case .failure(let error): report.failed[name] = "\(error)"
            }
        }
        try report.show(on: console, as: format)
    }
}
