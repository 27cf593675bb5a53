// How the engine commits offsets.

import KafkaClient

extension ServiceEngine {
    /// Whether any partition has something to commit.
    var hasUncommitted: Bool { partitions.contains { $0.phase != .loading && $0.needsCommit } }

    func commitIfDue() {
        guard !commitUnderWay, revocation == nil, phase == .running else { return }
        let now = EngineClock.monotonic
        guard now >= nextCommit else { return }
        nextCommit = now + settings.commitInterval.nanoseconds
        commit(partitions)
    }

    func commit(_ states: [PartitionState]) {
        let states = states.filter { $0.phase != .loading && $0.needsCommit }
        guard !states.isEmpty else { return }
        do {
            try consumer.commit(states.map { $0.beginCommit() })
            commitUnderWay = true
        } catch {
            for state in states { state.commitEnded(succeeded: false) }
            logger.warning("Committing failed; it is tried again", metadata: [LogKey.error: "\(error)"])
        }
    }

    func committed(_ error: KafkaError?) {
        commitUnderWay = false
        let states = partitions.filter { $0.commitEnded(succeeded: error == nil) }
        if let error {
            if error.code == .offsetMetadataTooLarge {
                for state in states { state.commitsBaseOnly = true }
                nextCommit = 0
                logger.warning(
                    "The broker refuses the metadata of commits: only contiguous offsets are committed, and after a crash what was done out of order is handled again. Raise the broker's offset.metadata.max.bytes to 4096",
                    metadata: [LogKey.error: "\(error)"])
                return
            }
            // A later commit covers the same offsets; after a rebalance the new owner reads them again.
            if error.code == .rebalanceInProgress {
                // Another commit would be caught by the new generation, which makes cooperative members of librdkafka
                // before 2.10 lose everything (librdkafka#4059): none until the rebalance has come or passed.
                nextCommit = EngineClock.monotonic + settings.rebalanceCommitPause.nanoseconds
            }
            logger.warning("A commit failed; the next one covers it", metadata: [LogKey.error: "\(error)"])
            return
        }
        for state in states where state.isRetry { liftMarks(of: state.topicPartition, by: state.committed) }
    }
}
