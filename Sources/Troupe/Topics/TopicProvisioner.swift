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

/// Which of the topics exist on which services tell of themselves.
struct ProvisionedSystemTopics: Sendable, Hashable {
    var services = false
    var tasks = false
    /// The largest batch that the topic of tasks takes, in bytes; `nil` when it is not known.
    var maxBatchBytes: Int?
}

extension KafkaLimits {
    /// The largest `message.max.bytes` that librdkafka can be given; topics may take larger records.
    package static let largestMessageBytes = 1_000_000_000
}

/// Compares the topics a service needs with the broker's, and makes what is missing.
struct TopicProvisioner: Sendable {
    private let admin: KafkaAdmin
    private let isEmbeddedBroker: Bool
    private let mode: TopicProvisioning
    private let logger: Logger

    init(_ kafka: KafkaConfiguration, mode: TopicProvisioning, logger: Logger) throws {
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
        try await create(missing.map { NewTopic($0) })
        known.merge(try await existing(missing)) { _, new in new }
        let inputs = try await shapes(processor.inputTopics, known)
        let plans = processor.topicPlans(inputs: inputs)
        var counts = try await existing(plans.map(\.name))
        let lacking = plans.filter { counts[$0.name] == nil }
        if mode == .verify, !lacking.isEmpty {
            throw StartupError(
                lacking.map {
                    "The \($0.purpose == .retry ? "retry" : "dead-letter") topic \($0.name) does not exist. "
                        + "Create it with `troupe topics apply`, or let the service provision its topics"
                })
        }
        try await create(lacking.map(newTopic))
        if !lacking.isEmpty {
            logger.info(
                "Topics created", metadata: [LogKey.topic: lacking.map(\.name).sorted().joined(separator: " ")])
        }
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

    /// Provisions the topics on which services tell of themselves; never keeps a service from running.
    func provision(_ topics: SystemTopics) async -> ProvisionedSystemTopics {
        var found = ProvisionedSystemTopics()
        do {
            let plans = TopicPlan.system(topics)
            var known = try await existing(plans.map(\.name))
            let missing = plans.filter { known[$0.name] == nil }
            if mode == .create, !missing.isEmpty {
                try await create(missing.map(newTopic))
                // Not asked for again: other brokers may learn of them later.
                for plan in missing { known[plan.name] = plan.partitions ?? 1 }
            }
            found.services = known[topics.services] != nil
            found.tasks = known[topics.tasks] != nil
            found.maxBatchBytes = found.tasks ? try await limits([topics.tasks]).values.min() : nil
            let lacking = plans.map(\.name).filter { known[$0] == nil }
            if !lacking.isEmpty {
                logger.warning(
                    "Topics are missing on which the service tells of itself: it runs, and tells less. Create them with "
                        + "`troupe topics apply`, or switch tracking off (TROUPE_TRACKING=off)",
                    metadata: [LogKey.topic: lacking.joined(separator: " ")])
            }
        } catch {
            logger.warning(
                "The topics on which the service tells of itself cannot be used: it runs, and tells less. Grant the rights, "
                    + "or switch tracking off (TROUPE_TRACKING=off)",
                metadata: [LogKey.error: "\(error)", LogKey.topic: "\(topics.services) \(topics.tasks)"])
        }
        return found
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

    private func create(_ topics: [NewTopic]) async throws {
        guard !topics.isEmpty else { return }
        for (_, result) in try await admin.createTopics(topics) {
            // Another instance may have been quicker.
            if case .failure(let error) = result, error.code != .topicAlreadyExists { throw error }
        }
    }

    /// The embedded broker gives every topic its default partitions and keeps no configuration.
    private func newTopic(_ plan: TopicPlan) -> NewTopic {
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
    private func limits(_ names: [String]) async throws -> [String: Int] {
        guard !isEmbeddedBroker, !names.isEmpty else { return [:] }
        return try await admin.describeConfigurations(ofTopics: names).compactMapValues { result in
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
        return "The topic \(topic) does not exist, and \(who). Create it, or provision with `.create`"
    }
}
