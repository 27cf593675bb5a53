// The queue of one assigned partition.

import CRDKafka

/// What a partition's queue had.
public enum PartitionPoll: Sendable {
    /// The next record.
    case record(KafkaRecord)
    /// The partition cannot be read now, as the error says; reading goes on by itself when it is retriable.
    indirect case failed(KafkaError)
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
            // A fetch event carries one message; it owns the message, hence the copy.
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH, let message = rd_kafka_event_message_next(event)
            else { continue }
            switch message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR: return .record(KafkaRecord(copying: message, topic: topic))
            case RD_KAFKA_RESP_ERR__PARTITION_EOF: continue
            case let error:
                return .failed(
                    KafkaError(
                        error, "Reading failed", topic: topic, partition: topicPartition.partition,
                        offset: message.pointee.offset >= 0 ? message.pointee.offset : nil))
            }
        }
        return .empty
    }
}
