// A broker inside this process, for demos and tests: librdkafka's mock cluster.

import CRDKafka

/// A Kafka broker inside this process that clients in this and other processes on the same machine can use.
///
/// It is librdkafka's mock cluster, which speaks the real protocol on 127.0.0.1. It is made for demos and tests:
///
/// - Everything is in memory and gone when the process ends.
/// - Each partition keeps at most 5 MiB of batches as they were sent, or 100,000 batches; older ones vanish silently.
/// - It has no transactions, no deduplication, no offsets by time, no access rights and no topic configuration.
/// - Topics are made by the process that owns the broker, with any number of partitions; a topic that a client asks
///   for and nobody made gets `defaultPartitions`.
/// - A group forms in about three seconds, and each rebalance takes `session.timeout.ms` less one second.
///
/// ```swift
/// let broker = try EmbeddedBroker(topics: ["orders": 8])
/// let producer = try KafkaProducer(broker.configuration)
/// ```
///
/// `@unchecked Sendable`: the mock cluster's calls are carried out by its own thread, so any thread may make them.
public final class EmbeddedBroker: @unchecked Sendable {
    /// The number of partitions of a topic that a client asks for and nobody made.
    public static let defaultPartitions = 4

    /// What the embedded broker's cluster id begins with.
    static let clusterIDPrefix = "mockCluster"

    /// One sentence for people who run on the embedded broker.
    public static let notice = """
        The embedded broker keeps everything in memory and at most 5 MiB per partition: \
        for demos and tests, not for production
        """

    /// The ids of the brokers, from 1.
    public let brokerIDs: [Int32]
    /// The brokers' addresses, as `host:port` separated by commas, for clients in this and other processes.
    public let bootstrapServers: String
    private let client: OpaquePointer
    private let cluster: OpaquePointer
    /// The brokers' ports on 127.0.0.1.
    private let ports: [UInt16]

    /// Starts an embedded broker.
    ///
    /// - Parameters:
    ///   - brokers: How many brokers the cluster has, 1 to 16.
    ///   - topics: Topics to make, each with its number of partitions.
    /// - Throws: `KafkaError` when an argument is out of range or no port can be opened.
    public init(brokers: Int = 1, topics: [String: Int] = [:]) throws(KafkaError) {
        guard (1...16).contains(brokers) else {
            throw KafkaError(.invalidArgument, "An embedded broker has 1 to 16 brokers, not \(brokers)")
        }
        guard let configuration = rd_kafka_conf_new() else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "Starting the embedded broker failed")
        }
        rd_kafka_conf_set_log_cb(configuration, nil)
        guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else {
            rd_kafka_conf_destroy(configuration)
            throw KafkaError(rd_kafka_last_error(), "Starting the embedded broker failed")
        }
        guard let cluster = rd_kafka_mock_cluster_new(client, Int32(brokers)),
            let addresses = rd_kafka_mock_cluster_bootstraps(cluster)
        else {
            rd_kafka_destroy(client)
            throw KafkaError(
                RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "Opening the embedded broker's ports on 127.0.0.1 failed")
        }
        self.client = client
        self.cluster = cluster
        bootstrapServers = String(cString: addresses)
        ports = bootstrapServers.split(separator: ",").compactMap { address in
            address.split(separator: ":").last.flatMap { UInt16($0) }
        }
        brokerIDs = (1...Int32(brokers)).map { $0 }
        for (name, partitions) in topics.sorted(by: { $0.key < $1.key }) {
            try createTopic(name, partitions: partitions)
        }
    }

    deinit {
        command { rd_kafka_mock_cluster_destroy(cluster) }
        rd_kafka_destroy(client)
    }

    /// Carries out what the cluster's own thread does.
    private func command<Value>(_ call: () -> Value) -> Value { CommandWatch.shared.carryOut(on: ports, call) }

    /// A configuration for clients of this broker.
    public var configuration: KafkaConfiguration {
        var configuration = KafkaConfiguration(bootstrapServers: bootstrapServers)
        configuration.isEmbeddedBroker = true
        return configuration
    }

    /// Makes a topic.
    ///
    /// - Throws: `KafkaError` with `.topicAlreadyExists`, or `.invalidTopic` for a name Kafka would refuse, or
    ///   `.invalidArgument` for a number of partitions outside 1 to 10,000.
    public func createTopic(_ name: String, partitions: Int = EmbeddedBroker.defaultPartitions) throws(KafkaError) {
        try TopicName.validate(name)
        guard (1...10_000).contains(partitions) else {
            throw KafkaError(
                .invalidArgument, "A topic has 1 to 10,000 partitions here, not \(partitions)", topic: name)
        }
        let result = command {
            rd_kafka_mock_topic_create(cluster, name, Int32(partitions), Int32(min(brokerIDs.count, 3)))
        }
        try check(result, "Making a topic failed", topic: name)
    }

    private func check(
        _ result: rd_kafka_resp_err_t, _ happened: String, topic: String? = nil, partition: Int32? = nil
    ) throws(KafkaError) {
        guard result != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw KafkaError(result, happened, topic: topic, partition: partition)
    }
}

// MARK: Faults

extension EmbeddedBroker {
    /// A kind of request, named as in Kafka's protocol, that can be made to fail.
    public struct Request: RawRepresentable, Sendable, Hashable {
        /// Kafka's number of the request (its API key).
        public let rawValue: Int16

        /// Names the request with Kafka's number `rawValue`.
        public init(rawValue: Int16) { self.rawValue = rawValue }

        /// Records are produced.
        public static let produce = Request(rawValue: 0)
        /// Records are fetched.
        public static let fetch = Request(rawValue: 1)
        /// Offsets are looked up.
        public static let listOffsets = Request(rawValue: 2)
        /// Topics and brokers are looked up.
        public static let metadata = Request(rawValue: 3)
        /// Offsets are committed.
        public static let offsetCommit = Request(rawValue: 8)
        /// Committed offsets are fetched.
        public static let offsetFetch = Request(rawValue: 9)
        /// A group's coordinator is looked up.
        public static let findCoordinator = Request(rawValue: 10)
        /// A group is joined.
        public static let joinGroup = Request(rawValue: 11)
        /// A member says that it is alive.
        public static let heartbeat = Request(rawValue: 12)
        /// A group's assignment is handed out.
        public static let syncGroup = Request(rawValue: 14)
        /// A producer asks for its id.
        public static let initProducerID = Request(rawValue: 22)
    }

    /// Makes the next requests of a kind fail, one for each error, on whichever broker they come to.
    ///
    /// Pick errors Kafka would give for the request; `.transport` drops the connection.
    public func failNext(_ request: Request, with errors: [KafkaError.Code]) {
        let errors = errors.map { rd_kafka_resp_err_t($0.rawValue) }
        guard !errors.isEmpty else { return }
        rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, errors.count, errors)
    }

    /// Makes the next requests of a kind to one broker slow, and fail where an error is given.
    ///
    /// - Throws: `KafkaError` when there is no such broker.
    public func delayNext(
        _ request: Request, by delay: Duration, count: Int = 1, failingWith error: KafkaError.Code? = nil,
        onBroker broker: Int32 = 1
    ) throws(KafkaError) {
        let error = rd_kafka_resp_err_t(error?.rawValue ?? 0)
        for _ in 0..<max(count, 0) {
            let result = troupe_mock_push_error(cluster, broker, request.rawValue, error, delay.inMillisecondsC)
            try check(result, "Setting up a fault on broker \(broker) failed")
        }
    }

    /// Withdraws the failures of a kind that have not come about yet.
    public func clearFailures(of request: Request) { rd_kafka_mock_clear_request_errors(cluster, request.rawValue) }

    /// Makes every lookup of a topic answer with an error; `nil` ends that.
    ///
    /// - Throws: `KafkaError` with `.invalidTopic` for a name Kafka would refuse.
    public func setError(_ error: KafkaError.Code?, forTopic topic: String) throws(KafkaError) {
        try TopicName.validate(topic)
        command { rd_kafka_mock_topic_set_error(cluster, topic, rd_kafka_resp_err_t(error?.rawValue ?? 0)) }
    }

    /// Delays every answer of a broker, or of all of them.
    ///
    /// - Throws: `KafkaError` when there is no such broker.
    public func setRoundTripTime(_ time: Duration, onBroker broker: Int32? = nil) throws(KafkaError) {
        for id in broker.map({ [$0] }) ?? brokerIDs {
            try check(
                command { rd_kafka_mock_broker_set_rtt(cluster, id, max(time, .zero).inMillisecondsC) },
                "Setting the round-trip time of broker \(id) failed")
        }
    }

    /// Cuts the connections of a broker, or of all of them, and takes no new ones until `bringUp`.
    ///
    /// The leaders of its partitions do not change.
    ///
    /// - Throws: `KafkaError` when there is no such broker.
    public func takeDown(broker: Int32? = nil) throws(KafkaError) {
        for id in broker.map({ [$0] }) ?? brokerIDs {
            try check(command { rd_kafka_mock_broker_set_down(cluster, id) }, "Taking broker \(id) down failed")
        }
    }

    /// Lets a broker, or all of them, take connections again.
    ///
    /// - Throws: `KafkaError` when there is no such broker.
    public func bringUp(broker: Int32? = nil) throws(KafkaError) {
        for id in broker.map({ [$0] }) ?? brokerIDs {
            try check(command { rd_kafka_mock_broker_set_up(cluster, id) }, "Bringing broker \(id) up failed")
        }
    }

    /// Makes a broker the leader of a partition; `nil` leaves the partition without one.
    ///
    /// - Throws: `KafkaError` when there is no such broker or partition.
    public func setLeader(of partition: TopicPartition, to broker: Int32?) throws(KafkaError) {
        try TopicName.validate(partition.topic)
        let result = command {
            rd_kafka_mock_partition_set_leader(cluster, partition.topic, partition.partition, broker ?? -1)
        }
        try check(result, "Moving a leader failed", topic: partition.topic, partition: partition.partition)
    }
}
