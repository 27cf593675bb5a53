// The one owner of a librdkafka list of partitions.

import CRDKafka

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Owns a `rd_kafka_topic_partition_list_t` and destroys it.
struct PartitionList: ~Copyable {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// Creates an empty list with room for `capacity` partitions.
    init(capacity: Int) {
        // Allocation failure ends the process inside librdkafka; the pointer is never null.
        pointer = rd_kafka_topic_partition_list_new(Int32(capacity))
    }

    /// Takes over a list of librdkafka's.
    init(owning pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) { self.pointer = pointer }

    /// Copies a list that librdkafka keeps.
    init(copying pointer: UnsafePointer<rd_kafka_topic_partition_list_t>) {
        self.pointer = rd_kafka_topic_partition_list_copy(pointer)
    }

    /// A list of whole topics, as a subscription takes.
    init(topics: [String]) {
        self.init(capacity: topics.count)
        for topic in topics { rd_kafka_topic_partition_list_add(pointer, topic, RD_KAFKA_PARTITION_UA) }
    }

    /// A list of partitions without offsets.
    init(_ partitions: [TopicPartition]) {
        self.init(capacity: partitions.count)
        for partition in partitions {
            rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition)
        }
    }

    /// A list of partitions with offsets and metadata.
    init(_ offsets: [CommittedOffset]) {
        self.init(capacity: offsets.count)
        for offset in offsets { append(offset) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    /// Appends a partition with an offset and, if any, metadata.
    func append(_ offset: CommittedOffset) {
        guard
            let element = rd_kafka_topic_partition_list_add(
                pointer, offset.topicPartition.topic, offset.topicPartition.partition)
        else { return }
        element.pointee.offset = offset.offset
        guard let metadata = offset.metadata, !metadata.isEmpty, let copy = strdup(metadata) else { return }
        // The list owns the metadata from here on and frees it.
        element.pointee.metadata = UnsafeMutableRawPointer(copy)
        element.pointee.metadata_size = metadata.utf8.count
    }

    var count: Int { Int(pointer.pointee.cnt) }

    /// The partitions, in the list's order.
    var partitions: [TopicPartition] {
        (0..<count).map { index in
            let element = pointer.pointee.elems[index]
            return TopicPartition(String(cString: element.topic), element.partition)
        }
    }

    /// The partitions with their offsets and metadata; an offset below zero means that there is none.
    var offsets: [CommittedOffset] {
        (0..<count).map { index in
            let element = pointer.pointee.elems[index]
            var metadata: String?
            if let bytes = element.metadata, element.metadata_size > 0 {
                metadata = String(
                    decoding: UnsafeRawBufferPointer(start: bytes, count: element.metadata_size), as: UTF8.self)
            }
            return CommittedOffset(
                TopicPartition(String(cString: element.topic), element.partition), offset: element.offset,
                metadata: metadata)
        }
    }

    /// The first error of any partition in the list.
    var firstError: KafkaError? {
        for index in 0..<count {
            let element = pointer.pointee.elems[index]
            if element.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                return KafkaError(
                    element.err, topic: String(cString: element.topic), partition: element.partition,
                    offset: element.offset >= 0 ? element.offset : nil)
            }
        }
        return nil
    }
}
