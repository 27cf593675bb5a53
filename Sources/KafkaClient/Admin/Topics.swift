// Topics: create, delete, describe, add partitions.

import CRDKafka

/// A topic to be created.
public struct NewTopic: Sendable, Hashable {
    /// The topic's name.
    public var name: String
    /// The number of partitions; `nil` for the broker's default.
    public var partitions: Int?
    /// The number of replicas of each partition; `nil` for the broker's default.
    public var replicationFactor: Int?
    /// The topic's configuration, such as `["retention.ms": "-1"]`.
    public var configuration: [String: String]

    /// Describes a topic to be created.
    public init(
        _ name: String, partitions: Int? = nil, replicationFactor: Int? = nil, configuration: [String: String] = [:]
    ) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configuration = configuration
    }
}

/// A topic and its partitions.
public struct TopicDescription: Sendable, Hashable {
    /// The topic's name.
    public var name: String
    /// The partitions, by number.
    public var partitions: [PartitionDescription]
    /// Whether the topic is Kafka's own, such as `__consumer_offsets`.
    public var isInternal: Bool { name.hasPrefix("__") }
    /// The partitions' names.
    public var topicPartitions: [TopicPartition] { partitions.map { TopicPartition(name, $0.id) } }
}

/// A partition and the brokers that keep it.
public struct PartitionDescription: Sendable, Hashable {
    /// The partition's number, from 0.
    public var id: Int32
    /// The id of the broker that leads the partition; `nil` when none does.
    public var leader: Int32?
    /// The ids of the brokers that keep the partition.
    public var replicas: [Int32]
    /// The ids of the brokers that keep it and have caught up.
    public var inSyncReplicas: [Int32]
}

extension KafkaAdmin {
    /// Creates topics, with a result for each, and waits until the brokers know them.
    ///
    /// On the embedded broker only topics without configuration and with `EmbeddedBroker.defaultPartitions`
    /// partitions can be created; the process that owns the broker can choose with `EmbeddedBroker.createTopic`.
    ///
    /// - Parameters:
    ///   - topics: The topics.
    ///   - validateOnly: Whether the broker only checks the request.
    ///   - timeout: How long to wait.
    /// - Throws: `KafkaError` when the request as a whole fails.
    public func createTopics(
        _ topics: [NewTopic], validateOnly: Bool = false, within timeout: Duration = defaultTimeout
    ) async throws -> [String: Result<Void, KafkaError>] {
        guard !topics.isEmpty else { return [:] }
        if try await isEmbeddedBroker(within: timeout) {
            return try await createOnEmbeddedBroker(topics, validateOnly: validateOnly, within: timeout)
        }
        var results: [String: Result<Void, KafkaError>] = [:]
        var objects = RequestObjects(destroy: rd_kafka_NewTopic_destroy)
        for topic in topics {
            do throws(KafkaError) {
                objects.append(owning: try topic.makeRequest())
            } catch {
                results[topic.name] = .failure(error)
            }
        }
        guard results.count < topics.count else { return results }
        let answer = try await admin.call(
            RD_KAFKA_ADMIN_OP_CREATETOPICS, "Creating topics failed", within: timeout,
            configure: { options in
                try Self.waitForController(options, timeout)
                if validateOnly {
                    try AdminClient.check("Creating topics failed") {
                        rd_kafka_AdminOptions_set_validate_only(options, 1, $0.baseAddress, $0.count)
                    }
                }
            },
            submit: { client, options, queue in
                objects.withArray { rd_kafka_CreateTopics(client, $0, $1, options, queue) }
            })
        let items = resultItems { count in
            rd_kafka_event_CreateTopics_result(answer.event).flatMap { rd_kafka_CreateTopics_result_topics($0, count) }
        }
        results.merge(Self.topicResults(items, "Creating the topic failed")) { own, _ in own }
        if !validateOnly {
            // One that somebody else made a moment ago may be as unknown to the brokers as one's own.
            let made = results.filter {
                if case .failure(let error) = $0.value { error.code == .topicAlreadyExists } else { true }
            }
            try await awaitTopics(made.map(\.key), within: timeout)
        }
        return results
    }

    /// Waits until the brokers know new topics, which they learn from the controller a moment after it has answered.
    ///
    /// Kafka tells nobody when that is, so it is asked again. Topics that stay unknown are left to the caller's use.
    private func awaitTopics(_ names: [String], within timeout: Duration) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        while clock.now < deadline {
            let found = try await describeTopics(names, within: timeout)
            if found.values.allSatisfy({ (try? $0.get().partitions.allSatisfy { $0.leader != nil }) == true }) {
                return
            }
            try await clock.sleep(for: .milliseconds(10))
        }
    }

    /// Creates one topic.
    ///
    /// - Throws: `KafkaError`, with `.topicAlreadyExists` when it does.
    public func createTopic(_ topic: NewTopic, within timeout: Duration = defaultTimeout) async throws {
        try await createTopics([topic], within: timeout)[topic.name]?.get()
    }

    /// Deletes topics, with a result for each.
    ///
    /// - Throws: `KafkaError` when the request as a whole fails, `.unsupportedByEmbeddedBroker` on that one.
    public func deleteTopics(
        _ names: [String], within timeout: Duration = defaultTimeout
    ) async throws -> [String: Result<Void, KafkaError>] {
        guard !names.isEmpty else { return [:] }
        try await refuseOnEmbeddedBroker("delete topics", within: timeout)
        var objects = RequestObjects(destroy: rd_kafka_DeleteTopic_destroy)
        for name in names {
            try TopicName.validate(name)
            if let object = rd_kafka_DeleteTopic_new(name) { objects.append(owning: object) }
        }
        let answer = try await admin.call(
            RD_KAFKA_ADMIN_OP_DELETETOPICS, "Deleting topics failed", within: timeout,
            configure: { try Self.waitForController($0, timeout) },
            submit: { client, options, queue in
                objects.withArray { rd_kafka_DeleteTopics(client, $0, $1, options, queue) }
            })
        let items = resultItems { count in
            rd_kafka_event_DeleteTopics_result(answer.event).flatMap { rd_kafka_DeleteTopics_result_topics($0, count) }
        }
        return Self.topicResults(items, "Deleting the topic failed")
    }

    /// Raises topics' numbers of partitions to the given totals, with a result for each.
    ///
    /// Records that have a key may then go to other partitions than before.
    ///
    /// - Throws: `KafkaError` when the request as a whole fails, `.unsupportedByEmbeddedBroker` on that one.
    public func addPartitions(
        _ totals: [String: Int], within timeout: Duration = defaultTimeout
    ) async throws -> [String: Result<Void, KafkaError>] {
        guard !totals.isEmpty else { return [:] }
        try await refuseOnEmbeddedBroker("add partitions", within: timeout)
        var objects = RequestObjects(destroy: rd_kafka_NewPartitions_destroy)
        for (name, total) in totals {
            try TopicName.validate(name)
            guard (1...100_000).contains(total) else {
                throw KafkaError(.invalidArgument, "A topic has 1 to 100,000 partitions, not \(total)", topic: name)
            }
            if let object = rd_kafka_NewPartitions_new(name, total, nil, 0) { objects.append(owning: object) }
        }
        let answer = try await admin.call(
            RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, "Adding partitions failed", within: timeout,
            configure: { try Self.waitForController($0, timeout) },
            submit: { client, options, queue in
                objects.withArray { rd_kafka_CreatePartitions(client, $0, $1, options, queue) }
            })
        let items = resultItems { count in
            rd_kafka_event_CreatePartitions_result(answer.event)
                .flatMap { rd_kafka_CreatePartitions_result_topics($0, count) }
        }
        return Self.topicResults(items, "Adding partitions failed")
    }

    /// Describes topics, with a result for each; all of the cluster's when `names` is `nil`.
    ///
    /// Asking does not make topics that do not exist: their result is `.unknownTopicOrPartition`.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    public func describeTopics(
        _ names: [String]? = nil, within timeout: Duration = defaultTimeout
    ) async throws -> [String: Result<TopicDescription, KafkaError>] {
        let client = admin.client
        // All topics are asked for: asking for one by name makes it where the broker allows that.
        let all = try await runBlocking(named: "kafka-admin-call") {
            try ClusterMetadata(client, within: timeout).topics
        }
        guard let names else { return all }
        var chosen: [String: Result<TopicDescription, KafkaError>] = [:]
        for name in names {
            chosen[name] =
                all[name]
                ?? .failure(KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "There is no such topic", topic: name))
        }
        return chosen
    }

    /// On the embedded broker a lookup makes a topic, with its default number of partitions.
    private func createOnEmbeddedBroker(
        _ topics: [NewTopic], validateOnly: Bool, within timeout: Duration
    ) async throws -> [String: Result<Void, KafkaError>] {
        let existing = try await describeTopics(within: timeout)
        var results: [String: Result<Void, KafkaError>] = [:]
        for topic in topics {
            do throws(KafkaError) {
                try TopicName.validate(topic.name)
            } catch {
                results[topic.name] = .failure(error)
                continue
            }
            if existing[topic.name] != nil {
                results[topic.name] = .failure(
                    KafkaError(.topicAlreadyExists, "The topic exists already", topic: topic.name))
            } else if let partitions = topic.partitions, partitions != EmbeddedBroker.defaultPartitions {
                results[topic.name] = .failure(
                    KafkaError(
                        .unsupportedByEmbeddedBroker,
                        "On the embedded broker a client's topics have \(EmbeddedBroker.defaultPartitions) partitions, "
                            + "not \(partitions)", topic: topic.name,
                        advice: "Name the topic when the broker is started, or leave the number of partitions out"))
            } else if validateOnly {
                results[topic.name] = .success(())
            } else {
                let client = admin.client
                results[topic.name] = try await runBlocking(named: "kafka-admin-call") {
                    try ClusterMetadata(client, topic: topic.name, within: timeout).topics[topic.name]
                        ?? .failure(KafkaError(.unknownTopicOrPartition, "The topic was not made", topic: topic.name))
                }.map { _ in }
            }
        }
        return results
    }

    /// Has the controller answer when the change is done rather than when it is accepted.
    private static func waitForController(_ options: OpaquePointer, _ timeout: Duration) throws {
        let milliseconds = Int32(clamping: min(max(timeout.inMilliseconds, 1), 3_600_000))
        try AdminClient.check("Preparing the request failed") {
            rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds, $0.baseAddress, $0.count)
        }
    }

    private static func topicResults(
        _ items: [OpaquePointer], _ happened: String
    ) -> [String: Result<Void, KafkaError>] {
        var results: [String: Result<Void, KafkaError>] = [:]
        for item in items {
            let name = String(cString: rd_kafka_topic_result_name(item))
            let code = KafkaError.Code(rd_kafka_topic_result_error(item))
            guard code.rawValue != 0 else {
                results[name] = .success(())
                continue
            }
            let text = rd_kafka_topic_result_error_string(item).map { String(cString: $0) } ?? "\(code)"
            results[name] = .failure(
                KafkaError(code, "\(happened): \(text)", isRetriable: code.isRetriable, topic: name))
        }
        return results
    }
}

extension NewTopic {
    /// The request's object, which the caller owns.
    fileprivate func makeRequest() throws(KafkaError) -> OpaquePointer {
        try TopicName.validate(name)
        var text = [CChar](repeating: 0, count: 512)
        guard
            let object = rd_kafka_NewTopic_new(
                name, Int32(clamping: partitions ?? -1), Int32(clamping: replicationFactor ?? -1), &text, text.count)
        else { throw KafkaError(.invalidArgument, "The topic was refused: \(String(cBuffer: text))", topic: name) }
        for (key, value) in configuration {
            let error = rd_kafka_NewTopic_set_config(object, key, value)
            guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
                rd_kafka_NewTopic_destroy(object)
                throw KafkaError(error, "The topic's configuration \(key) was refused", topic: name)
            }
        }
        return object
    }
}
