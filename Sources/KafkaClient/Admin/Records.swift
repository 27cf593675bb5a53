// Deletes the oldest records of partitions.

import CRDKafka

extension KafkaAdmin {
    /// Deletes the records of partitions that lie before an offset, with a result for each: the partition's new first
    /// offset.
    ///
    /// The partition's leader forgets them at once; an offset behind the partition's end is an error of the partition.
    ///
    /// - Parameters:
    ///   - offsets: For each partition the offset of the first record to keep; `nil` keeps none.
    ///   - timeout: How long to wait.
    /// - Throws: `KafkaError` when the request as a whole fails, `.unsupportedByEmbeddedBroker` on that one.
    public func deleteRecords(
        before offsets: [TopicPartition: Int64?], within timeout: Duration = defaultTimeout
    ) async throws -> [TopicPartition: Result<Int64, KafkaError>] {
        guard !offsets.isEmpty else { return [:] }
        for (partition, offset) in offsets {
            try partition.validate()
            if let offset, offset < 0 {
                throw KafkaError(
                    .invalidArgument, "An offset is not negative", topic: partition.topic,
                    partition: partition.partition, offset: offset)
            }
        }
        try await refuseOnEmbeddedBroker("delete records", within: timeout)
        let happened = "Deleting records failed"
        let answer = try await admin.call(
            RD_KAFKA_ADMIN_OP_DELETERECORDS, happened, within: timeout
        ) { client, options, queue in
            let list = PartitionList(
                offsets.map { CommittedOffset($0.key, offset: $0.value ?? Int64(RD_KAFKA_OFFSET_END)) })
            var objects = RequestObjects(destroy: rd_kafka_DeleteRecords_destroy)
            if let object = rd_kafka_DeleteRecords_new(list.pointer) { objects.append(owning: object) }
            objects.withArray { rd_kafka_DeleteRecords(client, $0, $1, options, queue) }
        }
        guard
            let pointer = rd_kafka_event_DeleteRecords_result(answer.event)
                .flatMap({ rd_kafka_DeleteRecords_result_offsets($0) })
        else { throw KafkaError(.invalidState, "\(happened): the answer names no partition") }
        let list = PartitionList(copying: pointer)
        var results: [TopicPartition: Result<Int64, KafkaError>] = [:]
        for (index, offset) in list.offsets.enumerated() {
            let partition = offset.topicPartition
            let error = list.pointer.pointee.elems[index].err
            results[partition] =
                error == RD_KAFKA_RESP_ERR_NO_ERROR
                ? .success(offset.offset)
                : .failure(KafkaError(error, happened, topic: partition.topic, partition: partition.partition))
        }
        return results
    }
}
