// Manages topics and groups: the client, and what a cluster is made of.

import CRDKafka
import Synchronization

/// Manages topics, their configuration, groups and their offsets.
///
/// Requests about several things give a result for each of them. On the embedded broker, what it cannot do fails at
/// once with `KafkaError.Code.unsupportedByEmbeddedBroker`.
///
/// ```swift
/// let admin = try KafkaAdmin(configuration)
/// try await admin.createTopic(NewTopic("orders", partitions: 8))
/// ```
public final class KafkaAdmin: Sendable {
    /// How long requests may take unless they say otherwise.
    public static let defaultTimeout: Duration = .seconds(30)

    let admin: AdminClient
    let configuration: KafkaConfiguration
    private let knownClusterID = Mutex<String?>(nil)

    /// Creates an admin client.
    ///
    /// It connects at its first request.
    ///
    /// - Throws: `KafkaError` with `.invalidConfiguration` that names the property.
    public init(_ configuration: KafkaConfiguration) throws {
        self.configuration = configuration
        admin = try AdminClient(configuration)
    }

    /// The cluster's id.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    public func clusterID(within timeout: Duration = defaultTimeout) async throws -> String {
        if let known = knownClusterID.withLock({ $0 }) { return known }
        let client = admin.client
        let id = try await runBlocking(named: "kafka-admin-call") { try client.clusterID(within: timeout) }
        knownClusterID.withLock { $0 = id }
        return id
    }

    /// Whether the cluster is the embedded broker.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    public func isEmbeddedBroker(within timeout: Duration = defaultTimeout) async throws -> Bool {
        if let known = configuration.isEmbeddedBroker { return known }
        return try await clusterID(within: timeout).hasPrefix(EmbeddedBroker.clusterIDPrefix)
    }

    /// The cluster's id, controller and brokers.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    public func describeCluster(within timeout: Duration = defaultTimeout) async throws -> ClusterDescription {
        let id = try await clusterID(within: timeout)
        let client = admin.client
        return try await runBlocking(named: "kafka-admin-call") {
            let metadata = try ClusterMetadata(client, within: timeout)
            let controller = rd_kafka_controllerid(client.pointer, timeout.inMillisecondsC)
            return ClusterDescription(
                id: id, controllerID: controller >= 0 ? controller : nil, brokers: metadata.brokers)
        }
    }

    /// Throws when the cluster is the embedded broker, which cannot do `what`.
    func refuseOnEmbeddedBroker(_ what: String, topic: String? = nil, within timeout: Duration) async throws {
        guard try await isEmbeddedBroker(within: timeout) else { return }
        throw KafkaError(.unsupportedByEmbeddedBroker, "The embedded broker cannot \(what)", topic: topic)
    }
}

/// A cluster's id, controller and brokers.
public struct ClusterDescription: Sendable, Hashable {
    /// The cluster's id.
    public var id: String
    /// The id of the broker that is the controller, where it is known.
    public var controllerID: Int32?
    /// The brokers, by id.
    public var brokers: [BrokerDescription]
}

/// A broker's id and address.
public struct BrokerDescription: Sendable, Hashable {
    /// The broker's id.
    public var id: Int32
    /// The broker's host, as it tells clients.
    public var host: String
    /// The broker's port.
    public var port: Int
}

/// Owns the metadata of a cluster and destroys it.
struct ClusterMetadata: ~Copyable {
    private let pointer: UnsafePointer<rd_kafka_metadata>

    /// Asks for all topics, or for one.
    ///
    /// Blocks.
    ///
    /// Asking for one topic makes it, where the broker allows that.
    init(_ client: ClientHandle, topic: String? = nil, within timeout: Duration) throws {
        var handle: OpaquePointer?
        if let topic {
            handle = rd_kafka_topic_new(client.pointer, topic, nil)
            if handle == nil { throw KafkaError(rd_kafka_last_error(), "The topic name was refused", topic: topic) }
        }
        defer { if let handle { rd_kafka_topic_destroy(handle) } }
        var found: UnsafePointer<rd_kafka_metadata>?
        let error = rd_kafka_metadata(client.pointer, topic == nil ? 1 : 0, handle, &found, timeout.inMillisecondsC)
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let found else {
            if error == RD_KAFKA_RESP_ERR__TRANSPORT { throw client.unreachable(after: timeout) }
            throw KafkaError(error, "Asking for the cluster's metadata failed")
        }
        pointer = found
    }

    deinit { rd_kafka_metadata_destroy(pointer) }

    var brokers: [BrokerDescription] {
        (0..<Int(pointer.pointee.broker_cnt)).map { index in
            let broker = pointer.pointee.brokers[index]
            return BrokerDescription(id: broker.id, host: String(cString: broker.host), port: Int(broker.port))
        }.sorted { $0.id < $1.id }
    }

    var topics: [String: Result<TopicDescription, KafkaError>] {
        var topics: [String: Result<TopicDescription, KafkaError>] = [:]
        for index in 0..<Int(pointer.pointee.topic_cnt) {
            let topic = pointer.pointee.topics[index]
            let name = String(cString: topic.topic)
            if topic.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                topics[name] = .failure(KafkaError(topic.err, "Describing the topic failed", topic: name))
                continue
            }
            let partitions = (0..<Int(topic.partition_cnt)).map { index in
                let partition = topic.partitions[index]
                return PartitionDescription(
                    id: partition.id, leader: partition.leader >= 0 ? partition.leader : nil,
                    replicas: (0..<Int(partition.replica_cnt)).map { partition.replicas[$0] },
                    inSyncReplicas: (0..<Int(partition.isr_cnt)).map { partition.isrs[$0] })
            }
            topics[name] = .success(TopicDescription(name: name, partitions: partitions.sorted { $0.id < $1.id }))
        }
        return topics
    }
}
