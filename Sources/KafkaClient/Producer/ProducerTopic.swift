// A topic that is produced to: librdkafka's handle, and what is in flight to each of its partitions.

import CRDKafka
import Synchronization

/// A topic of one producer.
///
/// `@unchecked Sendable`: librdkafka's topic may be used from any thread, and so may the windows.
final class ProducerTopic: @unchecked Sendable {
    let name: String
    let handle: OpaquePointer
    /// What is in flight, where it is counted.
    let windows: TopicWindows?

    /// Makes the topic known to `client`; `nil` when librdkafka refuses it.
    init?(_ name: String, client: OpaquePointer, windows: TopicWindows?) {
        let configuration = windows.flatMap { windows -> OpaquePointer? in
            let configuration = rd_kafka_default_topic_conf_dup(client)
            rd_kafka_topic_conf_set_opaque(configuration, windows.opaque)
            rd_kafka_topic_conf_set_partitioner_cb(configuration) { topic, key, length, count, windows, opaque in
                windows.map {
                    TopicWindows.from($0).choosePartition(topic, key, length, count: count, opaque: opaque)
                } ?? RD_KAFKA_PARTITION_UA
            }
            return configuration
        }
        // Takes the configuration over, whether it succeeds or not.
        guard let handle = rd_kafka_topic_new(client, name, configuration) else { return nil }
        self.name = name
        self.handle = handle
        // A topic that librdkafka knew already keeps the configuration it had.
        self.windows = rd_kafka_topic_opaque(handle) == windows?.opaque ? windows : nil
    }

    deinit { rd_kafka_topic_destroy(handle) }
}

/// The windows of a topic's partitions, as librdkafka's callbacks see them.
///
/// `@unchecked Sendable`: the pointer is set once, and the windows may be used from any thread.
final class TopicWindows: @unchecked Sendable {
    typealias Window = PartitionWindow<HeldRecord>

    /// Partitions beyond as many share a window: their records may wait for each other.
    private static let count = 128

    private let windows: UnsafeMutablePointer<Window>
    private let partitioner: Partitioner
    /// How many partitions there were when librdkafka chose one last; 0 before.
    private let partitionCount = Atomic<Int32>(0)

    init(partitioner: Partitioner) {
        self.partitioner = partitioner
        windows = .allocate(capacity: Self.count)
        for index in 0..<Self.count { (windows + index).initialize(to: Window(limit: SendWindow.limit)) }
    }

    deinit {
        windows.deinitialize(count: Self.count)
        windows.deallocate()
    }

    /// What librdkafka's callbacks get; the windows must outlive the client.
    var opaque: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static func from(_ opaque: UnsafeMutableRawPointer) -> TopicWindows {
        Unmanaged<TopicWindows>.fromOpaque(opaque).takeUnretainedValue()
    }

    /// The window of a partition, which is there for as long as this object.
    func window(_ partition: Int32) -> UnsafeMutablePointer<Window> { windows + Int(partition) % Self.count }

    /// How many records are in flight to all partitions, as far as they are counted.
    var inFlightCount: Int { (0..<Self.count).reduce(0) { $0 + windows[$1].inFlightCount } }

    func forEach(_ body: (UnsafeMutablePointer<Window>) -> Void) {
        for index in 0..<Self.count { body(windows + index) }
    }

    /// The window of the partition that a record will go to; `nil` where that is not known before.
    ///
    /// Should the topic have got more partitions the moment before, it may be another partition's: then the record waits
    /// in vain, or is not held where it could be.
    func window(partition: Int32, key: UnsafeRawPointer?, keyLength: Int) -> UnsafeMutablePointer<Window>? {
        if partition >= 0 { return window(partition) }
        let count = partitionCount.load(ordering: .relaxed)
        if count == 1 { return window(0) }
        guard count > 0, let key, keyLength >= 0 else { return nil }
        return window(partitioner.function(nil, key, keyLength, count, nil, nil))
    }

    /// Chooses a record's partition, in the thread that produces it or in one of librdkafka's.
    ///
    /// From then on the record is in flight.
    fileprivate func choosePartition(
        _ topic: OpaquePointer?, _ key: UnsafeRawPointer?, _ length: Int, count: Int32, opaque: UnsafeMutableRawPointer?
    ) -> Int32 {
        let partition = partitioner.function(topic, key, length, count, nil, opaque)
        if partitionCount.load(ordering: .relaxed) != count { partitionCount.store(count, ordering: .relaxed) }
        guard partition >= 0 else { return partition }
        window(partition).pointee.add()
        return partition
    }

    /// Produces a record, and counts it as in flight if it is.
    func produce(_ partition: Int32, _ body: () -> rd_kafka_resp_err_t) -> rd_kafka_resp_err_t {
        // The report may come before the call returns: the record counts from before it. Where librdkafka chooses, it counts
        // from then, and does not fail any more.
        guard partition >= 0 else { return body() }
        window(partition).pointee.add()
        let error = body()
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { _ = window(partition).pointee.settle() }
        return error
    }
}

/// A partitioner of librdkafka's that goes by the key alone where there is one.
struct Partitioner: Sendable {
    typealias Function =
        @convention(c) (
            OpaquePointer?, UnsafeRawPointer?, Int, Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32

    let function: Function

    /// The partitioner that librdkafka's property `partitioner` names, if it is one of these.
    ///
    /// Those that do not choose at random without a key are left to librdkafka, which treats such records differently
    /// where it calls back.
    init?(named name: String?) {
        switch name {
        case "murmur2_random": function = rd_kafka_msg_partitioner_murmur2_random
        case "fnv1a_random": function = rd_kafka_msg_partitioner_fnv1a_random
        default: return nil
        }
    }
}
