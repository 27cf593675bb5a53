// A consumer's standing in its group, which a transaction shows when it commits the group's offsets.

import CRDKafka

/// A consumer's standing in its group at one moment: group, member and generation.
///
/// A transaction shows it when it commits the group's offsets, so that the broker can refuse a member that has lost its
/// partitions (KIP-447). Take a fresh one for every transaction.
///
/// `@unchecked Sendable`: librdkafka's object is never changed.
public final class GroupMetadata: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes over an object of librdkafka's.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }
}

extension ClientHandle {
    /// The consumer's standing in its group, as its own thread knows it.
    ///
    /// Waits for librdkafka's thread, not for the network.
    func groupMetadata() throws(KafkaError) -> GroupMetadata {
        guard let metadata = rd_kafka_consumer_group_metadata(pointer) else {
            throw KafkaError(.invalidState, "A consumer without a group has no standing in one")
        }
        return GroupMetadata(owning: metadata)
    }
}

extension PolledConsumer {
    /// The consumer's standing in its group now, for a transaction that commits its offsets.
    ///
    /// It waits for librdkafka's own thread, some microseconds, and not for the network. It is accepted also for
    /// partitions this member has lost meanwhile: send offsets of partitions it owns only.
    ///
    /// - Throws: `KafkaError` with `.invalidState` for a consumer without a group.
    public func groupMetadata() throws(KafkaError) -> GroupMetadata { try client.groupMetadata() }
}
