// What a consumer's callers and its thread share: the bounded buffer of records, commands, acknowledgements.

import Synchronization

/// What the callers and the thread of a consumer share.
///
/// Records move in batches: the thread appends what the partition queues hold while there is room, a reader takes all
/// there is. A full buffer leaves records in the partition queues, and librdkafka then stops fetching.
final class ConsumerCore: Sendable {
    /// How many records the buffer holds.
    static let capacity = 2_048
    /// How many bytes of keys and values the buffer holds, but for the record that exceeds it.
    static let byteCapacity = 16 << 20

    /// What callers ask the thread to do.
    enum Command: Sendable {
        case seek([TopicPartition: StartingPoint], Promise<Void>)
        case assign([TopicPartition: StartingPoint], Promise<Void>)
        case commit([CommittedOffset], Promise<Void>)
        /// The rebalance handler is done with the rebalance of this number.
        case answer(Int)

        var promise: Promise<Void>? {
            switch self {
            case .seek(_, let promise), .assign(_, let promise), .commit(_, let promise): promise
            case .answer: nil
            }
        }
    }

    fileprivate enum Phase {
        case open
        case closing(deadline: ContinuousClock.Instant)
        /// The end, with the error that caused it, if any.
        case finished((any Error)?)
    }

    fileprivate struct State {
        var buffer: [KafkaRecord] = []
        var byteCount = 0
        var waiters: [Promise<Void>] = []
        var phase = Phase.open
        var commands: [Command] = []
        var acknowledged: [TopicPartition: Int64] = [:]
        var assignment: [TopicPartition] = []
        var paused: Set<TopicPartition> = []
        /// Records of paused partitions that had been fetched already.
        var held: [TopicPartition: [KafkaRecord]] = [:]
        /// The generation at which a partition's earlier records became void, by a seek or by losing it.
        var voidedAt: [TopicPartition: Int] = [:]
        /// While the thread has one; it is destroyed with the thread.
        var client: ClientHandle?
    }

    /// Counts pauses, seeks and losses, so that a reader notices that the batch in its hands may be out of date.
    private let generationCounter = Atomic<Int>(0)
    private let state = Mutex(State())
    let waker: Waker
    let notices = NoticeStream()
    private let started = Promise<Void>()
    let closed = Promise<Void>()

    init() throws { waker = try Waker() }

    // MARK: From readers and callers

    /// A batch, and the generation it is of.
    typealias Batch = (records: [KafkaRecord], generation: Int)

    private enum Taken {
        case batch(Batch)
        case finished((any Error)?)
        case wait(Promise<Void>)
    }

    /// All the records there are, as soon as there are some; `nil` at the end and for a cancelled task.
    nonisolated(nonsending) func nextBatch() async throws -> Batch? {
        while !Task.isCancelled {
            switch take() {
            case .batch(let batch):
                waker.wake()  // There is room again.
                return batch
            case .finished(let error?): throw error
            case .finished(nil): return nil
            case .wait(let promise):
                do { try await promise.value() } catch { return nil }
            }
        }
        return nil
    }

    var generation: Int { generationCounter.load(ordering: .acquiring) }

    private func take() -> Taken {
        state.withLock { state in
            if !state.buffer.isEmpty {
                defer {
                    state.buffer = []
                    state.byteCount = 0
                }
                return .batch((state.buffer, generation))
            }
            if case .finished(let error) = state.phase { return .finished(error) }
            let promise = Promise<Void>()
            state.waiters.append(promise)
            return .wait(promise)
        }
    }

    /// Puts back records that a reader took and left unread, so that the next reader gets them first.
    func putBack(_ batch: Batch) {
        let records = revalidate(batch).records
        state.withLock { state in
            state.buffer.insert(contentsOf: records, at: 0)
            state.byteCount += records.reduce(0) { $0 + $1.approximateSize }
        }
    }

    /// What of a batch is still to be read after pauses, seeks and losses since it was taken.
    func revalidate(_ batch: Batch) -> Batch {
        guard batch.generation != generation else { return batch }
        return state.withLock { state in
            let valid = batch.records.filter { state.voidedAt[$0.topicPartition] ?? 0 <= batch.generation }
            let (paused, kept) = valid.partitioned { state.paused.contains($0.topicPartition) }
            state.hold(paused)
            return (kept, generation)
        }
    }

    /// Stops handing out records of partitions; those in the buffer are kept for later.
    func pause(_ partitions: [TopicPartition]) {
        state.withLock { state in
            state.paused.formUnion(partitions)
            generationCounter.add(1, ordering: .releasing)
            let (paused, kept) = state.buffer.partitioned { state.paused.contains($0.topicPartition) }
            state.setBuffer(kept)
            state.hold(paused)
        }
        waker.wake()
    }

    /// Hands out records of paused partitions again, from where they were paused.
    func resume(_ partitions: [TopicPartition]) {
        let waiters = state.withLock { state -> [Promise<Void>] in
            state.paused.subtract(partitions)
            let held = partitions.flatMap { state.held.removeValue(forKey: $0) ?? [] }
            state.setBuffer(held + state.buffer)
            if state.buffer.isEmpty { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resolve(.success(())) }
        waker.wake()
    }

    /// The partitions that are paused.
    var paused: Set<TopicPartition> { state.withLock { $0.paused } }

    /// Has the thread carry out a command and waits until it is done.
    nonisolated(nonsending) func perform(_ make: (Promise<Void>) -> Command) async throws {
        let promise = Promise<Void>()
        try state.withLock { state throws(KafkaError) in
            guard case .open = state.phase else { throw .consumerClosed }
            state.commands.append(make(promise))
        }
        waker.wake()
        try await promise.value()
    }

    /// The client, as soon as it is there, for calls that may come from any thread.
    nonisolated(nonsending) func client() async throws -> ClientHandle {
        try await started.value()
        guard let client = state.withLock({ $0.client }) else { throw KafkaError.consumerClosed }
        return client
    }

    /// Tells the thread that a rebalance may be answered.
    func answer(_ number: Int) {
        state.withLock { $0.commands.append(.answer(number)) }
        waker.wake()
    }

    /// Notes that all records up to this one are handled.
    func acknowledge(_ partition: TopicPartition, next offset: Int64) {
        state.withLock { state in
            if offset > state.acknowledged[partition] ?? -1 { state.acknowledged[partition] = offset }
        }
    }

    /// Begins the end; the thread does the rest.
    func close(within timeout: Duration) {
        let deadline = ContinuousClock().now + timeout
        state.withLock { state in
            switch state.phase {
            case .open: state.phase = .closing(deadline: deadline)
            case .closing(let earlier): state.phase = .closing(deadline: min(earlier, deadline))
            case .finished: break
            }
        }
        waker.wake()
    }

    /// The partitions the consumer reads.
    var assignment: [TopicPartition] { state.withLock { $0.assignment } }

    // MARK: From the thread

    /// Lets callers use the client.
    func begin(_ client: ClientHandle) {
        state.withLock { $0.client = client }
        started.resolve(.success(()))
    }

    /// Whether the buffer takes another record.
    var hasRoom: Bool {
        let room = room
        return room.records > 0 && room.bytes > 0
    }

    /// How many records and bytes the buffer still takes.
    var room: (records: Int, bytes: Int) {
        state.withLock { (Self.capacity - $0.buffer.count, Self.byteCapacity - $0.byteCount) }
    }

    /// Hands records to the readers.
    func append(_ records: [KafkaRecord], byteCount: Int) {
        let waiters = state.withLock { state in
            state.buffer.append(contentsOf: records)
            state.byteCount += byteCount
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resolve(.success(())) }
    }

    /// Drops what is fetched of partitions, also from the batches in readers' hands.
    func void(_ partitions: some Collection<TopicPartition>) {
        let voided = Set(partitions)
        state.withLock { state in
            let generation = generationCounter.add(1, ordering: .releasing).newValue
            for partition in voided {
                state.voidedAt[partition] = generation
                state.held[partition] = nil
            }
            state.setBuffer(state.buffer.filter { !voided.contains($0.topicPartition) })
        }
    }

    /// Drops partitions that are no longer the consumer's, with all that is known of them.
    func forget(_ partitions: [TopicPartition]) {
        state.withLock { state in
            for partition in partitions { state.acknowledged[partition] = nil }
            state.paused.subtract(partitions)
            let lost = Set(partitions)
            state.assignment.removeAll { lost.contains($0) }
        }
    }

    /// The commands that wait.
    func takeCommands() -> [Command] {
        state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    var hasCommands: Bool { state.withLock { !$0.commands.isEmpty } }

    /// What is acknowledged and not committed yet, of some partitions or of all that are the consumer's.
    ///
    /// A record can be acknowledged when its partition is another member's already: the broker would take a commit of
    /// it, and so set back what the other has committed.
    func takeAcknowledged(of partitions: [TopicPartition]? = nil) -> [CommittedOffset] {
        state.withLock { state in
            let chosen = partitions ?? state.assignment
            defer { if partitions == nil { state.acknowledged = [:] } }
            return chosen.compactMap { partition in
                state.acknowledged.removeValue(forKey: partition).map { CommittedOffset(partition, offset: $0) }
            }
        }
    }

    /// The deadline of the end, once it has begun.
    var closeDeadline: ContinuousClock.Instant? {
        state.withLock { if case .closing(let deadline) = $0.phase { deadline } else { nil } }
    }

    func addAssignment(_ partitions: [TopicPartition]) {
        state.withLock { $0.assignment = Set($0.assignment + partitions).sorted() }
    }

    /// The end: readers get what is in the buffer, then the error or the end.
    func finish(_ error: (any Error)?) {
        let (waiters, commands) = state.withLock { state -> ([Promise<Void>], [Command]) in
            state.phase = .finished(error)
            state.client = nil
            state.assignment = []
            defer {
                state.waiters = []
                state.commands = []
            }
            return (state.waiters, state.commands)
        }
        for waiter in waiters { waiter.resolve(.success(())) }
        for command in commands { command.promise?.resolve(.failure(KafkaError.consumerClosed)) }
        started.resolve(.failure(KafkaError.consumerClosed))
        notices.finish()
        closed.resolve(.success(()))
    }
}

extension ConsumerCore.State {
    mutating func setBuffer(_ records: [KafkaRecord]) {
        buffer = records
        byteCount = records.reduce(0) { $0 + $1.approximateSize }
    }

    /// Keeps records of paused partitions, before those that are kept already: they are older.
    mutating func hold(_ records: [KafkaRecord]) {
        for (partition, records) in Dictionary(grouping: records, by: \.topicPartition) {
            held[partition] = records + (held[partition] ?? [])
        }
    }
}

extension Array {
    /// Splits into what fulfils a condition and the rest, each in order.
    fileprivate func partitioned(_ condition: (Element) -> Bool) -> (matching: [Element], rest: [Element]) {
        var matching: [Element] = []
        var rest: [Element] = []
        for element in self {
            if condition(element) { matching.append(element) } else { rest.append(element) }
        }
        return (matching, rest)
    }
}

extension KafkaRecord {
    /// The bytes of key and value, which is near enough for bounds.
    var approximateSize: Int { (key?.count ?? 0) + (value?.count ?? 0) }
}

extension KafkaError {
    static var consumerClosed: KafkaError { KafkaError(.closed, "The consumer was closed") }
}
