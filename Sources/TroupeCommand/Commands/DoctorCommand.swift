// `troupe doctor`: can it work here, what is missing, and what to do.

import Foundation
import KafkaClient
import Troupe

/// Looks at the client library, the configuration, the cluster and its topics.
struct DoctorCommand: Command {
    private static let service = Option(
        "service", short: "s", .one("NAME"), help: "check the topics of this service too; needs --input")
    private static let topicOptions = ServiceTopicsOptions.all.filter { $0.name != service.name }

    static let spec = CommandSpec(
        "doctor", summary: "Check client library, configuration, cluster and topics, and say what to do.",
        discussion: """
            It changes nothing. It tells which version of librdkafka runs and which work-arounds that takes, where each
            setting comes from (credentials stay hidden), whether the brokers and the leaders of all partitions answer,
            and what waits in dead-letter topics. It ends with 1 when something is broken.
            """,
        options: [service] + topicOptions + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe doctor", "check the cluster that KAFKA_BOOTSTRAP_SERVERS names"),
            Example("troupe doctor --service=shipping --input=payments", "check the topics of a service as well"),
        ])

    private let input: Input
    private let format: OutputFormat
    private let service: ServiceTopicsOptions?

    init(_ input: Input) throws {
        self.input = input
        format = try OutputFormat(input)
        let isService = Self.spec.options.contains { option in
            ServiceTopicsOptions.all.contains { $0.name == option.name } && input.has(option)
        }
        service = isService ? try ServiceTopicsOptions(input) : nil
    }

    func run(_ console: Console) async throws {
        var findings: [Diagnosis] = []
        var settings: [Setting] = []
        do {
            // Made here and not before: a configuration that cannot be used is a finding.
            let kafka = try KafkaOptions(input)
            settings = kafka.settings(input)
            _ = try kafka.configuration.librdkafkaProperties(for: .producer)
            _ = try kafka.configuration.librdkafkaProperties(for: .consumer(group: "troupe-doctor"))
            findings.append(Diagnosis(.ok, "configuration", "\(settings.count.of("setting")), valid"))
            if !kafka.namespace.isEmpty {
                findings.append(Diagnosis(.note, "namespace", "\(kafka.namespace), before every topic and group"))
            }
            findings += try await clusterFindings(kafka)
        } catch is CancellationError {
            throw CancellationError()
        } catch let error as ConnectFailure {
            findings.append(Diagnosis(broken: "cluster", error.error))
        } catch {
            findings.append(Diagnosis(broken: "configuration", error))
        }
        findings += Self.findings(in: ProcessInfo.processInfo.environment)
        findings += LibraryFindings.all()
        let report = DoctorReport(library: "\(LibrdkafkaVersion.current)", settings: settings, findings: findings)
        try console.show(report, as: format)
        if report.brokenCount > 0 { throw CommandFailure("Something is broken") }
    }

    /// The variables that nobody reads.
    static func findings(in environment: [String: String]) -> [Diagnosis] {
        EnvironmentVariable.unknown(in: environment).map {
            Diagnosis(.warning, "environment", $0.problem, advice: $0.hint)
        }
    }

    /// The cluster did not do as it should.
    private struct ConnectFailure: Error { let error: any Error }

    private func clusterFindings(_ kafka: KafkaOptions) async throws -> [Diagnosis] {
        do {
            let cluster = try await kafka.connect()
            return try await findings(of: cluster)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw ConnectFailure(error: error)
        }
    }

    private func findings(of cluster: Cluster) async throws -> [Diagnosis] {
        let admin = try KafkaAdmin(cluster.configuration)
        let description = try await admin.describeCluster()
        let brokers = description.brokers.map { "\($0.id) at \($0.host):\($0.port)" }.joined(separator: ", ")
        var findings = [
            Diagnosis(
                .ok, "cluster", "\(description.id), \(description.brokers.count.of("broker")): \(brokers)")
        ]
        if cluster.isEmbeddedBroker {
            findings += ClusterFindings.embeddedBroker
        } else {
            findings += await versions(of: description.brokers, admin)
        }
        let topics = try await cluster.topics().values.sorted { $0.name < $1.name }
        findings += ClusterFindings.partitions(topics)
        let ends = try await cluster.ends(
            of: topics.flatMap { topic in
                topic.partitions.filter { $0.leader != nil }.map { TopicPartition(topic.name, $0.id) }
            })
        findings += [ClusterFindings.leaders(ends)].compactMap { $0 }
        findings.append(ClusterFindings.deadLetters(ends))
        if let service {
            let needs = service.needs(namespace: cluster.namespace)
            let steps = try await TopicsWorkshop(needs, cluster).plan()
            findings += ClusterFindings.topics(steps, of: needs.names.service)
        }
        return findings
    }

    /// What the brokers' configurations tell of their version.
    private func versions(of brokers: [BrokerDescription], _ admin: KafkaAdmin) async -> [Diagnosis] {
        var findings: [Diagnosis] = []
        for broker in brokers {
            do {
                let configuration = try await admin.describeConfiguration(ofBroker: broker.id)
                guard let version = ClusterFindings.version(configuration) else { continue }
                findings.append(Diagnosis(.ok, "broker \(broker.id)", "Apache Kafka \(version), by its configuration"))
            } catch {
                let reason = (error as? KafkaError)?.reason ?? "\(error)"
                findings.append(Diagnosis(.note, "broker \(broker.id)", "its version is not known: \(reason)"))
            }
        }
        return findings
    }
}
