// How the engine takes partitions over: first it learns what their last owner left.

import KafkaClient

/// Partitions that were assigned and whose records may not be taken yet.
///
/// The order matters: the ledgers are read first, *then* the retry partitions to their end. So a redirect that is not
/// seen there came from a member that does not own the input partition any more: its source offset was never committed,
/// and the event is handled here.
final class Takeover {
    /// How far it has come.
    enum Stage {
        /// The ledgers are being asked for.
        case askingForLedgers
        /// They are asked for again at this time: the broker could not say.
        case waiting
        /// What waits in the retry partitions is being read.
        case readingRetries(TailReader)
    }

    /// The tag of its question for committed offsets.
    let number: UInt
    /// The partitions that are not ready yet.
    var states: [PartitionState]
    var stage = Stage.waiting
    /// When to ask, or ask again; `nil` while an answer is awaited.
    var nextTry: UInt64?
    /// What is committed of the retry partitions that are being read.
    var retryLedgers: [TopicPartition: LedgerSnapshot] = [:]

    init(number: UInt, states: [PartitionState]) {
        self.number = number
        self.states = states
    }
}

extension ServiceEngine {
    /// Begins with partitions that were assigned.
    func takeOver(_ states: [PartitionState]) {
        guard !states.isEmpty else { return }
        takeoverNumber += 1
        let takeover = Takeover(number: takeoverNumber, states: states)
        takeovers.append(takeover)
        ask(takeover)
    }

    /// Goes on with what is being taken over.
    ///
    /// Returns whether anything came.
    func advanceTakeovers() -> Bool {
        var progress = false
        while let answer = offsets.nextAnswer() {
            progress = true
            if answer.tag == Self.liftTag { lift(by: answer.offsets) } else { learned(answer.tag, answer.offsets) }
        }
        askForLifts()
        guard !takeovers.isEmpty else { return progress }
        for takeover in takeovers {
            // What was given up meanwhile is not waited for.
            takeover.states.removeAll { $0.phase != .loading }
            if let time = takeover.nextTry, EngineClock.monotonic >= time { ask(takeover) }
            if case .readingRetries(let reader) = takeover.stage { progress = read(takeover, reader) || progress }
        }
        takeovers.removeAll(where: \.states.isEmpty)
        return progress
    }

    /// Whether something waits to be read for a takeover.
    var hasNewsForTakeovers: Bool {
        if !offsets.isEmpty { return true }
        return takeovers.contains { takeover in
            if case .readingRetries(let reader) = takeover.stage { !reader.isEmpty } else { false }
        }
    }

    private func ask(_ takeover: Takeover) {
        takeover.nextTry = nil
        takeover.stage = .askingForLedgers
        var wanted = takeover.states.map(\.topicPartition)
        if keepsOrderThroughRetries { wanted += Set(takeover.states.compactMap(\.retryPartition)).subtracting(wanted) }
        do {
            try askForOffsets(of: wanted, tag: takeover.number)
        } catch {
            askAgain(takeover, because: error)
        }
    }

    private func askAgain(_ takeover: Takeover, because error: any Error) {
        takeover.stage = .waiting
        takeover.nextTry = EngineClock.monotonic + 500_000_000
        logger.warning(
            "What the last owner left cannot be read yet; the partitions wait for it",
            metadata: [LogKey.error: "\(error)"])
    }

    /// The ledgers arrived: partitions of retry topics are ready, the others once their marks are made.
    private func learned(_ number: UInt, _ answer: Result<[CommittedOffset], KafkaError>) {
        guard let takeover = takeovers.first(where: { $0.number == number }) else { return }
        takeover.states.removeAll { $0.phase != .loading }
        do {
            var ledgers: [TopicPartition: LedgerSnapshot] = [:]
            for offset in try answer.get() where offset.offset >= 0 {
                ledgers[offset.topicPartition] = snapshot(offset)
            }
            try rewind(takeover.states, to: ledgers)
            for state in takeover.states { state.restore(ledgers[state.topicPartition] ?? .unknown) }
            activate(takeover.states.filter { $0.isRetry || !keepsOrderThroughRetries })
            takeover.states.removeAll { $0.phase != .loading }
            let retries = Set(takeover.states.compactMap(\.retryPartition))
            guard !retries.isEmpty else { return }
            for retry in retries { takeover.retryLedgers[retry] = ledgers[retry] ?? .unknown }
            let reader = try TailReader(properties: readerProperties, waker: waker)
            try reader.read(from: takeover.retryLedgers.mapValues(\.base))
            takeover.stage = .readingRetries(reader)
        } catch {
            askAgain(takeover, because: error)
        }
    }

    /// Marks the keys of what waits in the retry partitions; at their end the input partitions are ready.
    private func read(_ takeover: Takeover, _ reader: TailReader) -> Bool {
        let count = reader.drain(limit: 4_096) { event in
            switch event {
            case .record(let record):
                if takeover.retryLedgers[record.topicPartition]?.covers(record.offset) == true { break }
                for state in takeover.states where state.retryPartition == record.topicPartition {
                    state.marks.found(laneHash(record), at: record.offset)
                }
            case .end(let partition, _): activate(takeover.states.filter { $0.retryPartition == partition })
            case .failed(let error):
                logger.warning(
                    "Reading what waits in a retry topic failed; the partitions wait for it",
                    metadata: [LogKey.error: "\(error)"])
            }
        }
        return count > 0
    }

    private func activate(_ states: [PartitionState]) {
        for state in states { state.phase = .active }
        liftMarksOfOwned()
    }
}
