// The topics of a simulation: logs in memory, with Kafka's partitioner.

import KafkaClient
import Troupe

/// Topics in memory.
struct SimulatedTopics {
    private var logs: [TopicPartition: [KafkaRecord]] = [:]
    /// Every record of every topic, in the order they were appended in.
    private(set) var records: [WorldRecord] = []
    let partitionCount: Int32

    init(partitionCount: Int) { self.partitionCount = Int32(clamping: partitionCount) }

    /// Appends a record at `now`, in milliseconds since 1970.
    ///
    /// Returns it as it lies in its partition.
    ///
    /// - Parameter spread: Chooses the partition of a record without a key.
    @discardableResult
    mutating func append(_ packed: PackedMessage, now: Int64, isGiven: Bool, spread: UInt64) -> KafkaRecord {
        var packed = packed
        packed.wrapPartition(count: partitionCount)
        let message = packed.message
        let partition =
            message.partition ?? message.key.map { Self.partition(of: $0, count: partitionCount) }
            ?? Int32(spread % UInt64(partitionCount))
        let place = TopicPartition(message.topic, partition)
        let record = KafkaRecord(
            topic: message.topic, partition: partition, offset: end(of: place),
            timestamp: KafkaTimestamp(milliseconds: message.timestamp ?? now), key: message.key, value: message.value,
            headers: message.headers)
        logs[place, default: []].append(record)
        records.append(WorldRecord(record: record, isGiven: isGiven))
        return record
    }

    /// The offset behind the last record.
    func end(of partition: TopicPartition) -> Int64 { Int64(logs[partition]?.count ?? 0) }

    /// The record at an offset below the end.
    func record(_ partition: TopicPartition, _ offset: Int64) -> KafkaRecord? {
        guard let log = logs[partition], log.indices.contains(Int(offset)) else { return nil }
        return log[Int(offset)]
    }

    /// The partition of a key by the default partitioner of Kafka's Java client, which Troupe's producers use:
    /// murmur2 without its sign bit, modulo the number of partitions.
    static func partition(of key: [UInt8], count: Int32) -> Int32 {
        Int32(bitPattern: murmur2(key) & 0x7fff_ffff) % count
    }

    /// MurmurHash2 (Austin Appleby) of 32 bits with Kafka's seed.
    private static func murmur2(_ bytes: [UInt8]) -> UInt32 {
        let multiplier: UInt32 = 0x5bd1_e995
        var hash = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        var index = 0
        while index + 4 <= bytes.count {
            var word = (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << UInt32($1 * 8) }
            word &*= multiplier
            word ^= word >> 24
            hash = (hash &* multiplier) ^ (word &* multiplier)
            index += 4
        }
        if index < bytes.count {
            for place in index..<bytes.count { hash ^= UInt32(bytes[place]) << UInt32((place - index) * 8) }
            hash &*= multiplier
        }
        hash = (hash ^ hash >> 13) &* multiplier
        return hash ^ hash >> 15
    }
}
