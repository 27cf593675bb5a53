// From a configuration to the properties of one client: defaults, what the cluster wants, checks.

import CRDKafka

/// What a client is for, which decides the properties that concern it.
package enum ClientRole: Sendable, Hashable {
    /// It produces.
    case producer
    /// It produces in transactions; a client with the same transactional id shuts out the one before.
    case transactionalProducer(id: String)
    /// It consumes; without a group it neither joins one nor commits.
    case consumer(group: String?)
    /// It reads partitions to their end, without a group, as a `TailReader`.
    case tailReader(KafkaConfiguration.Isolation)
    /// It manages topics and groups.
    case admin

    fileprivate func wants(_ scope: PropertyCatalogue.Scope) -> Bool {
        switch (self, scope) {
        case (_, .both), (.producer, .producer), (.transactionalProducer, .producer), (.consumer, .consumer),
            (.tailReader, .consumer):
            true
        default: false
        }
    }
}

extension KafkaConfiguration {
    /// The properties for a client of this role, checked: the defaults of this client under those that are set.
    ///
    /// - Throws: `KafkaError` with `.invalidConfiguration` that names the property.
    package func librdkafkaProperties(for role: ClientRole) throws(KafkaError) -> [(String, String)] {
        guard !bootstrapServers.isEmpty else {
            throw .invalidProperty(
                "bootstrap.servers", "is not set",
                advice: "Set KAFKA_BOOTSTRAP_SERVERS or KafkaConfiguration.bootstrapServers to host:port of a broker")
        }
        if let problem = BootstrapServers.problem(with: bootstrapServers) {
            throw .invalidProperty(
                "bootstrap.servers", problem, advice: "It takes host:port, several separated by commas")
        }
        var effective = defaults(for: role)
        effective.merge(properties)
        if case .consumer(let group) = role {
            // librdkafka wants a group of every high-level consumer; one that assigns by hand never joins it.
            effective["group.id"] = group ?? properties["group.id"] ?? "troupe-without-group"
        }
        if case .tailReader(let isolation) = role {
            effective.merge([
                "group.id": "troupe-without-group", "enable.partition.eof": "true",
                "isolation.level": isolation.rawValue, "auto.offset.reset": "earliest",
                // The end is told by the answer to a fetch that found nothing, which waits as long as this.
                "fetch.wait.max.ms": "5",
            ])
            effective["group.instance.id"] = nil
        }
        // A producer with a transactional id refuses every record outside a transaction: it takes a role of its own.
        effective["transactional.id"] = nil
        if case .transactionalProducer(let id) = role {
            if isEmbeddedBroker == true { throw .transactionsNotEmbedded }
            guard !id.isEmpty else { throw .invalidProperty("transactional.id", "is empty") }
            effective["transactional.id"] = id
        }
        try checkProperties(effective)
        try checkSecurity(effective)
        return effective.names.compactMap { name in
            guard let value = effective[name], role.wants(PropertyCatalogue.current.scopes[name] ?? .both) else {
                return nil
            }
            return (name, value)
        }
    }

    private func defaults(for role: ClientRole) -> KafkaProperties {
        var defaults: KafkaProperties = ["client.id": "troupe"]
        if Workaround.nagleByDefault.isNeeded() { defaults["socket.nagle.disable"] = "true" }
        switch role {
        case .producer, .transactionalProducer:
            defaults.merge([
                "enable.idempotence": "true", "acks": "all", "linger.ms": "0", "partitioner": "murmur2_random",
            ])
            if case .transactionalProducer = role {
                // Records wait for the commit anyway. A coordinator that is busy with the transaction before asks to be
                // asked again: with the default back-off every such commit takes 100 ms longer.
                defaults.merge(["linger.ms": "5", "retry.backoff.ms": "5"])
            }
        case .consumer, .tailReader:
            defaults.merge([
                "enable.auto.commit": "false", "enable.auto.offset.store": "false", "auto.offset.reset": "earliest",
                "partition.assignment.strategy": assignor, "topic.metadata.refresh.interval.ms": "30000",
            ])
            if Workaround.longPrefetchQueues.isNeeded() {
                defaults["queued.min.messages"] = "100000"
            } else {
                defaults.merge(["queued.min.messages": "50000", "fetch.queue.backoff.ms": "10"])
            }
            if isEmbeddedBroker == true {
                // The embedded broker rebalances after session.timeout.ms - 1 s, and new records do not wake a fetch.
                defaults.merge([
                    "session.timeout.ms": "3100", "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "5",
                ])
            }
        case .admin:
            break
        }
        return defaults
    }

    /// The embedded broker takes commits during a drain only under cooperative-sticky, and aborts when a group mixes
    /// assignors; a real Kafka loses all partitions of a cooperative member in older versions (`rangeAssignor`).
    private var assignor: String {
        if isEmbeddedBroker == true { return "cooperative-sticky" }
        return Workaround.rangeAssignor.isNeeded() ? "range" : "cooperative-sticky"
    }

    /// Sets every property on a scratch configuration, so that the library itself judges names and values.
    private func checkProperties(_ properties: KafkaProperties) throws(KafkaError) {
        guard let scratch = rd_kafka_conf_new() else { return }
        defer { rd_kafka_conf_destroy(scratch) }
        for name in properties.names {
            guard let value = properties[name] else { continue }
            if name.contains("\0") || value.contains("\0") {
                throw .invalidProperty(name, "contains a NUL character")
            }
            var text = [CChar](repeating: 0, count: 512)
            switch rd_kafka_conf_set(scratch, name, value, &text, text.count) {
            case RD_KAFKA_CONF_OK: continue
            case RD_KAFKA_CONF_UNKNOWN:
                throw .unknownProperty(name)
            default:
                // librdkafka's own text may repeat the value.
                throw .invalidProperty(
                    name,
                    KafkaProperties.isCredential(name) ? "has an invalid value" : "is invalid: \(String(cBuffer: text))"
                )
            }
        }
    }

    private func checkSecurity(_ properties: KafkaProperties) throws(KafkaError) {
        let connection = properties["security.protocol"]?.lowercased() ?? "plaintext"
        let features = PropertyCatalogue.current.features
        if connection.hasSuffix("ssl"), !features.contains("ssl") {
            throw .invalidProperty("security.protocol", "asks for TLS, which this librdkafka was built without")
        }
        guard connection.hasPrefix("sasl") else { return }
        let mechanism = properties["sasl.mechanism"] ?? "GSSAPI"
        if mechanism.hasPrefix("SCRAM"), Workaround.brokenSCRAM.isNeeded() {
            throw .invalidProperty(
                "sasl.mechanism",
                "asks for \(mechanism), which librdkafka \(LibrdkafkaVersion.current) gets wrong "
                    + "(confluentinc/librdkafka#4895): Kafka 4 refuses it",
                advice: "Use librdkafka \(Workaround.brokenSCRAM.fixedIn) or newer, or PLAIN over TLS")
        }
        if mechanism == "PLAIN" || mechanism.hasPrefix("SCRAM") {
            for name in ["sasl.username", "sasl.password"] where properties[name]?.isEmpty != false {
                throw .invalidProperty(name, "is not set, though sasl.mechanism is \(mechanism)")
            }
        }
        if mechanism == "OAUTHBEARER", properties["sasl.oauthbearer.method"] == "oidc", !features.contains("oidc") {
            throw .invalidProperty(
                "sasl.oauthbearer.method", "asks for oidc, which this librdkafka was built without",
                advice: "Use a librdkafka that was built with libcurl")
        }
    }
}

extension KafkaError {
    /// An error that names a property.
    static func invalidProperty(_ name: String, _ problem: String, advice: String? = nil) -> KafkaError {
        KafkaError(.invalidConfiguration, "Configuration property \(name) \(problem)", advice: advice)
    }

    /// An error that names a property the linked librdkafka does not know.
    static func unknownProperty(_ name: String) -> KafkaError {
        let suggestion = PropertyCatalogue.current.suggestion(for: name)
        return .invalidProperty(
            name, "is unknown to librdkafka \(LibrdkafkaVersion.current)",
            advice: suggestion.map { "Did you mean \($0)?" }
                ?? "See CONFIGURATION.md of librdkafka for the names it knows")
    }
}

extension String {
    /// The text in a C buffer, up to its NUL.
    init(cBuffer: [CChar]) {
        self.init(decoding: cBuffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
