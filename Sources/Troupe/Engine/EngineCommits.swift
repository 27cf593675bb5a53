// How the engine commits offsets.

import KafkaClient

/// A commit that waits until all it covers is reported.
struct HeldCommit {
    var offsets: [(state: PartitionState, offset: CommittedOffset)]
    /// The last batch of reports about what it covers.
    var reports: Int
}

extension ServiceEngine {
    /// Whether any partition has something to commit.
    var hasUncommitted: Bool { partitions.contains { $0.phase != .loading && $0.needsCommit } }

    func commitIfDue() {
        guard !isTransactional, !commitUnderWay, revocation == nil, phase == .running else { return }
        let now = EngineClock.monotonic
        guard now >= nextCommit else { return }
        nextCommit = now + settings.commitInterval.nanoseconds
        commit(partitions)
    }

    func commit(_ states: [PartitionState]) {
        if isTransactional {
            closeTransaction()
            return
        }
        let states = states.filter { $0.phase != .loading && $0.needsCommit }
        guard !states.isEmpty else { return }
        commitUnderWay = true
        heldCommit = HeldCommit(offsets: states.map { ($0, $0.beginCommit()) }, reports: sealReports())
        sendHeldCommit()
    }

    /// Sends the commit that waits, once the broker has the reports of all it covers.
    func sendHeldCommit() {
        guard let commit = heldCommit, reports?.isSettled(through: commit.reports) ?? true else { return }
        heldCommit = nil
        // What was lost meanwhile is another member's.
        let owned = commit.offsets.filter(\.state.isOwned)
        guard !owned.isEmpty else {
            commitUnderWay = false
            return
        }
        do {
            try consumer.commit(owned.map(\.offset))
        } catch {
            commitUnderWay = false
            for (state, _) in owned { state.commitEnded(succeeded: false) }
            logger.warning("Committing failed; it is tried again", metadata: [LogKey.error: "\(error)"])
        }
    }

    /// Takes back a commit that still waits for reports: the next one covers the same.
    ///
    /// Returns whether there was one.
    func takeBackHeldCommit() -> Bool {
        guard let commit = heldCommit else { return false }
        heldCommit = nil
        commitUnderWay = false
        for (state, _) in commit.offsets { state.commitEnded(succeeded: false) }
        return true
    }

    func committed(_ error: KafkaError?) {
        commitUnderWay = false
        defer { commitsEnded(succeeded: error == nil) }
        guard let error else { return }
        if error.code == .offsetMetadataTooLarge {
            baseOnlyCommits(because: error)
            nextCommit = 0
            return
        }
        // A later commit covers the same offsets; after a rebalance the new owner reads them again.
        if error.code == .rebalanceInProgress {
            // Another commit would be caught by the new generation, which makes cooperative members of librdkafka
            // before 2.10 lose everything (librdkafka#4059): none until the rebalance has come or passed.
            nextCommit = EngineClock.monotonic + settings.rebalanceCommitPause.nanoseconds
        }
        logger.warning("A commit failed; the next one covers it", metadata: [LogKey.error: "\(error)"])
    }

    /// The commit of every partition that was part of it ended.
    func commitsEnded(succeeded: Bool) {
        for state in partitions where state.commitEnded(succeeded: succeeded) && succeeded && state.isRetry {
            liftMarks(of: state.topicPartition, by: state.committed)
        }
    }

    /// The broker refuses metadata: from now on partitions with a commit under way commit contiguous offsets only.
    func baseOnlyCommits(because error: any Error) {
        for state in partitions where state.isCommitting { state.commitsBaseOnly = true }
        logger.warning(
            """
            The broker refuses the metadata of commits: only contiguous offsets are committed, and what was done out of \
            order is handled again after a crash. Set its offset.metadata.max.bytes to 4096
            """, metadata: [LogKey.error: "\(error)"])
    }
}
