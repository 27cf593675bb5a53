// The shared part of a producer: callers enqueue from any thread, one thread serves the reports.

import CRDKafka
import Synchronization

/// What the callers and the thread of a producer share.
///
/// A caller enqueues and registers the record under one lock, which also guards librdkafka's producer, whose `enqueue` is
/// not thread-safe; librdkafka wakes the thread when reports wait, and the thread takes the lock once for a batch of
/// them. A full queue makes callers wait for the next report.
///
/// `@unchecked Sendable`: `served` is touched by the thread alone. It is the producer in `state`, but the thread only
/// drains it, which shares nothing with `enqueue` but what librdkafka guards itself.
final class ProducerCore: @unchecked Sendable {
    /// What became of an attempt to enqueue.
    enum Attempt {
        case queued(PendingSends.Ticket)
        /// The queue is full: wait for `spaceAfter` this generation of reports.
        case full(generation: Int)
    }

    private enum Phase {
        case open
        /// No more records are taken; pending ones have until the deadline.
        case closing(deadline: ContinuousClock.Instant)
        case closed
    }

    private struct Flush {
        var epoch: Int
        var deadline: ContinuousClock.Instant
        var promise: Promise<Void>
    }

    private struct State {
        var queue: EnqueueEnd?
        var pending = PendingSends()
        var phase = Phase.open
        var flushes: [Flush] = []
        var spaceWaiters: [Promise<Void>] = []
        /// Counts the batches of reports, so that no waiter misses the one that made space.
        var generation = 0
        /// Something for the thread to look at beside its queue.
        var needsAttention = false
        var fatal: KafkaError?
    }

    private let properties: [(String, String)]
    private let waker: Waker
    private let state = Mutex(State())
    private var served: ProducerQueue?
    /// Why all pending records are being given up, while they are.
    private var reasonForGivingUp: String?
    /// Whether the current client ever delivered a record.
    private var hasDelivered = false
    private let clock = ContinuousClock()
    let notices = NoticeStream()
    let closed = Promise<Void>()
    /// The helper thread for transactions, where the producer has a transactional id.
    let transactions: TransactionWorker?

    init(properties: [(String, String)]) throws {
        self.properties = properties
        waker = try Waker()
        let client = try ProducerQueue(properties: properties, waker: waker)
        served = client
        transactions = client.transactions
        let end = EnqueueEnd(queue: client)
        state.withLock { $0.queue = end }
    }

    // MARK: From any thread

    /// Enqueues a record without waiting.
    func attempt(_ message: KafkaMessage) throws(KafkaError) -> Attempt {
        try state.withLock { state throws(KafkaError) in
            guard case .open = state.phase, let queue = state.queue else { throw .producerClosed }
            if let fatal = state.fatal { throw fatal }
            let ticket = state.pending.next()
            switch queue.enqueue(message, opaque: ticket.number.opaque) {
            case .queued:
                state.pending.confirm()
                return .queued(ticket)
            case .full: return .full(generation: state.generation)
            case .refused(let error): throw error
            }
        }
    }

    /// Waits until reports came in after `generation`.
    nonisolated(nonsending) func space(after generation: Int) async throws {
        let waiter = Promise<Void>()
        let mustWait = try state.withLock { state throws(KafkaError) in
            guard case .open = state.phase else { throw .producerClosed }
            guard state.generation == generation else { return false }
            state.spaceWaiters.append(waiter)
            return true
        }
        if mustWait { try await waiter.value() }
    }

    /// Waits until all that was sent before is resolved, or fails at the deadline.
    nonisolated(nonsending) func flush(within timeout: Duration) async throws {
        let promise = Promise<Void>()
        let isDone = state.withLock { state in
            let epoch = state.pending.beginFlush()
            if state.pending.isDone(epoch) { return true }
            state.flushes.append(Flush(epoch: epoch, deadline: clock.now + timeout, promise: promise))
            state.needsAttention = true
            return false
        }
        if isDone { return }
        waker.wake()
        try await promise.value()
    }

    /// Takes no more records and ends the thread when all are resolved, at the deadline at the latest.
    func close(within timeout: Duration) {
        let deadline = clock.now + timeout
        let waiters = state.withLock { state -> [Promise<Void>] in
            switch state.phase {
            case .open: state.phase = .closing(deadline: deadline)
            case .closing(let earlier): state.phase = .closing(deadline: min(deadline, earlier))
            case .closed: break
            }
            state.needsAttention = true
            defer { state.spaceWaiters = [] }
            return state.spaceWaiters
        }
        for waiter in waiters { waiter.resolve(.failure(KafkaError.producerClosed)) }
        waker.wake()
    }

    /// How many records are pending.
    var pendingCount: Int { state.withLock { $0.pending.count } }

    // MARK: In the thread

    /// What a batch of reports said.
    ///
    /// Deliveries apart from failures: plain bytes, of which there are many.
    private struct Outcomes {
        var delivered: [DeliveredRecord] = []
        var failed: [(number: SendNumber, error: KafkaError)] = []
        /// Runs of deliveries of one block.
        var runs: [(block: Int, range: Range<Int>)] = []

        var isEmpty: Bool { delivered.isEmpty && failed.isEmpty }

        mutating func deliver(_ record: DeliveredRecord) {
            let block = record.number.block
            if let last = runs.last, last.block == block {
                runs[runs.count - 1].range = last.range.lowerBound..<last.range.upperBound + 1
            } else {
                runs.append((block, delivered.count..<delivered.count + 1))
            }
            delivered.append(record)
        }

        mutating func removeAll() {
            delivered.removeAll(keepingCapacity: true)
            runs.removeAll(keepingCapacity: true)
            failed.removeAll()
        }
    }

    /// Serves reports until the producer is closed.
    ///
    /// Runs in the producer's own thread.
    func serve() {
        var outcomes = Outcomes()
        while true {
            let isBusy = drain(&outcomes)
            if attendAndCheckClosed() { return }
            if isBusy { continue }
            waker.prepareToSleep()
            if served?.isEmpty == false || state.withLock({ $0.needsAttention }) {
                waker.cancelSleep()
            } else {
                waker.sleep(milliseconds: millisecondsToNextDeadline())
            }
        }
    }

    private func drain(_ outcomes: inout Outcomes) -> Bool {
        outcomes.removeAll()
        var fatal: KafkaError?
        let count = served?.drain(
            { report in
                if let error = report.error {
                    outcomes.failed.append((SendNumber(opaque: report.opaque), failure(error, of: report)))
                } else {
                    let place = DeliveredPlace(
                        partition: report.partition, offset: report.offset, timestamp: report.timestamp)
                    outcomes.deliver(DeliveredRecord(number: SendNumber(opaque: report.opaque), place: place))
                }
            },
            other: { event in
                if case .error(let error) = event, error.isFatal { fatal = error }
                notices.yield(event)
            })
        if !outcomes.delivered.isEmpty { hasDelivered = true }
        resolve(outcomes)
        if let fatal, reasonForGivingUp == nil { replaceClient(after: fatal) }
        return (count ?? 0) > 0
    }

    /// What a record's report says, with the cause where librdkafka only says that the record was purged.
    private func failure(_ error: KafkaError, of report: DeliveryReport) -> KafkaError {
        var error = error
        error.mayBePersisted = report.isPossiblyPersisted
        guard error.code.isPurge else { return error }
        if let reason = served?.fatalReason {
            error.reason = Self.afterFatalError(reason)
        } else if let reasonForGivingUp {
            error.reason = reasonForGivingUp
        }
        return error
    }

    private static func afterFatalError(_ reason: String) -> String {
        "The producer had a fatal error before the record was acknowledged: \(reason)"
    }

    private func resolve(_ outcomes: borrowing Outcomes) {
        guard !outcomes.isEmpty else { return }
        let runs = outcomes.runs
        let failed = outcomes.failed
        // One lock for the whole batch; the outcomes are given outside it.
        let (blocks, broken, waiters) = state.withLock { state in
            state.generation += 1
            defer { state.spaceWaiters = [] }
            return (
                runs.map { state.pending.settle($0.range.count, ofBlock: $0.block) },
                failed.map { state.pending.settle(1, ofBlock: $0.number.block) }, state.spaceWaiters
            )
        }
        for index in runs.indices { blocks[index]?.resolve(outcomes.delivered[runs[index].range]) }
        for index in failed.indices { broken[index]?.fail(failed[index].number.slot, failed[index].error) }
        for waiter in waiters { waiter.resolve(.success(())) }
    }

    /// Keeps flushes and the shutdown going.
    ///
    /// Returns whether the producer is closed.
    private func attendAndCheckClosed() -> Bool {
        let now = clock.now
        var kept: [(Promise<Void>, Result<Void, any Error>)] = []
        let (isClosing, isOverdue, isEmpty) = state.withLock { state -> (Bool, Bool, Bool) in
            state.needsAttention = false
            if !state.flushes.isEmpty {
                state.flushes.removeAll { flush in
                    if state.pending.isDone(flush.epoch) {
                        kept.append((flush.promise, .success(())))
                    } else if flush.deadline <= now {
                        kept.append((flush.promise, .failure(KafkaError.flushTimedOut(state.pending.count))))
                    } else {
                        return false
                    }
                    return true
                }
            }
            guard case .closing(let deadline) = state.phase else { return (false, false, false) }
            return (true, deadline <= now, state.pending.count == 0)
        }
        for (promise, result) in kept { promise.resolve(result) }
        guard isClosing, isEmpty || isOverdue else { return false }
        if !isEmpty { giveUp("The producer was shut down before the record was acknowledged") }
        finish()
        return true
    }

    /// Gives up on every pending record: each one's report says whether it may have been persisted.
    private func giveUp(_ happened: String) {
        reasonForGivingUp = happened
        defer { reasonForGivingUp = nil }
        served?.purge()
        let deadline = clock.now + .seconds(2)
        var outcomes = Outcomes()
        while pendingCount > 0, clock.now < deadline {
            if drain(&outcomes) { continue }
            waker.prepareToSleep()
            if served?.isEmpty != false { waker.sleep(milliseconds: 100) } else { waker.cancelSleep() }
        }
        // What librdkafka never reported on, if anything: nobody may wait for ever.
        var error = KafkaError(.purged, happened)
        error.mayBePersisted = true
        for block in state.withLock({ $0.pending.takeAll() }) {
            for slot in 0..<DeliveryBlock.size { block.fail(slot, error) }
        }
    }

    private func finish() {
        let flushes = state.withLock { state in
            state.phase = .closed
            defer { state.flushes = [] }
            return state.flushes
        }
        for flush in flushes { flush.promise.resolve(.success(())) }
        // Destroyed here, in the thread, because that blocks.
        state.withLock { $0.queue = nil }
        served = nil
        notices.finish()
        closed.resolve(.success(()))
    }

    /// An idempotent producer is unusable after a fatal error: its records are given up and a new one takes over.
    ///
    /// When the new one could only fail again, because the old one never delivered anything, it stays unusable. So does a
    /// transactional one: a new one would shut out whoever shut it out.
    private func replaceClient(after error: KafkaError) {
        giveUp(Self.afterFatalError(error.reason))
        var failure: KafkaError? = error
        if hasDelivered, transactions == nil, let successor = try? ProducerQueue(properties: properties, waker: waker) {
            let end = EnqueueEnd(queue: successor)
            state.withLock { $0.queue = end }
            served = successor
            hasDelivered = false
            failure = nil
        }
        let waiters = state.withLock { state in
            state.fatal = failure
            state.generation += 1
            defer { state.spaceWaiters = [] }
            return state.spaceWaiters
        }
        // Each tries again, and meets the failure if there is one.
        for waiter in waiters { waiter.resolve(.success(())) }
    }

    private func millisecondsToNextDeadline() -> Int32 {
        let deadline = state.withLock { state -> ContinuousClock.Instant? in
            var deadlines = state.flushes.map(\.deadline)
            if case .closing(let deadline) = state.phase { deadlines.append(deadline) }
            return deadlines.min()
        }
        guard let deadline else { return -1 }
        return max(0, (deadline - clock.now).inMillisecondsC)
    }
}

/// The end of a producer that callers enqueue at.
///
/// `@unchecked Sendable`: only used under a lock.
private struct EnqueueEnd: @unchecked Sendable {
    let queue: ProducerQueue

    /// A client that had a fatal error is about to be replaced: until then it is as good as full.
    func enqueue(_ message: KafkaMessage, opaque: UInt) -> EnqueueResult {
        let result = queue.enqueue(message, opaque: opaque)
        if case .refused = result, queue.isBroken { return .full }
        return result
    }
}

extension KafkaError {
    static var producerClosed: KafkaError { KafkaError(.closed, "The producer was shut down") }

    static func flushTimedOut(_ count: Int) -> KafkaError {
        KafkaError(
            .timedOut, "\(count) records were not acknowledged in time", isRetriable: true,
            advice: "They are still being sent; flush again, or look at the broker's health")
    }
}
