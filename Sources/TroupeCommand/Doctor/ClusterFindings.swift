// What a cluster says of itself: findings without I/O, from what was read of it.

import KafkaClient
import Troupe

/// Findings about a cluster.
enum ClusterFindings {
    /// What the embedded broker cannot do.
    static let embeddedBroker = [
        Diagnosis(.note, "embedded broker", EmbeddedBroker.notice),
        Diagnosis(
            .note, "embedded broker",
            "it has no transactions, no configuration of topics, no listing or describing of groups, no offsets by "
                + "time, no deleting, and gives every topic a client makes "
                + "\(EmbeddedBroker.defaultPartitions) partitions"),
    ]

    /// The version of a broker, as far as its configuration tells: the protocol does not say it.
    ///
    /// Kafka 4.0 removed `inter.broker.protocol.version`; before, its value begins with the version.
    static func version(_ configuration: [String: ConfigurationEntry]) -> String? {
        guard !configuration.isEmpty else { return nil }
        guard let version = configuration["inter.broker.protocol.version"]?.value else { return "4.0 or newer" }
        return "\(version.prefix { $0 != "-" }) or newer"
    }

    /// What is to be said of the topics' partitions.
    static func partitions(_ topics: [TopicDescription]) -> [Diagnosis] {
        let partitions = topics.flatMap { topic in topic.partitions.map { (topic.name, $0) } }
        var findings: [Diagnosis] = []
        let leaderless = partitions.filter { $0.1.leader == nil }.map { "\($0.0)/\($0.1.id)" }
        if !leaderless.isEmpty {
            findings.append(
                Diagnosis(
                    .broken, "partitions", "\(leaderless.count) have no leader: \(list(leaderless))",
                    advice: "Nothing can be read or written there: bring the brokers back that keep them"))
        }
        let lagging = partitions.filter { $0.1.inSyncReplicas.count < $0.1.replicas.count }
            .map { "\($0.0)/\($0.1.id)" }
        if !lagging.isEmpty {
            findings.append(
                Diagnosis(
                    .warning, "partitions", "\(lagging.count) have replicas that are not in sync: \(list(lagging))",
                    advice: "One more broker down may stop or lose them: check the brokers"))
        }
        if findings.isEmpty {
            findings.append(
                Diagnosis(.ok, "partitions", "\(partitions.count) in \(topics.count.of("topic")), each with a leader"))
        }
        return findings
    }

    /// What is to be said of partitions whose ends were asked for, which only their leaders can answer.
    static func leaders(_ ends: [TopicPartition: Result<Watermarks, KafkaError>]) -> Diagnosis? {
        let failed = ends.filter { (try? $0.value.get()) == nil }
        guard let first = failed.min(by: { $0.key < $1.key }) else {
            return ends.isEmpty ? nil : Diagnosis(.ok, "leaders", "each partition's leader answers")
        }
        var detail =
            "\(counted(failed.count, "partition")) \(failed.count == 1 ? "is" : "are") not answered for, \(first.key.topic)/\(first.key.partition) first"
        if case .failure(let error) = first.value { detail += ": \(error.reason)" }
        return Diagnosis(
            .broken, "leaders", detail,
            advice: "Check that this host reaches the brokers by the addresses they advertise (advertised.listeners)")
    }

    /// What is to be said of dead letters.
    static func deadLetters(_ ends: [TopicPartition: Result<Watermarks, KafkaError>]) -> Diagnosis {
        let letters = ends.filter { TopicPlan.Purpose(ofTopic: $0.key.topic) == .deadLetter }
            .compactMap { entry in (try? entry.value.get()).map { (entry.key.topic, $0.high - $0.low) } }
            .filter { $0.1 > 0 }
        guard !letters.isEmpty else { return Diagnosis(.ok, "dead letters", "none") }
        return Diagnosis(
            .warning, "dead letters",
            "\(counted(letters.reduce(0) { $0 + $1.1 }, "letter")) in \(list(Set(letters.map(\.0)).sorted()))",
            advice: "'troupe dlt list --waiting' groups those that were not replayed")
    }

    /// What is to be said of a service's topics.
    static func topics(_ steps: [TopicStep], of service: String) -> [Diagnosis] {
        let subject = "topics of \(service)"
        var findings: [Diagnosis] = []
        let missing = steps.filter { $0.action == .create }.map(\.topic)
        if !missing.isEmpty {
            findings.append(
                Diagnosis(
                    .broken, subject, "missing: \(list(missing))",
                    advice: "'troupe topics apply' with the same options makes them"))
        }
        for step in steps where step.action == .alter || step.action == .differs {
            findings.append(
                Diagnosis(
                    .warning, subject, "\(step.topic) is not as planned: \(step.detail)",
                    advice: step.action == .alter ? "'troupe topics apply' with the same options mends it" : nil))
        }
        if findings.isEmpty { findings.append(Diagnosis(.ok, subject, "all \(steps.count) are there")) }
        return findings
    }

    /// The first few of many names.
    private static func list(_ names: [String]) -> String {
        names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
    }
}
