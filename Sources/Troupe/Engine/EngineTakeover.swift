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
        case readingRetries(RetryReader)
    }

    let number: Int
    /// The partitions that are not ready yet.
    var states: [PartitionState]
    var stage = Stage.waiting
    /// When to ask, or ask again; `nil` while an answer is awaited.
    var nextTry: UInt64?
    /// What is committed of the retry partitions.
    var retryLedgers: [TopicPartition: LedgerSnapshot] = [:]

    init(number: Int, states: [PartitionState]) {
        self.number = number
        self.states = states
    }
}

/// What committed offsets were asked for.
enum OffsetsTicket: Sendable {
    /// Partitions that are taken over, by the takeover's number.
    case takeover(Int)
    /// Marks to be lifted.
    case lift
}

/// Reads retry partitions from what is committed of them to their end, without belonging to a group.
///
/// Its consumer lives for this one reading.
final class RetryReader {
    private let consumer: PolledConsumer
    private var queues: [(queue: PartitionQueue, ledger: LedgerSnapshot)]

    /// Begins to read.
    init(_ consumer: PolledConsumer, from ledgers: [TopicPartition: LedgerSnapshot]) throws {
        self.consumer = consumer
        queues = try consumer.assign(ledgers.map { CommittedOffset($0, offset: $1.base) }).map {
            ($0, ledgers[$0.topicPartition] ?? LedgerSnapshot(base: -1))
        }
    }

    /// The properties of a reader's consumer, from those of the service's.
    ///
    /// It reads what open transactions have written too: an event that may come to wait there counts.
    static func properties(from properties: [(String, String)]) -> [(String, String)] {
        let own = [
            "auto.offset.reset": "earliest", "enable.partition.eof": "true", "isolation.level": "read_uncommitted",
            "queued.min.messages": "10000",
        ]
        return properties.filter { own[$0.0] == nil } + own.map { ($0.key, $0.value) }
    }

    /// Whether something waits to be read.
    var hasNews: Bool { !consumer.isEmpty || queues.contains { !$0.queue.isEmpty } }
    /// Whether every partition was read to its end.
    var isDone: Bool { queues.isEmpty }

    /// Reads what has come, and gives each record that is not done to `found`.
    ///
    /// Returns whether there was anything.
    func advance(_ found: (TopicPartition, KafkaRecord) -> Void, _ failed: (KafkaError) -> Void) -> Bool {
        var progress = false
        while let event = consumer.nextEvent() {
            progress = true
            if case .error(let error) = event { failed(error) }
        }
        queues.removeAll { queue, ledger in
            for _ in 0..<1_024 {
                switch queue.poll() {
                case .record(let record):
                    if !ledger.covers(record.offset) { found(queue.topicPartition, record) }
                case .end:
                    progress = true
                    return true
                case .failed(let error): failed(error)
                case .empty: return false
                }
                progress = true
            }
            return false
        }
        return progress
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
        while let (ticket, answer) = offsets.next() {
            progress = true
            switch ticket {
            case .lift: lift(by: answer)
            case .takeover(let number): learned(number, answer)
            }
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
            if case .readingRetries(let reader) = takeover.stage { reader.hasNews } else { false }
        }
    }

    private func ask(_ takeover: Takeover) {
        takeover.nextTry = nil
        takeover.stage = .askingForLedgers
        var wanted = takeover.states.map(\.topicPartition)
        if keepsOrderThroughRetries { wanted += Set(takeover.states.compactMap(\.retryPartition)).subtracting(wanted) }
        if !offsets.ask(for: wanted, ticket: .takeover(takeover.number)) { askAgain(takeover) }
    }

    private func askAgain(_ takeover: Takeover) {
        takeover.stage = .waiting
        takeover.nextTry = EngineClock.monotonic + 500_000_000
    }

    /// The ledgers arrived: partitions of retry topics are ready, the others once their marks are made.
    private func learned(_ number: Int, _ answer: Result<[CommittedOffset], KafkaError>) {
        guard let takeover = takeovers.first(where: { $0.number == number }) else { return }
        takeover.states.removeAll { $0.phase != .loading }
        let offsets: [CommittedOffset]
        switch answer {
        case .success(let found): offsets = found
        case .failure(let error):
            logger.warning(
                "What is committed could not be read; it is asked for again and the partitions wait",
                metadata: [LogKey.error: "\(error)"])
            askAgain(takeover)
            return
        }
        var ledgers: [TopicPartition: LedgerSnapshot] = [:]
        for offset in offsets where offset.offset >= 0 { ledgers[offset.topicPartition] = snapshot(offset) }
        for state in takeover.states { state.restore(ledgers[state.topicPartition] ?? LedgerSnapshot(base: -1)) }
        activate(takeover.states.filter { $0.isRetry || !keepsOrderThroughRetries })
        takeover.states.removeAll { $0.phase != .loading }
        let retries = Set(takeover.states.compactMap(\.retryPartition))
        guard !retries.isEmpty else {
            activate(takeover.states)
            return
        }
        do {
            let from = retries.map { ($0, ledgers[$0] ?? LedgerSnapshot(base: -1)) }
            takeover.stage = .readingRetries(
                try RetryReader(try makeReader(), from: Dictionary(uniqueKeysWithValues: from)))
        } catch {
            logger.warning("The retry topics could not be read yet", metadata: [LogKey.error: "\(error)"])
            askAgain(takeover)
        }
    }

    /// Marks the keys of what waits in the retry partitions; at their end the input partitions are ready.
    private func read(_ takeover: Takeover, _ reader: RetryReader) -> Bool {
        let progress = reader.advance { partition, record in
            for state in takeover.states where state.retryPartition == partition {
                state.marks.found(laneHash(record), at: record.offset)
            }
        } _: { error in
            logger.warning(
                "Reading what waits in a retry topic failed; the partitions wait for it",
                metadata: [LogKey.error: "\(error)"])
        }
        if reader.isDone { activate(takeover.states) }
        return progress
    }

    private func activate(_ states: [PartitionState]) {
        for state in states { state.phase = .active }
    }
}
