// The requests about a group's offsets, which differ only in the functions that make, send and read them.

import CRDKafka

/// A kind of request about a group's offsets: librdkafka's functions for it.
///
/// `@unchecked Sendable`: the functions are C's, or closures that capture nothing.
struct GroupOffsetsRequest: @unchecked Sendable {
    typealias Partitions = UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
    typealias Objects = UnsafeMutablePointer<OpaquePointer?>

    let operation: rd_kafka_admin_op_t
    let make: (UnsafePointer<CChar>, Partitions?) -> OpaquePointer?
    let destroy: (OpaquePointer) -> Void
    let send: (_ client: OpaquePointer, Objects?, Int, _ options: OpaquePointer, _ queue: OpaquePointer) -> Void
    let groups: (_ event: OpaquePointer, _ count: UnsafeMutablePointer<Int>) -> Objects?

    static let list = GroupOffsetsRequest(
        operation: RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
        make: { rd_kafka_ListConsumerGroupOffsets_new($0, $1) },
        destroy: { rd_kafka_ListConsumerGroupOffsets_destroy($0) },
        send: { rd_kafka_ListConsumerGroupOffsets($0, $1, $2, $3, $4) },
        groups: { event, count in
            rd_kafka_event_ListConsumerGroupOffsets_result(event).flatMap {
                rd_kafka_ListConsumerGroupOffsets_result_groups($0, count)
            }
        })

    static let alter = GroupOffsetsRequest(
        operation: RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
        make: { rd_kafka_AlterConsumerGroupOffsets_new($0, $1) },
        destroy: { rd_kafka_AlterConsumerGroupOffsets_destroy($0) },
        send: { rd_kafka_AlterConsumerGroupOffsets($0, $1, $2, $3, $4) },
        groups: { event, count in
            rd_kafka_event_AlterConsumerGroupOffsets_result(event).flatMap {
                rd_kafka_AlterConsumerGroupOffsets_result_groups($0, count)
            }
        })

    static let delete = GroupOffsetsRequest(
        operation: RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS,
        make: { rd_kafka_DeleteConsumerGroupOffsets_new($0, $1) },
        destroy: { rd_kafka_DeleteConsumerGroupOffsets_destroy($0) },
        send: { rd_kafka_DeleteConsumerGroupOffsets($0, $1, $2, $3, $4) },
        groups: { event, count in
            rd_kafka_event_DeleteConsumerGroupOffsets_result(event).flatMap {
                rd_kafka_DeleteConsumerGroupOffsets_result_groups($0, count)
            }
        })

    /// Sends the request for one group; `nil` stands for all its partitions.
    ///
    /// librdkafka copies what it needs before this returns.
    func send(
        group: String, _ partitions: borrowing PartitionList?, _ client: OpaquePointer, _ options: OpaquePointer,
        _ queue: OpaquePointer
    ) {
        var objects = RequestObjects(destroy: destroy)
        let object: OpaquePointer?
        switch partitions {
        case .some(let list): object = make(group, list.pointer)
        case .none: object = make(group, nil)
        }
        if let object { objects.append(owning: object) }
        objects.withArray { send(client, $0, $1, options, queue) }
    }

    /// Calls `body` with each partition of the answer and its error, if any.
    ///
    /// - Throws: The error of the request as a whole.
    func read(
        _ event: OpaquePointer, _ happened: String, _ body: (CommittedOffset, rd_kafka_resp_err_t) -> Void
    ) throws(KafkaError) {
        for item in resultItems({ groups(event, $0) }) {
            if let error = rd_kafka_group_result_error(item) { throw KafkaError(reading: error, happened) }
            guard let pointer = rd_kafka_group_result_partitions(item) else { continue }
            let list = PartitionList(copying: pointer)
            for (index, offset) in list.offsets.enumerated() { body(offset, list.pointer.pointee.elems[index].err) }
        }
    }

    /// The offsets of an answer to `list`, of the partitions that have one.
    ///
    /// - Throws: The error of the request as a whole or of a partition.
    func offsets(_ event: OpaquePointer, _ happened: String) throws(KafkaError) -> [CommittedOffset] {
        var offsets: [CommittedOffset] = []
        var failure: KafkaError?
        try read(event, happened) { offset, error in
            if error != RD_KAFKA_RESP_ERR_NO_ERROR {
                let partition = offset.topicPartition
                failure =
                    failure ?? KafkaError(error, happened, topic: partition.topic, partition: partition.partition)
            } else if offset.offset >= 0 {
                offsets.append(offset)
            }
        }
        if let failure { throw failure }
        return offsets
    }
}
