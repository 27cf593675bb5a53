// How a service reaches Kafka and behaves: code, with the environment over it.

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif
public import KafkaClient

/// Whether a service makes the topics it needs.
public enum TopicProvisioning: String, Sendable, Hashable, CaseIterable {
    /// Topics that are missing are created at the start: retry and dead-letter topics with their partitions and
    /// configuration, others with the broker's defaults.
    case create
    /// Topics that are missing are an error at the start.
    case verify
}

/// What happens to events whose type no route of the service names.
public enum UnroutedEvents: Sendable, Hashable {
    /// They are skipped before anything is decoded, and counted: a new event type disturbs nobody.
    case skip
    /// They are dead-lettered.
    case deadLetter
}

/// What a service promises of the effects of an event on Kafka.
public enum DeliveryGuarantee: String, Sendable, Hashable, CaseIterable {
    /// Every event is handled, and what it led to is published, at least once; repetitions carry the same ids.
    case atLeastOnce = "at-least-once"
    /// Follow-on events, retry records, dead letters and offsets are in Kafka transactions: for readers of committed
    /// records each event's effects are there once.
    ///
    /// What a handler does beside Kafka may still be done again. Not on the embedded broker.
    case exactlyOnce = "exactly-once"
}

/// How a service reaches Kafka and behaves.
///
/// Environment variables go over what the code says:
///
/// | Variable | Meaning |
/// |---|---|
/// | `KAFKA_...` | see `KafkaConfiguration.init(file:environment:over:)` |
/// | `TROUPE_NAMESPACE` | `namespace` |
/// | `TROUPE_CONSUMER_GROUP` | `consumerGroup` |
/// | `TROUPE_DELIVERY` | `delivery`: `at-least-once` or `exactly-once` |
/// | `TROUPE_INSTANCE` | `instance` |
/// | `TROUPE_SERVICE_VERSION` | `version` |
/// | `TROUPE_SERVICE_ENDPOINT` | `endpoint` |
/// | `TROUPE_TRACKING` | `tracking.isEnabled`: `on` or `off` |
/// | `TROUPE_PROVISIONING` | `provisioning`: `create` or `verify` |
/// | `TROUPE_MAX_CONCURRENT_HANDLERS` | `engine.maxConcurrentHandlers` |
/// | `TROUPE_MAX_RECORDS_IN_FLIGHT` | `engine.maxRecordsInFlight` |
/// | `TROUPE_DRAIN_TIMEOUT_MS` | `engine.drainTimeout`, in milliseconds |
/// | `TROUPE_COMMIT_INTERVAL_MS` | `engine.commitInterval`, in milliseconds |
/// | `LOG_LEVEL`, `LOG_FORMAT` | see `Logger.init(label:)` |
///
/// A value that cannot be used is an error at the start. Another variable that begins with `TROUPE_` is told in the log as
/// a warning, without its value, and so is one that is spelt almost like one of the above.
public struct ServiceConfiguration: Sendable {
    /// How the service reaches Kafka.
    public var kafka: KafkaConfiguration
    /// The consumer group; the service's name when `nil`.
    public var consumerGroup: String?
    /// What is put before the name of every topic, group and transactional id, such as `staging.`.
    public var namespace = ""
    /// What the service promises of the effects of an event on Kafka.
    public var delivery = DeliveryGuarantee.atLeastOnce
    /// The name of this instance of the service among those that run at the same time, such as the ordinal of a pod.
    ///
    /// With `.exactlyOnce` it is part of the transactional id: an instance that comes back under its name ends at once
    /// what it left open when it was killed. Without a name that takes until the transaction times out
    /// (`kafka.transactionTimeout`, 10 s). Two instances must never run under one name: they shut each other out.
    public var instance: String?
    /// What the service calls its version, such as `2.4.1`; empty when it does not say.
    public var version = ""
    /// Where this instance can be reached, as a URL, such as that of its health check; `nil` when it cannot.
    public var endpoint: String?
    /// What the service tells of itself, for whoever wants to see the whole flow.
    public var tracking = TrackingSettings()
    /// Whether the service makes the topics it needs.
    public var provisioning = TopicProvisioning.create
    /// What happens to events whose type no route names.
    public var unroutedEvents = UnroutedEvents.skip
    /// Retry delays up to this one are waited for in place; longer ones in the retry topic.
    public var inPlaceRetryLimit: Duration = .seconds(1)
    /// Names of headers whose values are not written to dead-letter topics; case makes no difference.
    public var redactedHeaders: Set<String> = []
    /// Where values go that are too large for records; nowhere when `nil`.
    public var claimCheck: ClaimCheckPolicy?
    /// What is wrapped around every handling, the outermost first.
    public var middleware: [any EventMiddleware] = []
    /// The engine's bounds and times.
    public var engine = EngineSettings()
    /// Where log lines go; standard error when `nil`.
    public var logger: Logger?
    /// The environment that goes over all this; empty for none.
    public var environment: [String: String]
    /// Watches what becomes of each record; `nil` for nobody.
    package var observer: (any ProcessingObserver)?

    /// Creates a configuration.
    ///
    /// - Parameters:
    ///   - kafka: How the service reaches Kafka; `KAFKA_BOOTSTRAP_SERVERS` suffices when nothing is given.
    ///   - environment: What goes over the code; the process's environment by default.
    public init(
        kafka: KafkaConfiguration = KafkaConfiguration(),
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.kafka = kafka
        self.environment = environment
    }

    /// The same configuration with the environment applied.
    ///
    /// - Throws: `StartupError` or `KafkaError` that name the variable or property.
    package func resolved() throws -> ServiceConfiguration {
        var copy = self
        copy.environment = [:]
        copy.kafka = try KafkaConfiguration(environment: environment, over: kafka)
        if let value = environment[.namespace] { copy.namespace = value }
        if let value = environment[.consumerGroup] { copy.consumerGroup = value }
        if let value = environment[.instance], !value.isEmpty { copy.instance = value }
        if let value = environment[.serviceVersion] { copy.version = value }
        if let value = environment[.serviceEndpoint], !value.isEmpty { copy.endpoint = value }
        if let value = environment[.tracking], !value.isEmpty {
            guard ["on", "off"].contains(value) else {
                throw StartupError(["TROUPE_TRACKING is \"\(value)\"; it takes on or off"])
            }
            copy.tracking.isEnabled = value == "on"
        }
        if let value = environment[.delivery] {
            guard let delivery = DeliveryGuarantee(rawValue: value) else {
                throw StartupError(["TROUPE_DELIVERY is \"\(value)\"; it takes at-least-once or exactly-once"])
            }
            copy.delivery = delivery
        }
        if let value = environment[.provisioning] {
            guard let provisioning = TopicProvisioning(rawValue: value) else {
                throw StartupError(["TROUPE_PROVISIONING is \"\(value)\"; it takes create or verify"])
            }
            copy.provisioning = provisioning
        }
        if let value = try number(.maxConcurrentHandlers) { copy.engine.maxConcurrentHandlers = value }
        if let value = try number(.maxRecordsInFlight) { copy.engine.maxRecordsInFlight = value }
        if let value = try number(.drainTimeout) { copy.engine.drainTimeout = .milliseconds(value) }
        if let value = try number(.commitInterval) { copy.engine.commitInterval = .milliseconds(value) }
        return copy
    }

    private func number(_ variable: EnvironmentVariable) throws -> Int? {
        guard let text = environment[variable], !text.isEmpty else { return nil }
        guard let value = Int(text), value > 0 else {
            throw StartupError(["\(variable.rawValue) is \"\(text)\"; it takes a whole number above zero"])
        }
        return value
    }

    /// What the functional core needs to know of this.
    package func processorSettings(logger: Logger, maxMessageBytes: Int) -> ProcessorSettings {
        var settings = ProcessorSettings()
        settings.namespace = namespace
        settings.consumerGroup = consumerGroup
        settings.unroutedEvents = unroutedEvents == .skip ? .skip : .deadLetter
        settings.inPlaceRetryLimit = inPlaceRetryLimit
        settings.redactedHeaders = redactedHeaders
        settings.claimCheck = claimCheck
        settings.middleware = middleware
        settings.maxMessageBytes = maxMessageBytes
        settings.logger = logger
        settings.observer = observer
        return settings
    }
}
