// How the engine commits offsets.

import KafkaClient

extension ServiceEngine {
    /// Whether any partition has something to commit.
    var hasUncommitted: Bool { partitions.contains { $0.uncommitted != nil } }

    func commitIfDue() {
        guard !commitUnderWay, revocation == nil, phase == .running else { return }
        let now = EngineClock.monotonic
        guard now >= nextCommit else { return }
        nextCommit = now + settings.commitInterval.nanoseconds
        commit(partitions)
    }

    func commit(_ states: [PartitionState]) {
        let offsets = states.compactMap(\.uncommitted)
        guard !offsets.isEmpty else { return }
        do {
            try consumer.commit(offsets)
            commitUnderWay = true
        } catch {
            logger.warning("Committing failed; it is tried again", metadata: [LogKey.error: "\(error)"])
        }
    }

    func committed(_ offsets: [CommittedOffset], _ error: KafkaError?) {
        commitUnderWay = false
        if let error {
            // A later commit covers the same offsets; after a rebalance the new owner reads them again.
            if error.code == .rebalanceInProgress {
                // Another commit would be caught by the new generation, which makes cooperative members of librdkafka
                // before 2.10 lose everything (librdkafka#4059): none until the rebalance has come or passed.
                nextCommit = EngineClock.monotonic + settings.rebalanceCommitPause.nanoseconds
            }
            logger.warning("A commit failed; the next one covers it", metadata: [LogKey.error: "\(error)"])
            return
        }
        for offset in offsets {
            for state in partitions where state.topicPartition == offset.topicPartition {
                state.committed = max(state.committed, offset.offset)
            }
        }
    }
}
