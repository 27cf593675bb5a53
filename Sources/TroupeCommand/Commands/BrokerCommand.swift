// `troupe broker`: the embedded broker as a process of its own.

import Foundation
import KafkaClient

/// Runs the embedded broker until it is interrupted.
struct BrokerCommand: Command {
    private static let topic = Option(
        "topic", short: "t", .many("NAME:PARTITIONS"), help: "a topic to make; others are made when they are first used"
    )
    private static let addressFile = Option(
        "address-file", .one("PATH"), help: "write the address to this file too, and remove it at the end")

    static let spec = CommandSpec(
        "broker", summary: "Run an embedded broker: Kafka's protocol on 127.0.0.1, everything in memory.",
        discussion: """
            The broker's address is printed on standard output; services in other processes use it like that of any
            Kafka (KAFKA_BOOTSTRAP_SERVERS). It is made for demos and tests, not for production: everything is gone
            when it ends, and a partition keeps at most 5 MiB.

            The port is a free one, another each time: librdkafka's mock cluster, which the broker is, cannot be given
            one. Scripts and other terminals learn it from the file that --address-file names.
            """,
        options: [topic, addressFile],
        examples: [
            Example("troupe broker --topic orders:8", "run a broker with the topic orders of 8 partitions"),
            Example(
                "troupe broker --address-file=broker.address &",
                "in scripts: KAFKA_BOOTSTRAP_SERVERS=$(cat broker.address) once the file is there"),
        ])

    private let topics: [String: Int]
    private let addressFile: String?

    init(_ input: Input) throws {
        var topics: [String: Int] = [:]
        for text in input.strings(Self.topic) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let partitions =
                parts.count == 2 ? Int(parts[1]) : parts.count == 1 ? EmbeddedBroker.defaultPartitions : nil
            guard let partitions, !parts[0].isEmpty else {
                throw UsageError("Option --topic is '\(text.printable)', not NAME:PARTITIONS such as orders:8")
            }
            guard topics.updateValue(partitions, forKey: String(parts[0])) == nil else {
                throw UsageError("Topic \(parts[0]) is given twice")
            }
        }
        self.topics = topics
        addressFile = input.string(Self.addressFile)
    }

    func run(_ console: Console) async throws {
        let broker = try EmbeddedBroker(topics: topics)
        defer { withExtendedLifetime(broker) {} }
        console.data(broker.bootstrapServers)
        console.note(EmbeddedBroker.notice)
        if let addressFile {
            // Atomically: whoever waits for the file never reads half of it.
            try Data("\(broker.bootstrapServers)\n".utf8).write(to: URL(filePath: addressFile), options: .atomic)
        }
        defer { if let addressFile { try? FileManager.default.removeItem(atPath: addressFile) } }
        console.note("Running. Press Ctrl-C to end.")
        try await untilCancelled()
    }
}

/// Waits until the task is cancelled, and throws `CancellationError` then.
func untilCancelled() async throws -> Never {
    while true { try await Task.sleep(for: .seconds(86_400)) }
}
