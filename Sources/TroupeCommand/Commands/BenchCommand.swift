// `troupe bench`: how fast this machine and broker are, in half a minute.

import KafkaClient
import Troupe

/// Measures producing, consuming and a service.
struct BenchCommand: Command {
    private static let records = Option(
        "records", short: "n", .one("N"), help: "how many events", default: "50000")
    private static let valueSize = Option("value-size", .one("BYTES"), help: "size of a payload", default: "200")
    private static let rate = Option(
        "rate", .one("N"), help: "events a second while latency is measured", default: "500")
    private static let duration = Option(
        "duration", .one("TIME"), help: "how long latency is measured", default: "4s")
    private static let partitions = Option(
        "partitions", short: "p", .one("N"), help: "partitions of the topics", default: "8")
    private static let keep = Option("keep", help: "leave the benchmark's topics on the broker")

    static let spec = CommandSpec(
        "bench", summary: "Measure producing, consuming and a service on a broker, or on an embedded one.",
        discussion: """
            Without a broker it runs an embedded one in its own process, whose work is then in the figures. The service
            reads what was produced, publishes a follow-on event for each, and commits; then events come at a steady
            rate, and the time from publishing to handling is measured. Topics and groups of the benchmark are deleted
            at the end. The comparison with plain C over the same library is 'make bench'.
            """,
        options: [records, valueSize, rate, duration, partitions, keep] + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe bench", "on an embedded broker, or the one KAFKA_BOOTSTRAP_SERVERS names"),
            Example("troupe bench -b localhost:9092 --records=500000", "on a real Kafka"),
        ])

    private let kafka: KafkaOptions?
    private let format: OutputFormat
    private let records: Int
    private let valueSize: Int
    private let rate: Int
    private let duration: Duration
    private let partitions: Int
    private let keepsTopics: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions.ifGiven(input)
        format = try OutputFormat(input)
        records = try input.integer(Self.records, in: 1...1_000_000) ?? 50_000
        valueSize = try input.integer(Self.valueSize, in: 8...900_000) ?? 200
        rate = try input.integer(Self.rate, in: 1...20_000) ?? 500
        duration = try input.duration(Self.duration) ?? .seconds(4)
        partitions = try input.integer(Self.partitions, in: 1...1_000) ?? 8
        keepsTopics = input.has(Self.keep)
    }

    func run(_ console: Console) async throws {
        #if DEBUG
            console.note("This is a debug build: a release build is faster.")
        #endif
        let namespace = "troupe-bench-\(String(UInt32.random(in: 0 ... .max), radix: 36))."
        let topics = [BenchEvent.topic.rawValue, BenchAnswer.topic.rawValue, "warm-up"].map { namespace + $0 }
        if let kafka {
            let cluster = try await kafka.connect()
            try await measure(
                Cluster(cluster.configuration, namespace: namespace), cluster.configuration.bootstrapServers, console)
        } else {
            let broker = try EmbeddedBroker(
                topics: Dictionary(topics.map { ($0, partitions) }) { first, _ in first })
            defer { withExtendedLifetime(broker) {} }
            try await measure(Cluster(broker.configuration, namespace: namespace), "embedded", console)
        }
    }

    private func measure(_ cluster: Cluster, _ broker: String, _ console: Console) async throws {
        if cluster.isEmbeddedBroker {
            // A record of the benchmark has about 400 bytes beside its value, and a partition keeps 5 MiB.
            let room = partitions * 5 * 1_048_576 * 3 / 4 / (valueSize + 400)
            guard records <= room else {
                throw UsageError(
                    "The embedded broker has no room for \(counted(records, "event")) of this size, only for about \(room)",
                    hint: "Give fewer --records or more --partitions.")
            }
        }
        let admin = try KafkaAdmin(cluster.configuration)
        try await makeTopics(cluster, admin)
        let run = BenchRun(cluster: cluster, records: records, valueSize: valueSize, rate: rate, duration: duration)
        let results: [Measurement]
        do {
            console.note("Producing...")
            let produced = try await run.produce()
            console.note("Consuming...")
            let consumed = try await run.consume()
            console.note("Serving...")
            results = [produced, consumed] + (try await run.serve())
        } catch {
            await cleanUp(cluster, admin, console)
            throw error
        }
        await cleanUp(cluster, admin, console)
        try console.show(BenchReport(broker: broker, valueSize: valueSize, results: results), as: format)
    }

    private func makeTopics(_ cluster: Cluster, _ admin: KafkaAdmin) async throws {
        let existing = try await cluster.topics()
        let topics = [BenchEvent.topic.rawValue, BenchAnswer.topic.rawValue, "warm-up"].map { cluster.namespace + $0 }
        // An embedded broker of another process gives topics its own number of partitions.
        let missing = topics.filter { existing[$0] == nil }
            .map { NewTopic($0, partitions: cluster.isEmbeddedBroker ? nil : partitions) }
        for (_, result) in try await admin.createTopics(missing) { try result.get() }
    }

    /// Deletes what the benchmark made.
    private func cleanUp(_ cluster: Cluster, _ admin: KafkaAdmin, _ console: Console) async {
        guard !keepsTopics else { return }
        guard !cluster.isEmbeddedBroker else {
            // One of this process is gone with it.
            if kafka != nil { console.note("The embedded broker cannot delete topics: \(cluster.namespace)* stay.") }
            return
        }
        // Also after Ctrl-C: a task of its own is not cancelled.
        let result = await Task {
            let names = try await cluster.topics().keys.sorted()
            for (_, result) in try await admin.deleteTopics(names) { try result.get() }
            for (_, result) in try await admin.deleteGroups([cluster.namespace + "bench"]) { try? result.get() }
        }.result
        if case .failure(let error) = result {
            console.error("The benchmark's topics \(cluster.namespace)* could not be deleted: \(error)")
        }
    }
}
