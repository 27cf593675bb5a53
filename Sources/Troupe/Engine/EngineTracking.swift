// How the engine reports what becomes of each attempt, before it commits what the attempt has done.

import KafkaClient
import Synchronization

extension ServiceEngine {
    // MARK: Telling

    /// An attempt succeeded, or its fallback did.
    func tellSuccess(_ node: Int32, _ handling: Handling, _ messages: [PackedMessage], _ failure: (any Error)?) {
        guard let reports else { return }
        let now = EngineClock.monotonic
        let (startedAt, microseconds) = times(node, now)
        var attempt = Attempt(
            outcome: .handled, number: lanes[node].attempt, startedAt: startedAt, microseconds: microseconds,
            published: messages)
        if let failure {
            attempt.outcome = .fellBack
            attempt.failure = ErrorSummary(failure)
        }
        reports.add(attempt, at: handling, now: now)
    }

    /// An attempt failed.
    func tellFailure(
        _ node: Int32, _ handling: Handling, _ outcome: TaskReport.Outcome, _ error: ErrorSummary, attempt number: Int,
        notBefore: Int64? = nil, sentTo: String? = nil
    ) {
        guard let reports else { return }
        let now = EngineClock.monotonic
        let (startedAt, microseconds) = times(node, now)
        reports.add(
            Attempt(
                outcome: outcome, number: number, startedAt: startedAt, microseconds: microseconds,
                notBefore: notBefore, failure: error, sentTo: sentTo),
            at: handling, now: now)
    }

    /// An event goes to the retry topic after an earlier one of its key, unhandled.
    func tellFollowing(_ handling: Handling, to retryTopic: String) {
        guard let reports else { return }
        reports.add(
            Attempt(
                outcome: .redirected, number: 0, startedAt: EngineClock.wallMilliseconds, sentTo: retryTopic),
            at: handling, now: EngineClock.monotonic)
    }

    /// A record is dead-lettered that no route can handle, or whose events the broker refuses.
    func tellUnhandled(_ node: Int32, _ record: KafkaRecord, _ failure: RecordFailure) {
        guard let reports, let role = lanes[node].partition?.role else { return }
        let history = role.isRetryTopic ? FailureHeaders(record) : nil
        // Its handling, if there was any, has been reported already, with this number.
        let wasHandled = failure.reason == .unpublishable
        reports.add(
            Attempt(
                outcome: .deadLettered, number: wasHandled ? lanes[node].attempt : 0,
                startedAt: EngineClock.wallMilliseconds, failure: failure.error, sentTo: role.deadLetterTopic),
            at: record, processor.origin(record, role, history), replays: history?.replayCount ?? 0,
            now: EngineClock.monotonic)
    }

    /// When the attempt began, in milliseconds since 1970, and how long it took, in microseconds.
    private func times(_ node: Int32, _ now: UInt64) -> (Int64, Int64) {
        let start = lanes[node].startedAt
        return ((Int64(start) &+ wallOffset) / 1_000_000, Int64(now > start ? (now - start) / 1_000 : 0))
    }

    // MARK: Sending

    /// Marks the numbers of batches among those of records in delivery reports.
    static var batchFlag: UInt { 1 << 62 }

    /// Whether reports are left to be handed to the producer.
    var hasReports: Bool { reports.map { !$0.isEmpty } ?? false }

    /// Whether reports may go out now: in exactly-once they are part of a transaction.
    private var mayReport: Bool {
        guard let cycle else { return true }
        return !cycle.mustAbort && (cycle.stage == .open || cycle.stage == .closing)
    }

    /// A round of the loop begins; the last one began at `lastTime`.
    func beginRound(_ reports: TaskJournal, after lastTime: UInt64) {
        wallOffset = EngineClock.wallMilliseconds &* 1_000_000 &- Int64(loopTime)
        reports.beginRound(now: loopTime, after: lastTime)
        let known = shared.tasksTopic.load(ordering: .acquiring)
        if known != tasksTopic { learn(known, reports) }
    }

    /// Takes what was learned of the topic of tasks.
    private func learn(_ known: Int, _ reports: TaskJournal) {
        tasksTopic = known
        if known > 0 {
            reports.topicAppeared(limit: known)
        } else if !reports.isTopicAbsent {
            reports.topicVanished()
            // As part of it may be what is not delivered.
            cycle?.spoil()
        }
    }

    /// When reports must have been acknowledged; `nil` while none are awaited, and while a transaction is being committed.
    ///
    /// Then the broker decides about them and all the rest, within the transaction's own time. If that fails, `isOverdue`
    /// tells whether it was for their sake.
    private var reportDeadline: UInt64? { cycle?.stage == .committing ? nil : reports?.deadline }

    /// When the engine must look after reports again; `nil` when it need not.
    var nextReport: UInt64? {
        guard let reports else { return nil }
        let due = reportDeadline
        guard mayReport, let seal = reports.sealDue else { return due }
        return min(due ?? .max, seal)
    }

    /// Sends reports that are due, and the commit that waited for them.
    func advanceReports() {
        guard let reports else { return }
        if let deadline = reportDeadline, loopTime >= deadline {
            suspendReports(
                because: KafkaError(.timedOut, "Reports were not acknowledged in time", topic: systemTopics.tasks))
        }
        if mayReport {
            if let due = reports.sealDue, loopTime >= due { reports.seal() }
            sendReports()
        }
        sendHeldCommit()
    }

    /// Hands all reports to the producer, as far as it has room; returns the number of the last batch.
    @discardableResult
    func sealReports() -> Int {
        guard let reports else { return 0 }
        let last = reports.seal()
        if mayReport { sendReports() }
        return last
    }

    private func sendReports() {
        guard let reports else { return }
        while let batch = reports.next {
            switch producer.enqueue(batch.message, opaque: Self.batchFlag | UInt(batch.number)) {
            case .queued: reports.sent(now: EngineClock.monotonic)
            case .full:
                reports.delayed(now: EngineClock.monotonic)
                return
            case .refused(let error):
                // A producer that is done is replaced, and the batch is the next one's.
                if producer.isBroken {
                    reports.delayed(now: EngineClock.monotonic)
                } else {
                    suspendReports(because: error)
                }
                return
            }
        }
    }

    /// Takes the outcome of a batch.
    func batchReported(_ report: DeliveryReport, isReplaced: Bool = false) {
        guard let reports else { return }
        let number = Int(report.opaque & ~Self.batchFlag)
        guard let error = report.error else {
            if reports.acknowledged(number) {
                logger.notice("Reports of what is done are published again", metadata: [LogKey.topic: report.topic])
            }
            return
        }
        guard reports.isAwaited(number) else {
            reports.strayed()
            return
        }
        // A stop at its deadline gives up on what is not acknowledged.
        if phase == .stopping, !isReplaced, error.code == .purged { return }
        if !isTransactional, isReplaced || producer.isBroken {
            reports.sendAgain(number)
        } else if isTransactional, !error.blamesTopic, !reports.isOverdue(now: EngineClock.monotonic) {
            // The transaction failed, not the topic: what it told is told again.
            reports.forget(number)
            cycle?.spoil()
        } else {
            suspendReports(because: error)
            // The producer has told its outcome: it has this one no more.
            reports.strayed()
        }
    }

    /// What an aborted transaction told of is undone and told again.
    ///
    /// Not where reports were what it failed for: the next one would fail like it.
    func abandonReports() {
        guard let reports else { return }
        if reports.isOverdue(now: EngineClock.monotonic) {
            suspendReports(
                because: KafkaError(.timedOut, "Reports were not acknowledged in time", topic: systemTopics.tasks))
        }
        reports.abandon()
    }

    /// The topic of tasks fails: commits go on without it, and it is tried again later.
    private func suspendReports(because error: KafkaError) {
        guard let reports else { return }
        let pause = reports.suspend(now: EngineClock.monotonic)
        // A batch that is not delivered spoils the transaction it is part of.
        cycle?.spoil()
        var metadata = [LogKey.error: "\(error)", LogKey.topic: systemTopics.tasks, LogKey.count: "\(reports.lost)"]
        if let pause {
            metadata[LogKey.delayMilliseconds] = "\(pause / 1_000_000)"
            logger.warning(
                """
                What is done cannot be reported: the topic of tasks fails. Events are handled and committed all the \
                same; reports are left out and counted, and tried again later
                """, metadata: metadata)
        } else {
            logger.debug("Reports still fail", metadata: metadata)
        }
    }

    private var systemTopics: SystemTopics { processor.names.systemTopics }
}

extension KafkaError {
    /// Whether the topic, or the right to it, is at fault, and not the transaction or the producer.
    ///
    /// A record's time-out is no longer than its transaction's: one that runs out has spoiled the transaction by itself.
    fileprivate var blamesTopic: Bool {
        switch code {
        case .topicAuthorizationFailed, .unknownTopicOrPartition, .unknownTopic, .messageTimedOut: true
        default: condemnsRecord
        }
    }
}

extension KafkaError.Code {
    /// The client has learned that the topic does not exist (librdkafka's own `_UNKNOWN_TOPIC`).
    static let unknownTopic = KafkaError.Code(rawValue: -188)
}
