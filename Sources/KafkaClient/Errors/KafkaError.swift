// The one error type of the client.

import CRDKafka

/// What went wrong with Kafka: what happened, where, and what to do next.
///
/// `description` is safe to log: it never contains credentials, keys or values.
public struct KafkaError: Error, Sendable, Hashable {
    /// A stable name for the kind of error.
    ///
    /// New codes may be added: always keep a default case.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// librdkafka's error number (`rd_kafka_resp_err_t`): positive ones are the broker's, negative ones local.
        public let rawValue: Int32

        /// Names the error with librdkafka's number `rawValue`.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        init(_ error: rd_kafka_resp_err_t) { rawValue = error.rawValue }

        /// librdkafka's name of the error, such as `_TIMED_OUT` or `UNKNOWN_TOPIC_OR_PART`.
        public var description: String {
            switch self {
            case .unsupportedByEmbeddedBroker: "UNSUPPORTED_BY_EMBEDDED_BROKER"
            case .invalidConfiguration: "INVALID_CONFIGURATION"
            case .closed: "CLOSED"
            default: String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(rawValue)))
            }
        }

        /// The embedded broker cannot do this; a real Kafka can.
        public static let unsupportedByEmbeddedBroker = Code(rawValue: -100_001)
        /// A configuration property is unknown or has an invalid value.
        public static let invalidConfiguration = Code(rawValue: -100_002)
        /// The client was already shut down.
        public static let closed = Code(rawValue: -100_003)
        /// The operation did not finish in time.
        public static let timedOut = Code(RD_KAFKA_RESP_ERR__TIMED_OUT)
        /// A record was not acknowledged within `delivery.timeout.ms`.
        public static let messageTimedOut = Code(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
        /// The record is larger than the client or the broker allows.
        public static let messageTooLarge = Code(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        /// The local send queue is full.
        public static let queueFull = Code(RD_KAFKA_RESP_ERR__QUEUE_FULL)
        /// The record was dropped before it was sent, by a shutdown or a fatal error.
        public static let purged = Code(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        /// The record was dropped after it was sent and before it was acknowledged, by a shutdown or a fatal error.
        public static let purgedInFlight = Code(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        /// The topic or partition does not exist on the broker.
        public static let unknownTopicOrPartition = Code(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        /// The topic exists already.
        public static let topicAlreadyExists = Code(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        /// The broker's access rules deny the topic.
        public static let topicAuthorizationFailed = Code(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        /// No broker can be reached.
        public static let allBrokersDown = Code(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        /// An argument was refused.
        public static let invalidArgument = Code(RD_KAFKA_RESP_ERR__INVALID_ARG)
        /// The broker refuses the topic's name.
        public static let invalidTopic = Code(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
        /// The connection to a broker broke or could not be made.
        public static let transport = Code(RD_KAFKA_RESP_ERR__TRANSPORT)
        /// A broker's name cannot be resolved.
        static let unresolved = Code(RD_KAFKA_RESP_ERR__RESOLVE)
        /// The broker refused the user name, password or certificate.
        public static let authenticationFailed = Code(RD_KAFKA_RESP_ERR__AUTHENTICATION)
        /// A partition's leader is elsewhere.
        public static let notLeader = Code(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
        /// The broker is being asked too early or is too busy.
        public static let requestTimedOut = Code(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT)
        /// The call does not fit the client's state.
        public static let invalidState = Code(RD_KAFKA_RESP_ERR__STATE)
        /// The client had a fatal error and must be recreated.
        public static let fatal = Code(RD_KAFKA_RESP_ERR__FATAL)
        /// The group's coordinator is still reading its log, as it does after a start; ask again.
        public static let coordinatorLoading = Code(RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
        /// The broker that was asked does not coordinate the group, or not any more.
        public static let notCoordinator = Code(RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
        /// The group is rebalancing; commit again when that has ended.
        public static let rebalanceInProgress = Code(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
        /// The group's generation has passed: the partitions belong to others now.
        public static let illegalGeneration = Code(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
        /// The group does not know the member: it was silent for too long.
        public static let unknownMemberID = Code(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
        /// A commit's metadata is longer than the broker allows (`offset.metadata.max.bytes`, 4,096 by default).
        public static let offsetMetadataTooLarge = Code(RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE)
        /// A transaction is about to commit other offsets; ask again when it has ended.
        public static let unstableOffsetCommit = Code(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
        /// Another producer with the same transactional id took over, or a transaction outlived its time-out.
        public static let fenced = Code(RD_KAFKA_RESP_ERR__FENCED)
    }

    /// The kind of error.
    public var code: Code
    /// What happened, in one sentence.
    public var reason: String
    /// Whether trying the same again may succeed.
    public var isRetriable: Bool
    /// Whether the client that reported it must be recreated.
    public var isFatal: Bool
    /// The topic concerned, where there is one.
    public var topic: String?
    /// The partition concerned, where there is one.
    public var partition: Int32?
    /// The offset concerned, where there is one.
    public var offset: Int64?
    /// What to do next, where that is known.
    public var advice: String?
    /// Whether a record that was not acknowledged may have reached the log all the same.
    public var mayBePersisted = false

    /// Creates an error.
    public init(
        _ code: Code, _ reason: String, isRetriable: Bool = false, isFatal: Bool = false, topic: String? = nil,
        partition: Int32? = nil, offset: Int64? = nil, advice: String? = nil
    ) {
        self.code = code
        self.reason = reason
        self.isRetriable = isRetriable
        self.isFatal = isFatal
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.advice = advice ?? code.standardAdvice
    }

    /// Creates an error from a number of librdkafka's.
    init(
        _ error: rd_kafka_resp_err_t, _ happened: String? = nil, topic: String? = nil, partition: Int32? = nil,
        offset: Int64? = nil
    ) {
        let text = String(cString: rd_kafka_err2str(error))
        self.init(
            Code(error), happened.map { "\($0): \(text)" } ?? text, isRetriable: Code(error).isRetriable,
            isFatal: error == RD_KAFKA_RESP_ERR__FATAL, topic: topic, partition: partition, offset: offset)
    }

    /// Takes over an error object of librdkafka's and destroys it.
    init(consuming error: OpaquePointer, _ happened: String? = nil) {
        defer { rd_kafka_error_destroy(error) }
        let text = String(cString: rd_kafka_error_string(error))
        self.init(
            Code(rd_kafka_error_code(error)), happened.map { "\($0): \(text)" } ?? text,
            isRetriable: rd_kafka_error_is_retriable(error) != 0, isFatal: rd_kafka_error_is_fatal(error) != 0)
    }
}

extension KafkaError: CustomStringConvertible {
    /// What happened, where, and what to do next, in one line.
    public var description: String {
        var text = reason
        var place: [String] = []
        if let topic { place.append("topic \(topic)") }
        if let partition { place.append("partition \(partition)") }
        if let offset { place.append("offset \(offset)") }
        if !place.isEmpty { text += " (\(place.joined(separator: ", ")))" }
        text += " [\(code)]"
        if mayBePersisted { text += ". The record may be in the log all the same" }
        if let advice { text += ". \(advice)" }
        return text
    }
}

extension KafkaError.Code {
    /// Whether a record was dropped because its producer gave up, sent already or not.
    var isPurge: Bool { self == .purged || self == .purgedInFlight }

    /// Whether trying the same again may succeed: transport trouble and the broker's retriable errors.
    var isRetriable: Bool {
        switch rd_kafka_resp_err_t(rawValue) {
        case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT,
            RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__WAIT_COORD,
            RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
            RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
            RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
            true
        default: false
        }
    }

    /// What to do next, for the errors that have one usual cause.
    var standardAdvice: String? {
        switch self {
        case .allBrokersDown, Self(RD_KAFKA_RESP_ERR__TRANSPORT), Self(RD_KAFKA_RESP_ERR__RESOLVE):
            "Check that bootstrap.servers names a running broker and that the network lets this host reach it"
        case .unknownTopicOrPartition, Self(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC),
            Self(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION):
            "Create the topic, or check its name and number of partitions"
        case .topicAuthorizationFailed: "Grant this client the right to the topic in the broker's ACLs"
        case Self(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED): "Grant this client the right to the consumer group"
        case .messageTooLarge:
            "Make the record smaller, or raise message.max.bytes here and max.message.bytes of the topic"
        case .messageTimedOut: "The broker did not acknowledge in time; check its health, then send again"
        case Self(RD_KAFKA_RESP_ERR__AUTHENTICATION): "Check the user name, password and SASL mechanism"
        case Self(RD_KAFKA_RESP_ERR__SSL): "Check the CA certificate and that the port speaks TLS"
        case .unsupportedByEmbeddedBroker: "Use a real Kafka for this: set KAFKA_BOOTSTRAP_SERVERS"
        case .closed: "Create a new client"
        case .fenced:
            "Make a new producer, unless another one has its transactional id; a transaction must not take longer than "
                + "transaction.timeout.ms"
        case .offsetMetadataTooLarge: "Shorten the metadata, or raise offset.metadata.max.bytes of the broker"
        default: nil
        }
    }
}
