// Where reading a partition begins, and the control of a polled consumer that takes it.

import CRDKafka

/// Where reading a partition begins.
public enum StartingPoint: Sendable, Hashable {
    /// At the group's committed offset, else as `auto.offset.reset` says.
    case committed
    /// At the oldest record.
    case earliest
    /// At the next record.
    case latest
    /// At the record with this offset.
    case offset(Int64)

    /// librdkafka's number for it.
    var offset: Int64 {
        switch self {
        case .committed: Int64(RD_KAFKA_OFFSET_STORED)
        case .earliest: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .latest: Int64(RD_KAFKA_OFFSET_END)
        case .offset(let offset): max(0, offset)
        }
    }
}

extension PolledConsumer {
    /// Assigns partitions by hand, in place of all others, and returns a queue for each.
    func assign(_ starts: [TopicPartition: StartingPoint]) throws -> [PartitionQueue] {
        try assign(PartitionList(starts.map { CommittedOffset($0.key, offset: $0.value.offset) }))
    }

    /// Goes on reading assigned partitions elsewhere.
    ///
    /// What was prefetched is dropped.
    package func seek(_ starts: [TopicPartition: StartingPoint]) throws {
        let list = PartitionList(starts.map { CommittedOffset($0.key, offset: $0.value.offset) })
        // A local operation, quick but for a busy client; older versions take the time-out for microseconds.
        let milliseconds: Int32 = Workaround.generousSeekTimeout.isNeeded() ? 5_000_000 : 5_000
        if let error = rd_kafka_seek_partitions(client.pointer, list.pointer, milliseconds) {
            throw KafkaError(consuming: error, "Seeking failed")
        }
        if let error = list.firstError { throw error }
    }
}
