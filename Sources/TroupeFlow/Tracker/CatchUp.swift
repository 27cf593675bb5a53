// Somebody who waits until everything there was when they asked is in the store: pure state.

import KafkaClient

/// Somebody who waits until everything there was when they asked is in the store.
///
/// Under steady traffic there is no moment at which every partition is at its end: each counts when it was read to the end
/// that it had, or when its leader says that there is nothing more. The latter also stands for the end where the last records
/// belong to an open transaction, or are the markers of one.
struct CatchUp: Sendable {
    /// Where the partitions end that are waited for.
    private var ends: [TopicPartition: Int64]
    /// Where the partitions end that were not read so far yet.
    private(set) var remaining: [TopicPartition: Int64]
    /// Why partitions cannot be read whose end nobody could tell.
    let unreadable: [TopicPartition: KafkaError]
    /// Whether what was read is in the store.
    var isWritten = false
    /// Resolved when all of it is in the store, and judged.
    let promise = Promise<Void>()

    init(to ends: [TopicPartition: Int64], unreadable: [TopicPartition: KafkaError] = [:]) {
        self.ends = ends
        remaining = ends
        self.unreadable = unreadable
    }

    /// Whether nothing is left to read.
    var isRead: Bool { remaining.isEmpty }

    /// Notes that everything before an offset was read of a partition, and says whether that was waited for.
    mutating func noteReached(_ partition: TopicPartition, _ next: Int64) -> Bool {
        guard let end = remaining[partition] else { return false }
        if next >= end { remaining[partition] = nil }
        return true
    }

    /// Waits for all of it again, because reading begins again where the store stands.
    mutating func beginAgain() {
        remaining = ends
        isWritten = false
    }

    /// Waits for a partition no longer.
    mutating func giveUp(_ partition: TopicPartition) {
        ends[partition] = nil
        remaining[partition] = nil
    }
}
