// The queue of one assigned partition.

import CRDKafka

/// What a partition's queue had.
public enum PartitionPoll: Sendable {
    /// The next record.
    case record(KafkaRecord)
    /// The partition cannot be read now, as the error says; reading goes on by itself when it is retriable.
    indirect case failed(KafkaError)
    /// Everything up to `offset`, that of the next record to come, was read. Only with `enable.partition.eof`.
    case end(offset: Int64)
    /// Nothing now.
    case empty
}

/// The queue of one assigned partition, to be polled by the consumer's owner.
///
/// Not taking from it is all the back-pressure there is to a partition: no pausing, no loss of what is prefetched,
/// and the other partitions are not held up.
public final class PartitionQueue {
    /// The partition whose records arrive here.
    public let topicPartition: TopicPartition
    private let queue: EventQueue
    private let topic: String

    init(_ topicPartition: TopicPartition, queue: EventQueue) {
        self.topicPartition = topicPartition
        self.queue = queue
        topic = topicPartition.topic
    }

    /// Whether nothing waits in the queue.
    public var isEmpty: Bool { queue.isEmpty }

    /// Takes the next record without waiting.
    public func poll() -> PartitionPoll {
        while let event = queue.poll() {
            defer { rd_kafka_event_destroy(event) }
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_FETCH:
                // A fetch event carries one message; it owns the message, hence the copy.
                guard let message = rd_kafka_event_message_next(event) else { continue }
                let error = message.pointee.err
                if error == RD_KAFKA_RESP_ERR_NO_ERROR { return .record(KafkaRecord(copying: message, topic: topic)) }
                return outcome(error, offset: message.pointee.offset)
            case RD_KAFKA_EVENT_ERROR: return outcome(rd_kafka_event_error(event), offset: Self.offset(of: event))
            default: continue
            }
        }
        return .empty
    }

    private func outcome(_ error: rd_kafka_resp_err_t, offset: Int64) -> PartitionPoll {
        if error == RD_KAFKA_RESP_ERR__PARTITION_EOF { return .end(offset: offset) }
        return .failed(
            KafkaError(
                error, "Reading failed", topic: topic, partition: topicPartition.partition,
                offset: offset >= 0 ? offset : nil))
    }

    /// The offset an error event speaks of, or below zero.
    private static func offset(of event: OpaquePointer) -> Int64 {
        guard let place = rd_kafka_event_topic_partition(event) else { return -1 }
        defer { rd_kafka_topic_partition_destroy(place) }
        return place.pointee.offset
    }
}
