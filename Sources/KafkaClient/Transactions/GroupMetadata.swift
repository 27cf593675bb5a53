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

    /// Whether the consumer was a member of its group, with a subscription and a generation.
    ///
    /// A consumer of partitions chosen by hand never is. One that has lost its membership unawares, by a session that timed out, has no member id until it joins again. A
    /// broker takes offsets without a member id from anybody (they are those of producers before KIP-447), so that
    /// they would be committed over those of the partitions' new owners.
    public var isMember: Bool {
        var buffer: UnsafeMutableRawPointer?
        var size = 0
        if let error = rd_kafka_consumer_group_metadata_write(pointer, &buffer, &size) {
            rd_kafka_error_destroy(error)
            return false
        }
        guard let buffer else { return false }
        defer { rd_kafka_mem_free(nil, buffer) }
        return Self.namesMember(UnsafeRawBufferPointer(start: buffer, count: size))
    }

    /// Reads librdkafka's serialised form, which has no other accessor: `CGMDv2:`, the generation as a native 32-bit
    /// integer, and group and member id, each ended by a zero byte.
    static func namesMember(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let magic = Array("CGMDv2:".utf8)
        guard bytes.starts(with: magic), bytes.count > magic.count + 4 else {
            // Another form than is known: the broker has to judge.
            return true
        }
        let generation = bytes.loadUnaligned(fromByteOffset: magic.count, as: Int32.self)
        let names = bytes[(magic.count + 4)...].split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        return generation >= 0 && names.count > 1 && !names[1].isEmpty
    }
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
