// Reads partitions from an offset to their present end, without a group, for an owner that polls.

import CRDKafka

/// What a `TailReader` had.
package enum TailEvent {
    /// The next record of its partition.
    case record(KafkaRecord)
    /// Everything before `offset` was read; the partition is not read any further.
    case end(TopicPartition, offset: Int64)
    /// Something cannot be read now; reading goes on by itself when the error is retriable.
    indirect case failed(KafkaError)
}

/// Reads partitions from an offset to their present end, without a group, for an owner that polls.
///
/// It never waits, and wakes the owner when there is something. The end is what the partition's leader names in answer
/// to a fetch that was sent after `read`: under `read_uncommitted` the high watermark, under `read_committed` the first
/// offset of a transaction that is still open, if there is one (KIP-98). Make it of the properties for the role
/// `.tailReader`. Not thread-safe: one owner at a time.
package final class TailReader {
    private let consumer: PolledConsumer
    private var queues: [PartitionQueue] = []
    private var turn = 0

    /// Creates a reader from librdkafka properties.
    package init(properties: [(String, String)], waker: Waker) throws {
        consumer = try PolledConsumer(properties: properties, waker: waker)
    }

    /// The partitions whose end was not reached yet.
    package var partitions: [TopicPartition] { queues.map(\.topicPartition) }

    /// Whether nothing waits to be drained.
    package var isEmpty: Bool { consumer.isEmpty && queues.allSatisfy(\.isEmpty) }

    /// Starts reading partitions, each from an offset; those that are being read already go on.
    ///
    /// An offset that is no longer kept stands for the oldest one that is.
    ///
    /// - Throws: `KafkaError` with `.invalidArgument` for a partition that is being read, and others.
    package func read(from starts: [TopicPartition: Int64]) throws {
        guard !starts.isEmpty else { return }
        for queue in queues where starts[queue.topicPartition] != nil {
            throw KafkaError(
                .invalidArgument, "The partition is being read already", topic: queue.topicPartition.topic,
                partition: queue.topicPartition.partition)
        }
        let list = PartitionList(starts.map { CommittedOffset($0.key, offset: max(0, $0.value)) })
        // The queues are cut loose before assigning, so that no record ever goes to the common queue.
        let added = list.partitions.compactMap { consumer.partitionQueue($0) }
        if let error = rd_kafka_incremental_assign(consumer.client.pointer, list.pointer) {
            throw KafkaError(consuming: error, "Starting to read partitions failed")
        }
        queues += added
    }

    /// Stops reading partitions; what was fetched of them is dropped.
    package func stop(_ partitions: [TopicPartition]) {
        let stopped = queues.map(\.topicPartition).filter { partitions.contains($0) }
        guard !stopped.isEmpty else { return }
        queues.removeAll { stopped.contains($0.topicPartition) }
        let list = PartitionList(stopped)
        if let error = rd_kafka_incremental_unassign(consumer.client.pointer, list.pointer) {
            rd_kafka_error_destroy(error)
        }
    }

    /// Hands out what waits, at most `limit` records, and returns how many events that were.
    ///
    /// Records of a partition come in their order, its end last; partitions take turns. Drain until it returns 0, look at
    /// `isEmpty` once more, then sleep.
    package func drain(limit: Int = 256, _ body: (TailEvent) -> Void) -> Int {
        var count = 0
        while let event = consumer.nextEvent() {
            guard case .error(let error) = event else { continue }
            body(.failed(error))
            count += 1
        }
        var idle = 0
        while idle < queues.count, count < limit {
            turn = (turn + 1) % queues.count
            let queue = queues[turn]
            let before = count
            partition: while count < limit {
                switch queue.poll() {
                case .record(let record): body(.record(record))
                case .failed(let error): body(.failed(error))
                case .end(let offset):
                    stop([queue.topicPartition])
                    body(.end(queue.topicPartition, offset: offset))
                    count += 1
                    break partition
                case .empty: break partition
                }
                count += 1
            }
            idle = count == before ? idle + 1 : 0
        }
        return count
    }
}
