// Transactions of the producer for everybody: a scope that commits at its end, and the calls one by one.

/// A transaction that is open, as the body of `KafkaProducer.withTransaction` sees it.
public struct KafkaTransaction: Sendable {
    private let producer: KafkaProducer

    init(_ producer: KafkaProducer) { self.producer = producer }

    /// Sends a record as part of the transaction and waits until it is acknowledged.
    ///
    /// An acknowledged record is seen by readers of committed records only when the transaction is committed.
    ///
    /// - Throws: As `KafkaProducer.send(_:)`; the transaction can only be aborted then.
    @discardableResult
    public nonisolated(nonsending) func send(_ message: KafkaMessage) async throws -> Delivery {
        try await producer.send(message)
    }

    /// Puts a record into the local queue as part of the transaction; the commit waits until it is acknowledged.
    ///
    /// - Throws: As `KafkaProducer.enqueue(_:)`.
    @discardableResult
    public nonisolated(nonsending) func enqueue(_ message: KafkaMessage) async throws -> DeliveryReceipt {
        try await producer.enqueue(message)
    }

    /// Makes a group's offsets, with their metadata, part of the transaction.
    ///
    /// - Parameters:
    ///   - offsets: The offsets of the next records to read.
    ///   - group: The member's standing; take it from the consumer for each transaction.
    /// - Throws: `TransactionError`.
    public nonisolated(nonsending) func sendOffsets(_ offsets: [CommittedOffset], of group: GroupMetadata) async throws
    {
        try await producer.sendOffsets(offsets, of: group)
    }
}

/// Transactions, for a producer whose configuration names a `transactionalID`.
extension KafkaProducer {
    /// Runs `body` in a transaction, which is committed when it returns and aborted when it throws.
    ///
    /// The first call takes the transactional id, which shuts out an earlier producer with the same id. A producer has
    /// one transaction at a time; what other tasks send meanwhile is part of it.
    ///
    /// ```swift
    /// try await producer.withTransaction { transaction in
    ///     try await transaction.send(KafkaMessage(topic: "invoices", value: invoice))
    ///     try await transaction.sendOffsets([next], of: consumer.groupMetadata())
    /// }
    /// ```
    ///
    /// - Throws: What `body` throws, after the abort. `TransactionError`: after `.abortable` the transaction is aborted
    ///   and can be run again, after `.retriable` too; after `.fatal` the producer is done. `KafkaError` with
    ///   `.invalidState` when another transaction is under way. A cancelled task still waits for commit or abort.
    @discardableResult
    public nonisolated(nonsending) func withTransaction<Result>(
        _ body: nonisolated(nonsending) (KafkaTransaction) async throws -> Result
    ) async throws -> Result {
        if try transactions().phase == .uninitialized { try await initializeTransactions() }
        try beginTransaction()
        do {
            let result = try await body(KafkaTransaction(self))
            try await commitTransaction()
            return result
        } catch {
            try await abortIfPossible()
            throw error
        }
    }

    /// Takes the transactional id: an earlier producer with the same id is shut out and its transaction ended.
    ///
    /// To be called once, before the first transaction; `withTransaction` does so by itself.
    ///
    /// - Throws: `TransactionError`; on the embedded broker, which has no transactions, `.fatal` with
    ///   `.unsupportedByEmbeddedBroker`. `KafkaError` with `.invalidState` when the call does not come in its turn.
    public nonisolated(nonsending) func initializeTransactions(within timeout: Duration = .seconds(60)) async throws {
        try await perform(.initialize(within: timeout))
    }

    /// Begins a transaction, of which every record sent from now on is part.
    ///
    /// It does not wait for the network.
    ///
    /// - Throws: `TransactionError`; `KafkaError` with `.invalidState` when another transaction is under way.
    public func beginTransaction() throws { try transactions().begin() }

    /// Makes a group's offsets, with their metadata, part of the transaction.
    ///
    /// - Parameters:
    ///   - offsets: The offsets of the next records to read.
    ///   - group: The member's standing; take it from the consumer for each transaction.
    /// - Throws: `TransactionError`, which is `.abortable` when the member's generation has passed, among others.
    public nonisolated(nonsending) func sendOffsets(_ offsets: [CommittedOffset], of group: GroupMetadata) async throws
    {
        try await perform(.sendOffsets(offsets, group))
    }

    /// Waits until the transaction's records are acknowledged and commits it.
    ///
    /// - Throws: `TransactionError`: abort after `.abortable`.
    public nonisolated(nonsending) func commitTransaction() async throws { try await perform(.commit([], nil)) }

    /// Aborts the transaction: its records are never seen by readers of committed records, its offsets not committed.
    ///
    /// - Throws: `TransactionError`.
    public nonisolated(nonsending) func abortTransaction() async throws { try await perform(.abort) }

    /// Aborts a transaction that is open; only a producer that is done is an error worth hiding the first one for.
    nonisolated(nonsending) func abortIfPossible() async throws {
        guard let worker = core.transactions, worker.isOpen else { return }
        do { try await abortTransaction() } catch let error as TransactionError {
            if case .fatal = error { throw error }
        } catch {}
    }

    private func transactions() throws(KafkaError) -> TransactionWorker {
        guard let worker = core.transactions else { throw .notTransactional }
        return worker
    }

    private nonisolated(nonsending) func perform(_ request: TransactionWorker.Request) async throws {
        let outcome = Promise<Void>()
        try transactions().start(request) { error in outcome.resolve(error.map { .failure($0) } ?? .success(())) }
        // A task of its own is not cancelled with the caller's: a call that is under way has an outcome to wait for.
        try await Task { try await outcome.value() }.value
    }
}

extension KafkaConsumer {
    /// The consumer's standing in its group now, for a transaction that commits its offsets.
    ///
    /// Send offsets of partitions it owns only: it is accepted for others too.
    ///
    /// - Throws: `KafkaError` with `.invalidState` for a consumer without a group.
    public nonisolated(nonsending) func groupMetadata() async throws -> GroupMetadata {
        try requireGroup()
        return try await query { try $0.groupMetadata() }
    }
}
