// Transactions of the polled producer: calls that return at once, outcomes that come with the reports.

import Synchronization

/// What became of a call about a transaction.
public enum TransactionEvent: Sendable, Hashable {
    /// The transactional id is the producer's; a transaction may begin.
    case initialized
    /// The offsets are part of the transaction.
    case offsetsSent
    /// The transaction is committed; another may begin.
    case committed
    /// The transaction is aborted; another may begin.
    case aborted
    /// The call failed; the error says what is to be done next.
    case failed(TransactionCall, TransactionError)

    init(_ call: TransactionCall, _ error: TransactionError?) {
        switch (call, error) {
        case (_, let error?): self = .failed(call, error)
        case (.initialize, nil): self = .initialized
        case (.begin, nil), (.sendOffsets, nil): self = .offsetsSent
        case (.commit, nil): self = .committed
        case (.abort, nil): self = .aborted
        }
    }
}

/// The outcomes on their way from the helper thread to the producer's owner.
final class TransactionEvents: Sendable {
    private let count = Atomic<Int>(0)
    private let events = Mutex<[TransactionEvent]>([])
    private let waker: Waker

    init(waker: Waker) { self.waker = waker }

    /// Whether none waits: one load, so that it can be asked in every round of the owner's loop.
    var isEmpty: Bool { count.load(ordering: .acquiring) == 0 }

    func append(_ event: TransactionEvent) {
        events.withLock { $0.append(event) }
        count.add(1, ordering: .releasing)
        waker.wake()
    }

    func take() -> [TransactionEvent] {
        guard !isEmpty else { return [] }
        return events.withLock { events in
            count.subtract(events.count, ordering: .relaxed)
            defer { events = [] }
            return events
        }
    }
}

/// Transactions of a producer that its owner drains.
///
/// Each call but `beginTransaction` returns at once; the outcome comes as `.transaction` among the events of `drain`,
/// after the reports of all records it concerns. One call at a time. Go on draining meanwhile: a commit waits until the
/// reports are served. While it is under way records are refused with `.invalidState`: keep them for the next one.
///
/// After `.failed(_, .abortable)` abort, then go back to the committed offsets; after `.fatal` make a new producer.
/// Dropping the producer never blocks: a call under way ends, a transaction that is open is aborted, in the background.
extension ProducerQueue {
    /// Whether the producer has a transactional id.
    package var isTransactional: Bool { transactions != nil }

    /// Takes the transactional id: an earlier owner is shut out and its transaction ended; then `.initialized` comes.
    ///
    /// It waits for as long as a transaction of the earlier owner's takes to commit or abort. On the embedded broker,
    /// which has no transactions, it fails with `.fatal` and `.unsupportedByEmbeddedBroker`.
    ///
    /// - Throws: `TransactionError` or `KafkaError` with `.invalidState`, at once, when the call cannot come now.
    package func initializeTransactions(within timeout: Duration = .seconds(60)) throws {
        try start(.initialize(within: timeout))
    }

    /// Begins a transaction, of which every record enqueued from now on is part.
    ///
    /// It waits for librdkafka's own thread, some microseconds, and not for the network.
    ///
    /// - Throws: `TransactionError`, or `KafkaError` with `.invalidState` when the call cannot come now.
    package func beginTransaction() throws { try requireTransactions().begin() }

    /// Makes a group's offsets, with their metadata, part of the transaction; then `.offsetsSent` comes.
    ///
    /// - Parameters:
    ///   - offsets: The next offsets to read, of partitions this member owns.
    ///   - group: The member's standing, taken afresh from its consumer.
    /// - Throws: `TransactionError` or `KafkaError` with `.invalidState`, at once, when the call cannot come now.
    package func sendOffsets(_ offsets: [CommittedOffset], of group: GroupMetadata) throws {
        try start(.sendOffsets(offsets, group))
    }

    /// Commits the transaction when all its records are acknowledged; then `.committed` comes.
    ///
    /// - Throws: `TransactionError` or `KafkaError` with `.invalidState`, at once, when the call cannot come now.
    package func commitTransaction() throws { try start(.commit([], nil)) }

    /// Makes a group's offsets, with their metadata, part of the transaction and commits it; then `.committed` comes.
    ///
    /// - Parameters:
    ///   - offsets: The next offsets to read, of partitions this member owns.
    ///   - group: The member's standing, taken afresh from its consumer.
    /// - Throws: `TransactionError` or `KafkaError` with `.invalidState`, at once, when the call cannot come now.
    package func commitTransaction(offsets: [CommittedOffset], of group: GroupMetadata) throws {
        try start(.commit(offsets, group))
    }

    /// Aborts the transaction, giving up on records that are not acknowledged; then `.aborted` comes.
    ///
    /// - Throws: `TransactionError` or `KafkaError` with `.invalidState`, at once, when the call cannot come now.
    package func abortTransaction() throws { try start(.abort) }

    private func start(_ request: TransactionWorker.Request) throws {
        let call = request.call
        try requireTransactions().start(request) { [transactionEvents] error in
            transactionEvents.append(TransactionEvent(call, error))
        }
    }

    private func requireTransactions() throws(KafkaError) -> TransactionWorker {
        guard let transactions else { throw .notTransactional }
        return transactions
    }
}

extension KafkaError {
    static var notTransactional: KafkaError {
        KafkaError(
            .invalidState, "The producer has no transactional id",
            advice: "Set KafkaConfiguration.transactionalID (transactional.id)")
    }
}
