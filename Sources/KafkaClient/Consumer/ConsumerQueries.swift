// What a consumer can ask the brokers. Each call blocks its thread.

import CRDKafka

extension ClientHandle {
    /// The group's committed offsets, of the partitions that have one.
    func committed(
        _ partitions: [TopicPartition], within timeout: Duration
    ) throws(KafkaError) -> [TopicPartition: CommittedOffset] {
        guard !partitions.isEmpty else { return [:] }
        let list = PartitionList(partitions)
        let error = rd_kafka_committed(pointer, list.pointer, timeout.inMillisecondsC)
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "Asking for committed offsets failed") }
        if let error = list.firstError { throw error }
        return list.offsets.reduce(into: [:]) { found, offset in
            if offset.offset >= 0 { found[offset.topicPartition] = offset }
        }
    }

    /// The first and the next offset of partitions.
    func watermarks(
        _ partitions: [TopicPartition], within timeout: Duration
    ) throws -> [TopicPartition: Result<Watermarks, KafkaError>] {
        // Kafka's ListOffsets takes -2 and -1 for the times of the first and the next record.
        let low = try offsets(of: partitions.map { ($0, -2) }, within: timeout)
        let high = try offsets(of: partitions.map { ($0, -1) }, within: timeout)
        return low.reduce(into: [:]) { results, entry in
            results[entry.key] = entry.value.flatMap { low in
                (high[entry.key] ?? .failure(KafkaError(.timedOut, "The end of the partition is not known")))
                    .map { Watermarks(low: low, high: $0) }
            }
        }
    }
}
