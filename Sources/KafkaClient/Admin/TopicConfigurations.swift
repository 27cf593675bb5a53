// The configuration of topics and brokers: describe, alter.

import CRDKafka

/// One entry of a topic's or broker's configuration.
public struct ConfigurationEntry: Sendable, Hashable {
    /// Where a value comes from.
    public enum Source: Sendable, Hashable {
        /// It was set on this topic.
        case topic
        /// It was set on a broker, or on all brokers, at run time.
        case dynamicBroker
        /// It stands in the broker's configuration file.
        case staticBroker
        /// It is Kafka's default.
        case kafkaDefault
        /// The broker did not say.
        case unknown
    }

    /// The entry's name, such as `retention.ms`.
    public var name: String
    /// The value; `nil` where the broker keeps it secret.
    public var value: String?
    /// Where the value comes from.
    public var source: Source
    /// Whether the value cannot be altered.
    public var isReadOnly: Bool
    /// Whether the broker takes the value for a secret.
    public var isSensitive: Bool
}

extension KafkaAdmin {
    /// Describes the configuration of topics, with a result for each: the entries by name.
    ///
    /// - Throws: `KafkaError` when the request as a whole fails, `.unsupportedByEmbeddedBroker` on that one.
    public func describeConfigurations(
        ofTopics topics: [String], within timeout: Duration = defaultTimeout
    ) async throws -> [String: Result<[String: ConfigurationEntry], KafkaError>] {
        guard !topics.isEmpty else { return [:] }
        try await refuseOnEmbeddedBroker("describe configurations", within: timeout)
        var objects = RequestObjects(destroy: rd_kafka_ConfigResource_destroy)
        for topic in topics {
            try TopicName.validate(topic)
            if let object = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic) {
                objects.append(owning: object)
            }
        }
        return try await describe(&objects, within: timeout)
    }

    /// Describes the configuration of one broker: the entries by name.
    ///
    /// - Throws: `KafkaError`, `.unsupportedByEmbeddedBroker` on that one.
    public func describeConfiguration(
        ofBroker broker: Int32, within timeout: Duration = defaultTimeout
    ) async throws -> [String: ConfigurationEntry] {
        try await refuseOnEmbeddedBroker("describe configurations", within: timeout)
        var objects = RequestObjects(destroy: rd_kafka_ConfigResource_destroy)
        if let object = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, String(broker)) {
            objects.append(owning: object)
        }
        return try await describe(&objects, within: timeout)[String(broker)]?.get() ?? [:]
    }

    /// Sets and resets entries of a topic's configuration, and waits until the brokers know it; others are kept.
    ///
    /// It reads what was set on the topic and writes it back with the changes (Kafka's AlterConfigs), so a change
    /// somebody else makes at the same moment can be lost.
    ///
    /// - Parameters:
    ///   - topic: The topic.
    ///   - values: The entries to set, such as `["retention.ms": "-1"]`.
    ///   - reset: Names of entries that go back to the broker's default.
    ///   - timeout: How long each of the two requests may take.
    /// - Throws: `KafkaError`, `.unsupportedByEmbeddedBroker` on that one.
    public func alterConfiguration(
        ofTopic topic: String, setting values: [String: String], resetting reset: Set<String> = [],
        within timeout: Duration = defaultTimeout
    ) async throws {
        let current = try await describeConfigurations(ofTopics: [topic], within: timeout)[topic]?.get() ?? [:]
        var wanted: [String: String] = [:]
        for entry in current.values where entry.source == .topic { wanted[entry.name] = entry.value }
        wanted.merge(values) { _, new in new }
        for name in reset { wanted[name] = nil }

        let happened = "Altering the topic's configuration failed"
        var objects = RequestObjects(destroy: rd_kafka_ConfigResource_destroy)
        if let object = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic) {
            objects.append(owning: object)
            for (name, value) in wanted {
                let error = rd_kafka_ConfigResource_set_config(object, name, value)
                if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "\(happened): \(name)", topic: topic) }
            }
        }
        let answer = try await admin.call(RD_KAFKA_ADMIN_OP_ALTERCONFIGS, happened, within: timeout) {
            client, options, queue in
            objects.withArray { rd_kafka_AlterConfigs(client, $0, $1, options, queue) }
        }
        let items = resultItems { count in
            rd_kafka_event_AlterConfigs_result(answer.event).flatMap {
                rd_kafka_AlterConfigs_result_resources($0, count)
            }
        }
        for item in items { if let error = Self.error(of: item, happened) { throw error } }
        try await awaitConfiguration(of: topic, values, reset, within: min(timeout, .seconds(5)))
    }

    /// Waits until the brokers know a change, which they learn from the controller a moment after it has answered.
    ///
    /// Kafka tells nobody when that is, so it is asked again. Without the wait the next change would undo this one.
    private func awaitConfiguration(
        of topic: String, _ values: [String: String], _ reset: Set<String>, within timeout: Duration
    ) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        while clock.now < deadline {
            let found = try await describeConfigurations(ofTopics: [topic], within: timeout)[topic]?.get() ?? [:]
            let isSet = values.allSatisfy { name, value in reset.contains(name) || found[name]?.value == value }
            if isSet, reset.allSatisfy({ found[$0]?.source != .topic }) { return }
            try await clock.sleep(for: .milliseconds(10))
        }
    }

    private func describe(
        _ objects: inout RequestObjects, within timeout: Duration
    ) async throws -> [String: Result<[String: ConfigurationEntry], KafkaError>] {
        let happened = "Describing the configuration failed"
        let answer = try await admin.call(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, happened, within: timeout) {
            client, options, queue in
            objects.withArray { rd_kafka_DescribeConfigs(client, $0, $1, options, queue) }
        }
        let items = resultItems { count in
            rd_kafka_event_DescribeConfigs_result(answer.event).flatMap {
                rd_kafka_DescribeConfigs_result_resources($0, count)
            }
        }
        var results: [String: Result<[String: ConfigurationEntry], KafkaError>] = [:]
        for item in items {
            let name = String(cString: rd_kafka_ConfigResource_name(item))
            if let error = Self.error(of: item, happened) {
                results[name] = .failure(error)
                continue
            }
            let entries = resultItems { rd_kafka_ConfigResource_configs(item, $0) }.map { ConfigurationEntry($0) }
            results[name] = .success(Dictionary(entries.map { ($0.name, $0) }) { first, _ in first })
        }
        return results
    }

    private static func error(of resource: OpaquePointer, _ happened: String) -> KafkaError? {
        let code = KafkaError.Code(rd_kafka_ConfigResource_error(resource))
        guard code.rawValue != 0 else { return nil }
        let text = rd_kafka_ConfigResource_error_string(resource).map { String(cString: $0) } ?? "\(code)"
        return KafkaError(
            code, "\(happened): \(text)", isRetriable: code.isRetriable,
            topic: rd_kafka_ConfigResource_type(resource) == RD_KAFKA_RESOURCE_TOPIC
                ? String(cString: rd_kafka_ConfigResource_name(resource)) : nil)
    }
}

extension ConfigurationEntry {
    fileprivate init(_ entry: OpaquePointer) {
        name = String(cString: rd_kafka_ConfigEntry_name(entry))
        value = rd_kafka_ConfigEntry_value(entry).map { String(cString: $0) }
        isReadOnly = rd_kafka_ConfigEntry_is_read_only(entry) > 0
        isSensitive = rd_kafka_ConfigEntry_is_sensitive(entry) > 0
        source =
            switch rd_kafka_ConfigEntry_source(entry) {
            case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG: .topic
            case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_BROKER_CONFIG, RD_KAFKA_CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER_CONFIG:
                .dynamicBroker
            case RD_KAFKA_CONFIG_SOURCE_STATIC_BROKER_CONFIG: .staticBroker
            case RD_KAFKA_CONFIG_SOURCE_DEFAULT_CONFIG: .kafkaDefault
            default: .unknown
            }
    }
}
