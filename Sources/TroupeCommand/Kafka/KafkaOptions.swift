// The options by which every command that needs Kafka is told where it is.

import Foundation
import KafkaClient
import Troupe

/// Where Kafka is: options over the environment over a client properties file.
struct KafkaOptions: Sendable {
    private static let bootstrapServers = Option(
        "bootstrap-servers", short: "b", .one("HOST:PORT"), help: "the brokers to ask first, separated by commas",
        default: "KAFKA_BOOTSTRAP_SERVERS")
    private static let clientProperties = Option(
        "client-properties", .one("PATH"), help: "a Kafka client properties file, Java's or librdkafka's names",
        default: "KAFKA_CLIENT_PROPERTIES")
    private static let property = Option(
        "property", short: "X", .many("NAME=VALUE"), help: "set a property of librdkafka")
    private static let namespace = Option(
        "namespace", .one("PREFIX"), help: "what stands before the names of topics and groups",
        default: EnvironmentVariable.namespace.rawValue)

    /// The options, for a command's specification.
    static let all = [bootstrapServers, clientProperties, property, namespace]

    /// What stands before the names of topics and groups.
    let namespace: String
    /// How a client of this cluster is set up.
    let configuration: KafkaConfiguration

    init(_ input: Input) throws {
        try self.init(input, environment: ProcessInfo.processInfo.environment)
    }

    init(_ input: Input, environment: [String: String]) throws {
        var configuration = try KafkaConfiguration(
            file: input.string(Self.clientProperties), environment: environment)
        for (name, value) in try input.pairs(Self.property) { configuration.properties[name] = value }
        if let servers = input.string(Self.bootstrapServers) { configuration.bootstrapServers = servers }
        guard !configuration.bootstrapServers.isEmpty else {
            throw UsageError(
                "No Kafka is named",
                hint: "Give --bootstrap-servers=HOST:PORT or set KAFKA_BOOTSTRAP_SERVERS; 'troupe broker' runs one.")
        }
        self.configuration = configuration
        namespace = input.string(Self.namespace) ?? environment[.namespace] ?? ""
    }

    /// The options when a broker is named somewhere; `nil` when none is.
    static func ifGiven(_ input: Input) throws -> KafkaOptions? {
        let environment = ProcessInfo.processInfo.environment
        let configuration = try KafkaConfiguration(
            file: input.string(clientProperties), environment: environment)
        let isGiven = input.has(bootstrapServers) || !configuration.bootstrapServers.isEmpty
        return isGiven ? try KafkaOptions(input, environment: environment) : nil
    }

    /// The properties that are set and where they come from, credentials hidden.
    func settings(_ input: Input) -> [Setting] {
        var names = Set((try? input.pairs(Self.property))?.map(\.key) ?? [])
        if input.has(Self.bootstrapServers) { names.insert("bootstrap.servers") }
        return SettingSources.settings(
            of: configuration, options: names, environment: ProcessInfo.processInfo.environment)
    }

    /// Asks the cluster what it is.
    ///
    /// - Throws: As `KafkaConfiguration.answered()`.
    func connect() async throws -> Cluster { Cluster(try await configuration.answered(), namespace: namespace) }
}

extension KafkaConfiguration {
    /// The configuration, once the cluster has said what it is.
    ///
    /// Somebody waits for the command's end: where every broker refuses the connection, or has a name that is not found,
    /// that is told after 2 s, for one that is being started may refuse for a moment. A slow one has 10 s.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    func answered() async throws -> KafkaConfiguration {
        do {
            return try await detectingEmbeddedBroker(givingUpOnRefusalAfter: .seconds(2))
        } catch var error as KafkaError where error.code == .allBrokersDown {
            error.advice =
                "Start the broker, or give another address by --bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS; "
                + "'troupe broker' runs one on this machine"
            throw error
        }
    }
}

/// A cluster that has answered.
struct Cluster: Sendable {
    let configuration: KafkaConfiguration
    let namespace: String

    init(_ configuration: KafkaConfiguration, namespace: String = "") {
        self.configuration = configuration
        self.namespace = namespace
    }

    var isEmbeddedBroker: Bool { configuration.isEmbeddedBroker == true }

    /// The topics of the namespace, by name; Kafka's own are left out.
    func topics() async throws -> [String: TopicDescription] {
        try await KafkaAdmin(configuration).describeTopics().compactMapValues { try? $0.get() }
            .filter { !$0.value.isInternal && $0.key.hasPrefix(namespace) }
    }

    /// The first and the next offset of partitions.
    ///
    /// - Throws: `KafkaError` when one of them cannot be found out.
    func watermarks(of partitions: [TopicPartition]) async throws -> [TopicPartition: Watermarks] {
        try await ends(of: partitions).mapValues { try $0.get() }
    }

    /// The first and the next offset of partitions, with a result for each.
    ///
    /// A partition that has no leader yet, such as one of a topic just made, is asked for again for a moment.
    func ends(
        of partitions: [TopicPartition], patience: Duration = .seconds(3)
    ) async throws -> [TopicPartition: Result<Watermarks, KafkaError>] {
        guard !partitions.isEmpty else { return [:] }
        let admin = try KafkaAdmin(configuration)
        let deadline = ContinuousClock.now + patience
        var results = try await admin.watermarks(of: partitions)
        while ContinuousClock.now < deadline {
            let again = results.filter { $0.value.isRetriableFailure }.map(\.key)
            if again.isEmpty { break }
            try await Task.sleep(for: .milliseconds(50))
            results.merge(try await admin.watermarks(of: again)) { _, new in new }
        }
        return results
    }
}

extension Result where Failure == KafkaError {
    /// Whether it failed in a way that may pass.
    fileprivate var isRetriableFailure: Bool {
        if case .failure(let error) = self { error.isRetriable } else { false }
    }
}
