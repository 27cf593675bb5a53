// The producer for everybody: awaitable sends, pipelined sends, flush and shutdown.

/// Sends records, and tells of each whether and where it was written.
///
/// It is idempotent and waits for all in-sync replicas unless the configuration says otherwise. It may be used from
/// any number of tasks; records one task sends to a partition keep their order.
///
/// ```swift
/// let producer = try KafkaProducer(configuration)
/// let delivery = try await producer.send(KafkaMessage(topic: "orders", key: key, value: value))
/// try await producer.shutdown()
/// ```
///
/// To send many records, enqueue them all and await the receipts afterwards, or use `send(contentsOf:)`: awaiting
/// each one before the next is sent costs a round trip each.
public final class KafkaProducer: Sendable {
    let core: ProducerCore

    /// Creates a producer and its thread.
    ///
    /// It connects by itself.
    ///
    /// - Throws: `KafkaError` with `.invalidConfiguration` that names the property.
    public init(_ configuration: KafkaConfiguration) throws {
        let role = configuration.transactionalID.map { ClientRole.transactionalProducer(id: $0) } ?? .producer
        let core = try ProducerCore(properties: configuration.librdkafkaProperties(for: role))
        self.core = core
        try startThread(named: "kafka-producer") { core.serve() }
    }

    deinit { core.close(within: .seconds(10)) }

    /// What the producer has to say beside deliveries: errors, log lines, statistics.
    ///
    /// For one reader. What nobody reads is bounded: the oldest is dropped.
    public var notices: AsyncStream<ClientNotice> { core.notices.stream }

    /// The number of records whose outcome is owed.
    public var pendingCount: Int { core.pendingCount }

    /// Sends a record and waits until it is acknowledged.
    ///
    /// Suspends while the local queue is full.
    ///
    /// - Throws: `KafkaError` when the record was refused or not acknowledged; its `mayBePersisted` says whether it may
    ///   have reached the log all the same. `CancellationError` when the task is cancelled, which does not take back a
    ///   record that is in the queue.
    @discardableResult
    public nonisolated(nonsending) func send(_ message: KafkaMessage) async throws -> Delivery {
        try await enqueue(message).delivery()
    }

    /// Sends records and waits until all are acknowledged; the deliveries are in the records' order.
    ///
    /// - Throws: The first record's error in order, when all outcomes are known; see `send(_:)`.
    @discardableResult
    public nonisolated(nonsending) func send(contentsOf messages: some Sequence<KafkaMessage>) async throws
        -> [Delivery]
    {
        var receipts: [DeliveryReceipt] = []
        receipts.reserveCapacity(messages.underestimatedCount)
        var failure: (any Error)?
        for message in messages {
            do { receipts.append(try await enqueue(message)) } catch {
                failure = error
                break
            }
        }
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(receipts.count)
        var firstFailure: (any Error)?
        for receipt in receipts {
            do { deliveries.append(try await receipt.delivery()) } catch { firstFailure = firstFailure ?? error }
        }
        if let failure = firstFailure ?? failure { throw failure }
        return deliveries
    }

    /// Puts a record into the local queue and returns the promise of its outcome.
    ///
    /// Suspends only while the queue is full.
    ///
    /// - Throws: `KafkaError` when the record was refused, with `.messageTooLarge`, `.closed` and others, or
    ///   `CancellationError` when the task is cancelled while the queue is full; then the record is not sent.
    public nonisolated(nonsending) func enqueue(_ message: KafkaMessage) async throws -> DeliveryReceipt {
        // The usual case apart: a message that is kept while this waits costs a copy.
        switch try core.attempt(message) {
        case .queued(let ticket): return DeliveryReceipt(topic: message.topic, ticket)
        case .full(let generation): return try await enqueue(message, after: generation)
        }
    }

    private nonisolated(nonsending) func enqueue(
        _ message: KafkaMessage, after full: Int
    ) async throws -> DeliveryReceipt {
        var full = full
        while true {
            try await core.space(after: full)
            switch try core.attempt(message) {
            case .queued(let ticket): return DeliveryReceipt(topic: message.topic, ticket)
            case .full(let generation): full = generation
            }
        }
    }

    /// Puts a record into the local queue without ever suspending, and returns the promise of its outcome.
    ///
    /// - Throws: `KafkaError` when the record was refused, with `.queueFull`, `.messageTooLarge`, `.closed` and others.
    @discardableResult
    public func tryEnqueue(_ message: KafkaMessage) throws(KafkaError) -> DeliveryReceipt {
        switch try core.attempt(message) {
        case .queued(let ticket): return DeliveryReceipt(topic: message.topic, ticket)
        case .full:
            throw KafkaError(
                .queueFull, "The local queue is full", isRetriable: true, topic: message.topic,
                advice: "Use enqueue, which waits, or raise queue.buffering.max.messages")
        }
    }

    /// Waits until every record that was enqueued before has its outcome.
    ///
    /// - Throws: `KafkaError` with `.timedOut` when that takes longer; the records are still being sent. A record's
    ///   own failure is told by its receipt, not here.
    public nonisolated(nonsending) func flush(within timeout: Duration = .seconds(60)) async throws {
        try await core.flush(within: timeout)
    }

    /// Takes no more records, waits for the outcome of those pending, and stops.
    ///
    /// Records without an outcome at the deadline are given up: their receipts throw an error that says whether they
    /// may have been persisted. A transaction that is open is aborted. Also a cancelled task waits for this. Calling it
    /// again waits for the same end.
    public nonisolated(nonsending) func shutdown(within timeout: Duration = .seconds(30)) async {
        let deadline = ContinuousClock.now + timeout
        core.close(within: timeout)
        let closed = core.closed
        // A task of its own is not cancelled with the caller's.
        _ = await Task { try await closed.value() }.result
        await core.transactions?.waitForEnd(until: deadline)
    }
}
