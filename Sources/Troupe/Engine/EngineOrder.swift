// How the engine keeps a key's order through the retry topic (the rules stand in docs/design.md).

import KafkaClient

extension ServiceEngine {
    /// The lane that a record belongs to.
    func laneHash(_ record: KafkaRecord) -> UInt64 {
        switch settings.ordering {
        case .byKey: KeyHash.of(record)
        case .byPartition: 0
        case .none: KeyHash.of(offset: record.offset)
        }
    }

    /// Whether events that follow a redirected one must follow it into the retry topic.
    var keepsOrderThroughRetries: Bool { settings.retryOrdering == .strict && settings.ordering != .none }

    /// Whether the order of `record` matters: one without a key has none.
    private func isOrdered(_ record: KafkaRecord) -> Bool {
        keepsOrderThroughRetries && (settings.ordering == .byPartition || !record.keySlice.isNull)
    }

    /// The partition of the retry topic that the events of an input partition wait in; `nil` for one of a retry topic.
    func retryPartition(of partition: TopicPartition, _ role: TopicRole) -> TopicPartition? {
        guard !role.isRetryTopic else { return nil }
        let count = partitionCounts[role.retryTopic] ?? 0
        return TopicPartition(role.retryTopic, count > 0 ? partition.partition % count : partition.partition)
    }

    // MARK: Redirects

    /// Whether an earlier event of the record's key waits in the retry topic: then the record goes there too.
    ///
    /// Asked when a record is dispatched, not when it is read: its key may have been marked since.
    func follows(_ node: Int32, _ handling: Handling) -> Bool {
        guard let partition = lanes[node].partition, !partition.marks.isEmpty, isOrdered(handling.original) else {
            return false
        }
        return partition.marks.contains(lanes.hash(of: node))
    }

    /// Sends a record after the earlier one of its key, unhandled.
    func follow(_ node: Int32, _ handling: Handling) {
        guard let message = processor.follower(handling) else {
            // It leaves no room for the headers of the retry topic: it waits in place, and its key with it.
            lanes[node].stage = .waiting
            status.waiting += 1
            lanes.hold(node)
            lanes[node].partition?.stranded.append((node, lanes[node].serial))
            return
        }
        tellFollowing(handling, to: message.topic)
        redirect(node, message, handling)
    }

    /// Sends a record to the retry topic.
    ///
    /// In strict order its key is marked at once and its lane waits for the acknowledgement, so that one redirect of a
    /// key is under way at most: a second one could overtake a first that has to be sent again.
    func redirect(_ node: Int32, _ message: PackedMessage, _ handling: Handling) {
        lanes[node].stage = .redirecting
        lanes[node].pending = 1
        if isOrdered(handling.original), let partition = lanes[node].partition, !partition.isRetry {
            partition.marks.queued(lanes.hash(of: node))
            lanes[node].isMarking = true
            lanes.hold(node)
        } else {
            lanes.advance(node)
        }
        send(wrappingPartition(message), for: node)
    }

    /// The broker has a redirect, at `offset` of the retry partition.
    func redirected(_ node: Int32, to offset: Int64) {
        guard lanes[node].isMarking else { return }
        lanes[node].isMarking = false
        guard let partition = lanes[node].partition else { return }
        partition.marks.acknowledged(lanes.hash(of: node), at: offset)
        // It may be done and committed already: no later commit would lift the mark then.
        if let retry = partition.retryPartition, let committed = committedHere(of: retry), committed.covers(offset) {
            liftMarks(of: retry, by: committed)
        }
    }

    /// A redirect will never be in the retry topic.
    func redirectRefused(_ node: Int32) {
        guard lanes[node].isMarking else { return }
        lanes[node].isMarking = false
        guard let partition = lanes[node].partition else { return }
        partition.marks.refused(lanes.hash(of: node))
        // An earlier redirect of its key may be done and committed already.
        if let retry = partition.retryPartition, let committed = committedHere(of: retry) {
            liftMarks(of: retry, by: committed)
        }
    }

    // MARK: Lifting

    /// Lifts the marks that the retry partition's committed ledger says are done with.
    func liftMarks(of retryPartition: TopicPartition, by committed: LedgerSnapshot) {
        for state in partitions where state.retryPartition == retryPartition && !state.marks.isEmpty {
            guard state.marks.lift(by: committed), !state.stranded.isEmpty else { continue }
            let stranded = state.stranded
            state.stranded = []
            for (node, serial) in stranded where lanes[node].serial == serial && lanes[node].stage == .waiting {
                lanes[node].stage = .queued
                status.waiting -= 1
                lanes.resume(node)
            }
        }
    }

    /// What this member has committed of a retry partition that it owns.
    private func committedHere(of retryPartition: TopicPartition) -> LedgerSnapshot? {
        partitions.first { $0.topicPartition == retryPartition && $0.phase != .loading }?.committed
    }

    /// Lifts marks by what is committed of the retry partitions that this member owns.
    ///
    /// For partitions that have just become ready: what was found waiting may be done and committed since, and no later
    /// commit would lift its mark.
    func liftMarksOfOwned() {
        for state in partitions where state.isRetry && state.phase != .loading {
            liftMarks(of: state.topicPartition, by: state.committed)
        }
    }

    /// The retry partitions that marks lean on and that other members own.
    private var remoteRetryPartitions: [TopicPartition] {
        var wanted: Set<TopicPartition> = []
        for state in partitions where !state.marks.isEmpty {
            if let retry = state.retryPartition { wanted.insert(retry) }
        }
        if wanted.isEmpty { return [] }
        // An owned one lifts marks whenever it is committed.
        for state in partitions where state.isRetry && state.phase != .loading { wanted.remove(state.topicPartition) }
        return Array(wanted)
    }

    /// When the engine must look after marks or takeovers again; `nil` when it need not.
    var nextInquiry: UInt64? {
        var due = takeovers.compactMap(\.nextTry).min()
        if !liftUnderWay, !remoteRetryPartitions.isEmpty { due = min(due ?? .max, nextLift) }
        return due
    }

    /// Asks what other members have committed of the retry partitions that marks lean on.
    func askForLifts() {
        guard !liftUnderWay, phase == .running, partitions.contains(where: { !$0.marks.isEmpty }) else { return }
        let now = EngineClock.monotonic
        guard now >= nextLift else { return }
        nextLift = now + 200_000_000
        let wanted = remoteRetryPartitions
        guard !wanted.isEmpty else { return }
        do {
            try askForOffsets(of: wanted, tag: Self.liftTag)
            liftUnderWay = true
        } catch {
            lift(by: .failure((error as? KafkaError) ?? KafkaError(.invalidState, "\(error)")))
        }
    }

    /// The tag of questions that lift marks; those of takeovers count from 1.
    static var liftTag: UInt { 0 }

    /// Asks what this group has committed.
    ///
    /// Offsets that a transaction is about to commit are waited for.
    func askForOffsets(of partitions: [TopicPartition], tag: UInt) throws {
        try offsets.start(partitions: partitions, tag: tag)
    }

    /// Other members' commits arrived.
    func lift(by answer: Result<[CommittedOffset], KafkaError>) {
        liftUnderWay = false
        switch answer {
        case .success(let offsets):
            for offset in offsets where offset.offset >= 0 {
                liftMarks(of: offset.topicPartition, by: snapshot(offset))
            }
        case .failure(let error):
            nextLift = EngineClock.monotonic + 1_000_000_000
            logger.debug("What waits in retry topics could not be looked up yet", metadata: [LogKey.error: "\(error)"])
        }
    }

    /// What a commit says of its partition; the base alone when its metadata is not a ledger's.
    func snapshot(_ offset: CommittedOffset) -> LedgerSnapshot {
        do throws(LedgerSnapshot.Defect) {
            return try LedgerSnapshot(base: offset.offset, metadata: offset.metadata ?? "")
        } catch {
            logger.warning(
                "The metadata of a committed offset is ignored: it is \(error.explanation). Records behind the offset that were done already are handled again",
                metadata: [
                    LogKey.topic: offset.topicPartition.topic, LogKey.partition: "\(offset.topicPartition.partition)",
                    LogKey.offset: "\(offset.offset)",
                ])
            return LedgerSnapshot(base: offset.offset)
        }
    }
}
