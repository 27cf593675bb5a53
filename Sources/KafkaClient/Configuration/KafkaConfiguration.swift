// How a client is set up: typed for what people set, raw librdkafka properties for the rest.

/// How a client connects to Kafka and behaves.
///
/// There is one store, `properties`; the typed settings are views of it. So a setting from a file or the environment
/// and one made in code are the same thing, and every property of librdkafka can be set.
///
/// ```swift
/// var configuration = KafkaConfiguration(bootstrapServers: "kafka-1:9092,kafka-2:9092")
/// configuration.security = .sasl(.plain(username: "orders", password: Secret(password)))
/// configuration.properties["socket.keepalive.enable"] = "true"
/// ```
///
/// What is not set has this client's default: idempotent producing acknowledged by all replicas, no lingering, a
/// partitioner that agrees with Java's, consuming from the earliest record, and no automatic commit.
public struct KafkaConfiguration: Sendable, Hashable {
    /// The properties that are set, by librdkafka's names.
    public var properties: KafkaProperties

    /// Whether the cluster is the embedded broker, which wants other settings than a real Kafka; `nil` for unknown.
    ///
    /// `detectingEmbeddedBroker(within:)` finds out. While it is unknown, the settings are those for a real Kafka.
    public var isEmbeddedBroker: Bool?

    /// Creates a configuration with the addresses of one or more brokers, as `host:port` separated by commas.
    public init(bootstrapServers: String = "", properties: KafkaProperties = [:]) {
        self.properties = properties
        if !bootstrapServers.isEmpty { self.properties["bootstrap.servers"] = bootstrapServers }
    }

    /// The addresses of one or more brokers, as `host:port` separated by commas (`bootstrap.servers`).
    public var bootstrapServers: String {
        get { properties["bootstrap.servers"] ?? "" }
        set { properties["bootstrap.servers"] = newValue.isEmpty ? nil : newValue }
    }

    /// The name the broker's logs and quotas know the client by (`client.id`).
    public var clientID: String? {
        get { properties["client.id"] }
        set { properties["client.id"] = newValue }
    }

    /// How the connection is protected and the client proves who it is.
    public var security: KafkaSecurity {
        get { KafkaSecurity(reading: properties) }
        set { newValue.write(to: &properties) }
    }

    /// How long a producer waits for more records before it sends a batch, in whole milliseconds (`linger.ms`).
    public var linger: Duration? {
        get { duration("linger.ms") }
        set { setDuration("linger.ms", newValue) }
    }

    /// How a producer compresses batches (`compression.type`).
    public var compression: Compression? {
        get { properties["compression.type"].flatMap { Compression(rawValue: $0) } }
        set { properties["compression.type"] = newValue?.rawValue }
    }

    /// How long a record may take to be acknowledged before its send fails (`delivery.timeout.ms`).
    public var deliveryTimeout: Duration? {
        get { duration("delivery.timeout.ms") }
        set { setDuration("delivery.timeout.ms", newValue) }
    }

    /// The size of the largest record a producer sends, in bytes (`message.max.bytes`).
    public var maxMessageBytes: Int? {
        get { properties["message.max.bytes"].flatMap { Int($0) } }
        set { properties["message.max.bytes"] = newValue.map { String($0) } }
    }

    /// How many records a producer's local queue holds before `send` suspends (`queue.buffering.max.messages`).
    public var producerQueueCapacity: Int? {
        get { properties["queue.buffering.max.messages"].flatMap { Int($0) } }
        set { properties["queue.buffering.max.messages"] = newValue.map { String($0) } }
    }

    /// The id that makes a producer transactional (`transactional.id`).
    ///
    /// Of two producers with the same id only the younger one can commit. It should outlive the process, so that a
    /// restarted one ends what it left open.
    public var transactionalID: String? {
        get { properties["transactional.id"] }
        set { properties["transactional.id"] = newValue }
    }

    /// How long a transaction may be open before the broker aborts it, which shuts its producer out
    /// (`transaction.timeout.ms`, at least a second).
    ///
    /// Readers of committed records wait as long for a producer that was killed and does not come back.
    public var transactionTimeout: Duration? {
        get { duration("transaction.timeout.ms") }
        set { setDuration("transaction.timeout.ms", newValue) }
    }

    /// Where a group without a committed offset starts (`auto.offset.reset`).
    public var offsetReset: OffsetReset? {
        get { properties["auto.offset.reset"].flatMap { OffsetReset(rawValue: $0) } }
        set { properties["auto.offset.reset"] = newValue?.rawValue }
    }

    /// Whether a consumer sees records of open and aborted transactions (`isolation.level`).
    public var isolation: Isolation? {
        get { properties["isolation.level"].flatMap { Isolation(rawValue: $0) } }
        set { properties["isolation.level"] = newValue?.rawValue }
    }

    /// How long a member may be silent before its group goes on without it (`session.timeout.ms`).
    public var sessionTimeout: Duration? {
        get { duration("session.timeout.ms") }
        set { setDuration("session.timeout.ms", newValue) }
    }

    /// How long a consumer may go without polling before it leaves its group (`max.poll.interval.ms`).
    public var maxPollInterval: Duration? {
        get { duration("max.poll.interval.ms") }
        set { setDuration("max.poll.interval.ms", newValue) }
    }

    /// The member's fixed name in its group, which spares a rebalance when it restarts (`group.instance.id`).
    public var groupInstanceID: String? {
        get { properties["group.instance.id"] }
        set { properties["group.instance.id"] = newValue }
    }

    /// How often statistics are gathered (`statistics.interval.ms`); `nil` for never.
    public var statisticsInterval: Duration? {
        get { duration("statistics.interval.ms") }
        set { setDuration("statistics.interval.ms", newValue) }
    }

    /// How batches are compressed.
    public enum Compression: String, Sendable, Hashable, CaseIterable {
        /// Not at all.
        case none
        /// gzip: smallest for old brokers, slow.
        case gzip
        /// snappy: fast.
        case snappy
        /// LZ4: fast.
        case lz4
        /// Zstandard: small and fast; Kafka 2.1 and newer.
        case zstd
    }

    /// Where a group without a committed offset starts.
    public enum OffsetReset: String, Sendable, Hashable, CaseIterable {
        /// At the oldest record.
        case earliest
        /// At the next record.
        case latest
        /// Nowhere: it is an error.
        case error
    }

    /// Which records of transactions are seen.
    public enum Isolation: String, Sendable, Hashable, CaseIterable {
        /// Those of committed transactions only.
        case readCommitted = "read_committed"
        /// All of them.
        case readUncommitted = "read_uncommitted"
    }

    private func duration(_ name: String) -> Duration? {
        properties[name].flatMap { Int64($0) }.map { .milliseconds($0) }
    }

    private mutating func setDuration(_ name: String, _ value: Duration?) {
        properties[name] = value.map { String($0.inMilliseconds) }
    }
}

extension KafkaConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// The properties that are set, credentials hidden.
    public var description: String { "KafkaConfiguration(\(properties))" }
    /// The same as `description`.
    public var debugDescription: String { description }
}

extension Duration {
    /// Whole milliseconds, rounded up so that a short duration does not become none.
    var inMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let rounded = attoseconds / 1_000_000_000_000_000 + (attoseconds % 1_000_000_000_000_000 > 0 ? 1 : 0)
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (seconds < 0 ? .min : .max) : product.addingReportingOverflow(rounded).partialValue
    }

    /// The same as a C `int`, at most its largest value.
    var inMillisecondsC: Int32 { Int32(clamping: inMilliseconds) }
}
