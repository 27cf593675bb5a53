// Makes the topics a service needs, or verifies that they are there.

import KafkaClient

/// What the broker says of a service's topics once they are provisioned.
struct ProvisionedTopics: Sendable, Hashable {
    /// The number of partitions of the retry and dead-letter topics, by name.
    var partitionCounts: [String: Int32] = [:]
    /// The largest record an input topic takes, in bytes.
    var maxMessageBytes = KafkaLimits.maxMessageBytes
    /// The smallest batch that any topic the service writes to takes at most, in bytes; `nil` when none is known.
    var maxBatchBytes: Int?
}

extension KafkaLimits {
    /// The largest `message.max.bytes` that librdkafka can be given; topics may take larger records.
    package static let largestMessageBytes = 1_000_000_000
}

/// Compares the topics a service needs with the broker's, and makes what is missing.
struct TopicProvisioner: Sendable {
    let admin: KafkaAdmin
    private let isEmbeddedBroker: Bool
    let mode: TopicProvisioning
    let logger: Logger
    /// How long each request about the system topics may take; making them as long again, until the brokers know them.
    let timeout: Duration

    init(
        _ kafka: KafkaConfiguration, mode: TopicProvisioning, logger: Logger,
        timeout: Duration = KafkaAdmin.defaultTimeout
    ) throws {
        self.timeout = timeout
        admin = try KafkaAdmin(kafka)
        isEmbeddedBroker = kafka.isEmbeddedBroker == true
        self.mode = mode
        self.logger = logger
    }

    /// Provisions the topics of a service.
    ///
    /// - Throws: `StartupError` naming every topic that is missing and the route that needs it, or `KafkaError`.
    func provision(_ processor: RecordProcessor) async throws -> ProvisionedTopics {
        let own = Array(Set(processor.inputTopics + processor.outputTopics)).sorted()
        var known = try await existing(own)
        let missing = own.filter { known[$0] == nil }
        if mode == .verify, !missing.isEmpty {
            throw StartupError(missing.map { problem($0, processor) })
        }
        let made = try await create(missing.map { NewTopic($0) })
        if !made.isEmpty {
            // A name that was mistyped becomes a topic too, which nobody else will ever use.
            logger.notice(
                "Topics were missing and are created: check their names if they should have been there",
                metadata: [LogKey.topic: made.joined(separator: " ")])
        }
        known.merge(try await existing(missing)) { _, new in new }
        let inputs = try await shapes(processor.inputTopics, known)
        let plans = processor.topicPlans(inputs: inputs)
        var counts = try await existing(plans.map(\.name))
        let lacking = plans.filter { counts[$0.name] == nil }
        if mode == .verify, !lacking.isEmpty {
            throw StartupError(lacking.map { problem($0, processor) })
        }
        logCreated(try await create(lacking.map(newTopic)))
        counts.merge(try await existing(lacking.map(\.name))) { _, new in new }
        for plan in plans {
            guard let partitions = plan.partitions, let count = counts[plan.name], count != partitions else { continue }
            logger.warning(
                "The topic has \(count) partitions, its input \(partitions): records keep their partition modulo \(count)",
                metadata: [LogKey.topic: plan.name])
        }
        var topics = ProvisionedTopics(partitionCounts: counts)
        topics.maxMessageBytes = max(topics.maxMessageBytes, inputs.values.compactMap(\.maxMessageBytes).max() ?? 0)
        topics.maxBatchBytes = try await limits(processor.outputTopics + plans.map(\.name)).values.min()
        return topics
    }

    /// The number of partitions of those of the topics that exist.
    private func existing(_ names: [String]) async throws -> [String: Int32] {
        guard !names.isEmpty else { return [:] }
        var counts: [String: Int32] = [:]
        for (name, result) in try await admin.describeTopics(names) {
            switch result {
            case .success(let topic): counts[name] = Int32(topic.partitions.count)
            case .failure(let error) where error.code == .unknownTopicOrPartition: continue
            case .failure(let error): throw error
            }
        }
        return counts
    }

    /// Makes topics, and returns the names of those that nobody else had made meanwhile.
    private func create(_ topics: [NewTopic]) async throws -> [String] {
        guard !topics.isEmpty else { return [] }
        var made: [String] = []
        for (name, result) in try await admin.createTopics(topics) {
            switch result {
            case .success: made.append(name)
            // Another instance may have been quicker.
            case .failure(let error) where error.code == .topicAlreadyExists: continue
            case .failure(let error): throw error
            }
        }
        return made.sorted()
    }

    /// Names the topics of the service's own, and of the system, that were made.
    func logCreated(_ names: [String]) {
        guard !names.isEmpty else { return }
        logger.info("Topics created", metadata: [LogKey.topic: names.joined(separator: " ")])
    }

    /// The embedded broker gives every topic its default partitions and keeps no configuration.
    func newTopic(_ plan: TopicPlan) -> NewTopic {
        isEmbeddedBroker
            ? NewTopic(plan.name)
            : NewTopic(plan.name, partitions: plan.partitions.map { Int($0) }, configuration: plan.configuration)
    }

    private func shapes(_ names: [String], _ counts: [String: Int32]) async throws -> [String: TopicShape] {
        let limits = try await limits(names)
        var shapes: [String: TopicShape] = [:]
        for name in names {
            guard let partitions = counts[name] else {
                throw KafkaError(.unknownTopicOrPartition, "The topic could not be found or made", topic: name)
            }
            shapes[name] = TopicShape(partitions: partitions, maxMessageBytes: limits[name])
        }
        return shapes
    }

    /// The largest batch each topic takes, in bytes (`max.message.bytes`).
    ///
    /// Without the right to describe a topic's configuration it is left out: the broker's usual limit is assumed.
    func limits(
        _ names: [String], within timeout: Duration = KafkaAdmin.defaultTimeout
    ) async throws -> [String: Int] {
        guard !isEmbeddedBroker, !names.isEmpty else { return [:] }
        return try await admin.describeConfigurations(ofTopics: names, within: timeout).compactMapValues { result in
            guard let limit = try? result.get()["max.message.bytes"]?.value else { return nil }
            return Int(limit)
        }
    }

    private func problem(_ topic: String, _ processor: RecordProcessor) -> String {
        let readers = processor.routes.filter { processor.names.input($0.input.topic) == topic }.map(\.name)
        let writers = processor.routes
            .filter { $0.publishes.events.contains { processor.names.input($0.topic) == topic } }.map(\.name)
        let who =
            readers.isEmpty
            ? "the route \(writers.joined(separator: ", ")) publishes to it"
            : "the route \(readers.joined(separator: ", ")) reads it"
        let option = readers.isEmpty ? "output" : "input"
        return "The topic \(topic) does not exist, and \(who). "
            + remedy("--\(option)=\(topic.dropFirst(processor.names.namespace.count))", processor.names)
    }

    private func problem(_ companion: TopicPlan, _ processor: RecordProcessor) -> String {
        let names = processor.names
        let input = processor.routes.map(\.input.topic).first {
            [names.retry($0), names.deadLetter($0)].contains(companion.name)
        }
        return "The \(companion.purpose == .retry ? "retry" : "dead-letter") topic \(companion.name) does not exist. "
            + remedy("--input=\(input?.rawValue ?? "TOPIC")", names)
    }

    /// The command that makes a topic and what stands beside it, and what else can be done.
    private func remedy(_ option: String, _ names: ServiceNames) -> String {
        var command = "troupe topics apply --service=\(names.service) \(option)"
        if names.group != names.service { command += " --group=\(names.group)" }
        if !names.namespace.isEmpty { command += " --namespace=\(names.namespace)" }
        return "Create it with `\(command)`, or let the service make its topics (`.create`)"
    }
}
