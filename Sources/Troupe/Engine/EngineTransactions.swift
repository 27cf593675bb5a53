// How the engine publishes and commits in transactions.
//
// A handler that fails has published nothing, so its retry record or letter joins the transaction like any follow-on
// event. Only Kafka's own errors abort: then the engine goes back to what is committed and takes its partitions over
// from itself (`EngineTakeover`), as a new owner would.

import KafkaClient

extension ServiceEngine {
    /// Whether the service publishes in transactions.
    var isTransactional: Bool { cycle != nil }

    /// How much may be handled while what it published waits for the next transaction.
    static let maxWaitingPublications = 4_096

    /// Whether more may be handled: what is published has somewhere to go.
    var hasRoomToPublish: Bool {
        guard isTransactional ? backlog.count < Self.maxWaitingPublications : backlog.isEmpty else { return false }
        return reports?.hasRoom ?? true
    }

    // MARK: Publishing

    /// Whether a publication for `node` may go out now; begins a transaction where none is open.
    func admit(_ node: Int32) -> Bool {
        guard let admission = cycle?.admission(of: lanes[node].serial) else { return true }
        switch admission {
        case .admitted: return true
        case .wait: return false
        case .begin:
            do {
                try producer.beginTransaction()
                cycle?.began()
                return true
            } catch {
                transactionFailed(.begin, error)
                return false
            }
        }
    }

    /// A publication for `node` is part of the transaction.
    func admitted(_ node: Int32) {
        guard let number = cycle?.number else { return }
        cycle?.admitted(lanes[node].serial)
        lanes[node].partition?.lastTransaction = number
    }

    /// A publication cannot be part of the transaction, which can only be aborted.
    ///
    /// A record that the broker refuses for good would be refused again: its cause is dead-lettered the next time.
    func spoil(_ node: Int32, _ error: KafkaError) {
        let item = lanes[node]
        if item.isOwned, let place = item.partition?.topicPartition {
            logger.warning(
                "A record could not be published: the transaction is aborted and its events are handled again",
                metadata: [
                    LogKey.error: "\(error)", LogKey.topic: place.topic, LogKey.partition: "\(place.partition)",
                    LogKey.offset: "\(item.offset)",
                ])
            status.trouble = error.description
            if error.condemnsRecord {
                let known = refusals[RecordPlace(place, item.offset)]?.reductions ?? 0
                refusals[RecordPlace(place, item.offset)] = Refusal(
                    error: error, reductions: item.stage == .deadLettering ? known + 1 : known)
            }
            cycle?.spoil()
        }
        lanes[node].pending -= 1
        if lanes[node].pending == 0 { end(node, isDone: false) }
    }

    /// Dead-letters a record whose publications the broker refused in an earlier transaction.
    ///
    /// Returns whether it is one.
    func deadLetterIfRefused(_ node: Int32, _ record: KafkaRecord) -> Bool {
        guard !refusals.isEmpty, let refusal = refusals[RecordPlace(record.topicPartition, record.offset)] else {
            return false
        }
        let failure = RecordFailure(.unpublishable, ErrorSummary(refusal.error))
        tellUnhandled(node, record, failure)
        let letter = processor.deadLetter(record, failure, now: EngineClock.wallMilliseconds)
        var smaller = letter
        for _ in 0..<refusal.reductions {
            guard let reduced = smaller.reducedLetter() else {
                logger.critical(
                    "A dead letter is refused even without its value and headers: the transaction is tried again. Mend "
                        + "the configuration of its topic \(letter.topic)",
                    metadata: [
                        LogKey.error: "\(refusal.error)", LogKey.topic: record.topic,
                        LogKey.partition: "\(record.partition)", LogKey.offset: "\(record.offset)",
                    ])
                break
            }
            smaller = reduced.letter
        }
        deadLetter(node, smaller)
        return true
    }

    // MARK: Committing

    /// Whether nothing is under way: then a commit need not wait for company.
    private var isIdle: Bool { running == 0 && !lanes.hasReady && backlog.isEmpty && producer.outstanding == 0 }

    /// When the transaction is to be committed, or taking the transactional id to be tried again.
    var nextTransaction: UInt64? {
        guard let cycle else { return nil }
        switch cycle.stage {
        case .waiting(let time): return time
        case .idle, .open:
            // While partitions are drained transactions go on: an open one must not time out meanwhile.
            let isDraining = revocation?.stage == .draining || (phase == .stopping && stopStage == .draining)
            guard isDraining || (phase == .running && revocation == nil) else { return nil }
            guard cycle.stage == .open || hasUncommitted || hasReports else { return nil }
            if cycle.count >= settings.maxRecordsPerTransaction { return 0 }
            return isIdle ? min(nextCommit, nextIdleCommit) : nextCommit
        case .initializing, .closing, .committing, .aborting, .broken: return nil
        }
    }

    /// Goes on with what the transactions' stage allows.
    func advanceTransactions() {
        guard let cycle else { return }
        if let deadline = callDeadline, EngineClock.monotonic >= deadline { giveUpCall() }
        switch cycle.stage {
        case .waiting(let time) where EngineClock.monotonic >= time: initializeTransactions()
        case .open, .closing:
            if cycle.mustAbort {
                abortTransaction()
            } else if cycle.stage == .closing, !isLastRecordWaiting {
                commitTransaction()
            } else if cycle.stage == .open, !commitUnderWay, let time = nextTransaction,
                EngineClock.monotonic >= time
            {
                closeTransaction()
            }
        case .idle:
            if !commitUnderWay, let time = nextTransaction, EngineClock.monotonic >= time { closeTransaction() }
        case .initializing, .waiting, .committing, .aborting, .broken: break
        }
    }

    /// Whether part of the record published last waits for room in the producer's queue.
    private var isLastRecordWaiting: Bool {
        guard let node = backlog.first?.node, let cycle else { return false }
        return cycle.count > 0 && lanes[node].serial == cycle.lastRecord
    }

    /// Begins to commit what is done, all partitions together; `commitUnderWay` until it has ended.
    func closeTransaction() {
        guard let cycle, cycle.mayClose, cycle.stage == .open || hasUncommitted || hasReports else { return }
        commitUnderWay = true
        if cycle.stage == .idle {
            do {
                try producer.beginTransaction()
                self.cycle?.began()
            } catch {
                transactionFailed(.begin, error)
                return
            }
        }
        self.cycle?.close()
        advanceTransactions()
    }

    private func commitTransaction() {
        // The reports of all that is done are part of it.
        sealReports()
        guard cycle?.mustAbort != true else {
            abortTransaction()
            return
        }
        guard !hasReports else { return }
        // What is published and not acknowledged counts as done: the commit waits for it, or fails.
        var sent: [Int32: [Int64]] = [:]
        lanes.forEach { _, node in
            guard node.work.isSent, let partition = node.work.partition, partition.isOwned else { return }
            sent[partition.id, default: []].append(node.work.offset)
        }
        let offsets = partitions.compactMap { state -> CommittedOffset? in
            guard state.phase == .active || state.phase == .draining else { return nil }
            let sent = sent[state.id] ?? []
            return state.needsCommit || !sent.isEmpty ? state.beginCommit(including: sent) : nil
        }
        do {
            let standing = try consumer.groupMetadata()
            guard standing.isMember else {
                // Without a member id the broker would take the offsets, though others own the partitions already.
                throw KafkaError(.unknownMemberID, "The service is not a member of its group now")
            }
            try producer.commitTransaction(offsets: offsets, of: standing)
            cycle?.committing()
            expectAnswer(within: settings.transactionTimeout)
        } catch {
            transactionFailed(.commit, error)
        }
    }

    /// Takes the outcome of a call about transactions.
    func took(_ event: TransactionEvent) {
        callDeadline = nil
        switch event {
        case .initialized: recover()
        case .offsetsSent: break
        case .committed:
            cycle?.ended()
            commitUnderWay = false
            let now = EngineClock.monotonic
            nextCommit = now + settings.commitInterval.nanoseconds
            nextIdleCommit = now + settings.idleCommitInterval.nanoseconds
            commitsEnded(succeeded: true)
        case .aborted: recover()
        case .failed(let call, let error): transactionFailed(call, error)
        }
    }

    // MARK: Trouble

    private func transactionFailed(_ call: TransactionCall, _ error: any Error) {
        switch error {
        case TransactionError.fatal(let cause)
        where call == .initialize && (error as? TransactionError)?.isFenced != true:
            fail(cause)
        case TransactionError.fatal(let cause):
            logger.warning(
                "The transactional producer is replaced: another one took its transactional id, or its transaction took too long",
                metadata: [LogKey.error: "\(cause)"])
            producerFailed = true
        case TransactionError.retriable(let cause) where call == .initialize:
            logger.warning("The transactional id could not be taken yet", metadata: [LogKey.error: "\(cause)"])
            cycle?.wait(until: EngineClock.monotonic + 1_000_000_000)
        default:
            if let code = (error as? TransactionError)?.error.code, code == .offsetMetadataTooLarge {
                baseOnlyCommits(because: error)
            } else {
                logger.warning("A transaction is aborted", metadata: [LogKey.error: "\(error)"])
            }
            abortTransaction()
        }
    }

    /// Aborts the transaction and drops all work: it begins again at what is committed.
    private func abortTransaction() {
        commitUnderWay = true
        dropEverything()
        do {
            try producer.abortTransaction()
            cycle?.aborting()
            expectAnswer(within: settings.transactionTimeout)
        } catch {
            logger.warning("The transactional producer is replaced", metadata: [LogKey.error: "\(error)"])
            producerFailed = true
        }
    }

    /// Gives every partition up, for this instance to take it over anew.
    func dropEverything() {
        abandonReports()
        commitsEnded(succeeded: false)
        for (index, state) in partitions.enumerated() where state.phase == .active || state.phase == .draining {
            dropQueued(state)
            let isKept = state.phase == .active && phase == .running
            state.phase = .gone
            guard isKept, let queue = state.queue else { continue }
            let successor = PartitionState(
                id: nextPartitionID, queue: queue, role: state.role, retryPartition: state.retryPartition)
            nextPartitionID += 1
            successor.rewindsTo = state.start
            successor.commitsBaseOnly = state.commitsBaseOnly
            state.queue = nil
            partitions[index] = successor
            recovering.append(successor)
        }
    }

    /// Takes over what was dropped, when the producer can publish again.
    private func recover() {
        cycle?.ended()
        commitUnderWay = false
        nextCommit = EngineClock.monotonic + settings.commitInterval.nanoseconds
        let states = recovering.filter { $0.phase == .loading }
        recovering = []
        takeOver(states)
    }

    /// Has the reading of partitions that were dropped go back to what is committed.
    func rewind(_ states: [PartitionState], to ledgers: [TopicPartition: LedgerSnapshot]) throws {
        var starts: [TopicPartition: StartingPoint] = [:]
        for state in states {
            guard let start = state.rewindsTo else { continue }
            let base = ledgers[state.topicPartition]?.base ?? start
            // Where nothing was committed and nothing read, reading is where it began.
            if base >= 0 { starts[state.topicPartition] = .offset(base) }
        }
        if !starts.isEmpty { try consumer.seek(starts) }
        for state in states { state.rewindsTo = nil }
    }

    /// Takes the transactional id.
    func initializeTransactions() {
        guard isTransactional else { return }
        do {
            let limit = Duration.seconds(60)
            try producer.initializeTransactions(within: limit)
            cycle?.initializing()
            expectAnswer(within: limit)
        } catch {
            transactionFailed(.initialize, error)
        }
    }

    /// A call about transactions is under way: its answer is waited for until it must have given up itself.
    private func expectAnswer(within limit: Duration) {
        callDeadline = EngineClock.monotonic + (limit + .seconds(15)).nanoseconds
    }

    /// A call did not even give up in its time, as librdkafka's sometimes do not when the coordinator moves: the
    /// producer is left to itself, and a new one learns from the broker what became of the transaction.
    private func giveUpCall() {
        callDeadline = nil
        logger.error("The transactional producer is replaced: it has not answered in time")
        producerFailed = true
    }
}

/// A record's place in the log.
struct RecordPlace: Hashable {
    var partition: TopicPartition
    var offset: Int64

    init(_ partition: TopicPartition, _ offset: Int64) {
        self.partition = partition
        self.offset = offset
    }
}

/// What the broker refused for good of what a record led to.
struct Refusal {
    var error: KafkaError
    /// How many times the record's dead letter was refused: each time the next one leaves more out.
    var reductions: Int
}
