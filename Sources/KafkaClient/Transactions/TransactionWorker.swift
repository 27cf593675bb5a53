// The helper thread of a transactional producer, in which librdkafka's blocking calls run one at a time.

import CRDKafka
import Synchronization

/// Runs a transactional producer's blocking calls, one at a time, in a thread of its own.
///
/// Delivery reports must be served by the producer's owner meanwhile: a commit waits for all of them.
final class TransactionWorker: Sendable {
    /// What the thread is asked to do.
    enum Request: Sendable {
        case initialize(within: Duration)
        case sendOffsets([CommittedOffset], GroupMetadata)
        case commit([CommittedOffset], GroupMetadata?)
        case abort

        var call: TransactionCall {
            switch self {
            case .initialize: .initialize
            case .sendOffsets: .sendOffsets
            case .commit: .commit
            case .abort: .abort
            }
        }
    }

    private struct Job {
        var request: Request
        /// Called in the thread, when the next call may come already.
        var completion: @Sendable (TransactionError?) -> Void
    }

    private struct State {
        var transaction = TransactionState()
        var job: Job?
        var isClosing = false
    }

    /// How long an abort may take that nobody waits for, when a producer goes with its transaction open.
    static let lastAbortTimeout: Duration = .seconds(10)
    /// How long one attempt of initialising blocks: between attempts the thread looks whether the producer was closed.
    private static let attempt: Duration = .seconds(2)

    private let client: ClientHandle
    /// How long a commit or an abort may block: what the coordinator allows a transaction, and a little more.
    ///
    /// A call that takes longer is not resumed: librdkafka can lose the answer of a resumed commit, and waits for ever
    /// without a time-out when the coordinator is gone.
    private let callTimeout: Duration
    private let waker: Waker
    private let state = Mutex(State())
    private let hasEnded = Atomic<Bool>(false)
    /// Given when the thread has ended, and with it what was under way at the end.
    let ended = Promise<Void>()

    /// Starts the thread, which ends with `close`.
    static func start(_ client: ClientHandle, properties: [(String, String)]) throws -> TransactionWorker {
        let worker = try TransactionWorker(client, properties)
        try startThread(named: "kafka-txn") { worker.serve() }
        return worker
    }

    private init(_ client: ClientHandle, _ properties: [(String, String)]) throws {
        self.client = client
        waker = try Waker()
        let text = properties.last { $0.0 == "transaction.timeout.ms" }?.1
        callTimeout = .milliseconds(text.flatMap { Int64($0) } ?? 60_000) + .seconds(5)
    }

    // MARK: From any thread

    /// Has the thread make a call; `completion` is called there with what went wrong, if anything.
    ///
    /// - Throws: `TransactionError` or `KafkaError`, at once, when the call cannot come now; see `TransactionState`.
    func start(_ request: Request, completion: @escaping @Sendable (TransactionError?) -> Void) throws {
        try state.withLock { state in
            if state.isClosing { throw KafkaError.producerClosed }
            try state.transaction.start(request.call)
            state.job = Job(request: request, completion: completion)
        }
        waker.wake()
    }

    /// Begins a transaction.
    ///
    /// Waits for librdkafka's own thread, some microseconds, and not for the network.
    func begin() throws {
        try state.withLock { state in
            if state.isClosing { throw KafkaError.producerClosed }
            try state.transaction.start(.begin)
        }
        let error = rd_kafka_begin_transaction(client.pointer).map { TransactionError(consuming: $0, from: .begin) }
        state.withLock { $0.transaction.end(error) }
        if let error { throw error }
    }

    /// Where the producer stands.
    var phase: TransactionState.Phase { state.withLock { $0.transaction.phase } }

    /// Whether a transaction was begun and has not ended.
    var isOpen: Bool { state.withLock { $0.transaction.isOpen } }

    /// Ends the thread: after the call that is running, and after aborting a transaction that is open.
    ///
    /// Never blocks. The client lives until then; its reports are served in a second thread, since its owner is going.
    func close() {
        let mustServe = state.withLock { state in
            state.isClosing = true
            return state.transaction.running != nil || state.transaction.isOpen
        }
        if mustServe { try? startThread(named: "kafka-txn-end") { self.serveReports() } }
        waker.wake()
    }

    /// Waits until what was under way when the producer was closed has ended, also when the task is cancelled.
    nonisolated(nonsending) func waitForEnd(until deadline: ContinuousClock.Instant) async {
        let ended = ended
        await Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await ended.value() }
                group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
                await group.next()
                group.cancelAll()
            }
        }.value
    }

    /// Destroys reports until the thread has ended: a call that flushes waits for that.
    private func serveReports() {
        guard let pointer = rd_kafka_queue_get_main(client.pointer) else { return }
        let queue = EventQueue(owning: pointer, of: client, waker: nil)
        while !hasEnded.load(ordering: .acquiring) {
            if let event = queue.poll(milliseconds: 20) { rd_kafka_event_destroy(event) }
        }
    }

    // MARK: In the thread

    private func serve() {
        while let job = nextJob() {
            let error = perform(job.request)
            state.withLock { $0.transaction.end(error) }
            job.completion(error)
        }
        // The successor, and whoever reads committed records, need not wait for the coordinator's time-out.
        if isOpen, let error = rd_kafka_abort_transaction(client.pointer, Self.lastAbortTimeout.inMillisecondsC) {
            rd_kafka_error_destroy(error)
        }
        hasEnded.store(true, ordering: .releasing)
        ended.resolve(.success(()))
    }

    /// The next job; `nil` when the producer was closed.
    private func nextJob() -> Job? {
        while true {
            waker.prepareToSleep()
            let (job, isClosing) = state.withLock { state in (state.job.take(), state.isClosing) }
            if let job {
                waker.cancelSleep()
                return job
            }
            if isClosing { return nil }
            waker.sleep(milliseconds: -1)
        }
    }

    private var isClosing: Bool { state.withLock { $0.isClosing } }

    private func perform(_ request: Request) -> TransactionError? {
        let deadline = ContinuousClock.now + callTimeout
        switch request {
        case .initialize(let timeout): return initialize(until: .now + timeout)
        case .sendOffsets(let offsets, let group): return send(offsets, of: group, until: deadline)
        case .commit(let offsets, let group):
            if let group, let error = send(offsets, of: group, until: deadline) { return error }
            return end(.commit, until: deadline)
        case .abort: return end(.abort, until: deadline)
        }
    }

    private func initialize(until deadline: ContinuousClock.Instant) -> TransactionError? {
        // The embedded broker says yes to all of it and does nothing: it must be told apart first.
        guard let text = clusterID(until: deadline) else {
            return .retriable(
                KafkaError(.allBrokersDown, "\(TransactionCall.initialize.failure): no broker answered"))
        }
        if text.hasPrefix(EmbeddedBroker.clusterIDPrefix) { return .fatal(.transactionsNotEmbedded) }
        while true {
            let timeout = min(Self.attempt, deadline - .now).inMillisecondsC
            guard let object = rd_kafka_init_transactions(client.pointer, max(1, timeout)) else { return nil }
            let error = TransactionError(consuming: object, from: .initialize)
            guard case .retriable = error, !isClosing, .now < deadline else { return error }
            if error.error.code != .timedOut { pause() }
        }
    }

    /// The cluster's id; `nil` when no broker tells it in time.
    private func clusterID(until deadline: ContinuousClock.Instant) -> String? {
        repeat {
            let timeout = min(Self.attempt, deadline - .now).inMillisecondsC
            guard let text = rd_kafka_clusterid(client.pointer, max(1, timeout)) else { continue }
            defer { rd_kafka_mem_free(client.pointer, text) }
            return String(cString: text)
        } while !isClosing && .now < deadline
        return nil
    }

    private func send(
        _ offsets: [CommittedOffset], of group: GroupMetadata, until deadline: ContinuousClock.Instant
    ) -> TransactionError? {
        guard !offsets.isEmpty else { return nil }
        let list = PartitionList(offsets)
        while true {
            let object = rd_kafka_send_offsets_to_transaction(
                client.pointer, list.pointer, group.pointer, max(1, (deadline - .now).inMillisecondsC))
            guard let object else { return nil }
            let error = TransactionError(consuming: object, from: .sendOffsets)
            guard case .retriable(let cause) = error else { return error }
            // Whether they are part of the transaction is not known: only an abort makes it sure.
            if isClosing || .now >= deadline { return .abortable(cause) }
            pause()
        }
    }

    private func end(_ call: TransactionCall, until deadline: ContinuousClock.Instant) -> TransactionError? {
        while true {
            let timeout = max(1, (deadline - .now).inMillisecondsC)
            let object =
                call == .commit
                ? rd_kafka_commit_transaction(client.pointer, timeout)
                : rd_kafka_abort_transaction(client.pointer, timeout)
            guard let object else { return nil }
            let error = TransactionError(consuming: object, from: call)
            switch error {
            case .abortable: return error
            case .fatal(let cause): return .fatal(Self.unknownOutcome(cause, of: call))
            case .retriable(let cause):
                // A call that timed out goes on behind our back and blocks all others.
                if cause.code == .timedOut || isClosing || .now >= deadline {
                    return .fatal(Self.unknownOutcome(cause, of: call))
                }
                pause()
            }
        }
    }

    /// The error of a producer that is done: the coordinator may have done what was asked, and only its answer is missing.
    private static func unknownOutcome(_ cause: KafkaError, of call: TransactionCall) -> KafkaError {
        var cause = cause
        cause.isFatal = true
        cause.mayBePersisted = call == .commit
        return cause
    }

    /// Waits a little before the same is tried again.
    private func pause() {
        waker.prepareToSleep()
        if isClosing { waker.cancelSleep() } else { waker.sleep(milliseconds: 50) }
    }
}

extension KafkaError {
    /// The embedded broker would say yes to a transaction, and make none.
    static var transactionsNotEmbedded: KafkaError {
        KafkaError(
            .unsupportedByEmbeddedBroker, "Transactions are not supported by the embedded broker", isFatal: true)
    }
}
