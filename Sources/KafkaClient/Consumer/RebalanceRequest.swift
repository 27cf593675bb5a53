// What a group asks of a member, and how librdkafka is answered.

import CRDKafka

/// A rebalance that waits for its answer.
///
/// `@unchecked Sendable`: nothing changes it, and it has one owner at a time, at last the thread that ends the consumer.
final class RebalanceRequest: @unchecked Sendable {
    /// The partitions that come or go.
    let list: PartitionList
    /// Whether they come.
    let isAssignment: Bool

    /// Takes the request out of a rebalance event; `nil` for another event.
    init?(_ event: OpaquePointer) {
        guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE,
            let pointer = rd_kafka_event_topic_partition_list(event)
        else { return nil }
        list = PartitionList(copying: pointer)
        isAssignment = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
    }

    /// Takes the partitions, or gives them up.
    func answer(by client: ClientHandle) throws {
        switch (client.rebalanceProtocol, isAssignment) {
        case (.cooperative, true):
            if let error = rd_kafka_incremental_assign(client.pointer, list.pointer) {
                throw KafkaError(consuming: error, "Accepting partitions failed")
            }
        case (.cooperative, false):
            if let error = rd_kafka_incremental_unassign(client.pointer, list.pointer) {
                throw KafkaError(consuming: error, "Giving up partitions failed")
            }
        case (.eager, true), (.none, true):
            let error = rd_kafka_assign(client.pointer, list.pointer)
            if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "Accepting partitions failed") }
        case (.eager, false), (.none, false):
            let error = rd_kafka_assign(client.pointer, nil)
            if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "Giving up partitions failed") }
        }
    }
}

extension ClientHandle {
    /// How the group moves partitions.
    var rebalanceProtocol: PolledConsumer.RebalanceProtocol {
        guard let name = rd_kafka_rebalance_protocol(pointer) else { return .none }
        switch String(cString: name) {
        case "COOPERATIVE": return .cooperative
        case "EAGER": return .eager
        default: return .none
        }
    }

    /// The id the group's coordinator gave this member; `nil` before it joined and after it left.
    var memberID: String? {
        guard let text = rd_kafka_memberid(pointer) else { return nil }
        defer { rd_kafka_mem_free(pointer, text) }
        return text.pointee == 0 ? nil : String(cString: text)
    }
}
