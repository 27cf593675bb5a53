// The tracker's thread: reads partitions by hand, from where the store stands, and writes batches into the store.

import KafkaClient
import SQLite
import Synchronization

/// What the tracker's thread and its owner share.
final class TrackerControl: Sendable {
    private struct State {
        var wanted: Set<TopicPartition> = []
        var isStopped = false
        /// Resolved when everything wanted was read to its present end and is in the store.
        var catchUps: [Promise<Void>] = []
        var outcome: Result<Void, any Error>?
        var ends: [Promise<Void>] = []
    }

    private let state = Mutex(State())
    let waker: Waker
    /// Says when the registry changed, and with it perhaps the topics to read.
    let registryChanges: AsyncStream<Void>
    private let registryChanged: AsyncStream<Void>.Continuation

    init() throws {
        waker = try Waker()
        (registryChanges, registryChanged) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: From the owner

    /// Reads these partitions from now on; those that were read already go on.
    func read(_ partitions: Set<TopicPartition>) {
        state.withLock { $0.wanted.formUnion(partitions) }
        waker.wake()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        waker.wake()
    }

    /// Waits until everything that is to be read now is in the store.
    nonisolated(nonsending) func catchUp() async throws {
        let promise = Promise<Void>()
        let outcome = state.withLock { state -> Result<Void, any Error>? in
            if state.outcome == nil { state.catchUps.append(promise) }
            return state.outcome
        }
        if let outcome { return try outcome.get() }
        waker.wake()
        try await promise.value()
    }

    /// Waits for the thread's end, and throws what ended it.
    func ended() async throws {
        let promise = Promise<Void>()
        let outcome = state.withLock { state -> Result<Void, any Error>? in
            if state.outcome == nil { state.ends.append(promise) }
            return state.outcome
        }
        if let outcome { return try outcome.get() }
        // A task of its own, because the thread ends also when the caller was cancelled.
        try await Task { try await promise.value() }.value
    }

    // MARK: From the thread

    var isStopped: Bool { state.withLock { $0.isStopped } }
    var wanted: Set<TopicPartition> { state.withLock { $0.wanted } }

    /// Takes those who wait for everything of `partitions`, unless more is wanted by now; of `nil` in any case.
    func takeCatchUps(readingAll partitions: Set<TopicPartition>?) -> [Promise<Void>] {
        state.withLock { state in
            if let partitions, state.wanted != partitions { return [] }
            defer { state.catchUps = [] }
            return state.catchUps
        }
    }

    func noteRegistryChange() { registryChanged.yield() }

    func finish(_ outcome: Result<Void, any Error>) {
        let (catchUps, ends) = state.withLock { state in
            state.outcome = outcome
            defer { (state.catchUps, state.ends) = ([], []) }
            return (state.catchUps, state.ends)
        }
        for promise in catchUps {
            promise.resolve(outcome.flatMap { .failure(CancellationError()) })
        }
        for promise in ends { promise.resolve(outcome) }
        registryChanged.finish()
    }
}

/// The tracker's loop, owned by its thread.
struct TrackerLoop {
    /// The most records of a transaction.
    private static let maxBatch = 5_000
    /// How long a record waits for others of its transaction.
    private static let linger = Duration.milliseconds(20)
    /// How long brokers may give nothing while somebody waits for the end.
    private static let patience = Duration.seconds(30)
    /// How often flows are judged that may be late.
    private static let sweepInterval = Duration.milliseconds(500)
    /// How often is looked whether something is to be forgotten.
    private static let retentionInterval = Duration.seconds(10)

    private let control: TrackerControl
    private let store: FlowStore
    private let writer: FlowWriter
    private let consumer: PolledConsumer
    private let retention: FlowRetention
    private let notify: @Sendable (FlowTracker.Notice) -> Void
    private var queues: [PartitionQueue] = []
    private var reading: Set<TopicPartition> = []
    /// The next offset that each partition can give, unless its offsets begin anew.
    private var expected: [TopicPartition: Int64] = [:]
    private var atEnd: Set<TopicPartition> = []
    private var batch: [KafkaRecord] = []
    private var batchBytes = 0
    private var batchBegan = ContinuousClock.now
    private var turn = 0
    private var lastProgress = ContinuousClock.now
    private var nextSweep = ContinuousClock.now
    private var nextRetention = ContinuousClock.now + Self.retentionInterval

    /// Starts the thread.
    static func start(
        _ control: TrackerControl, _ store: FlowStore, _ configuration: KafkaConfiguration, namespace: String,
        _ retention: FlowRetention, _ notify: @escaping @Sendable (FlowTracker.Notice) -> Void
    ) throws {
        var configuration = configuration
        // Where offsets are gone, what is left is read.
        configuration.offsetReset = .earliest
        configuration.isolation = .readCommitted
        configuration.properties["enable.partition.eof"] = "true"
        let properties = try configuration.librdkafkaProperties(for: .consumer(group: nil))
        try startThread(named: "flow-tracker") {
            control.finish(
                Result {
                    var loop = try TrackerLoop(control, store, properties, namespace, retention, notify)
                    try loop.run()
                })
        }
    }

    private init(
        _ control: TrackerControl, _ store: FlowStore, _ properties: [(String, String)], _ namespace: String,
        _ retention: FlowRetention, _ notify: @escaping @Sendable (FlowTracker.Notice) -> Void
    ) throws {
        self.control = control
        self.store = store
        self.retention = retention
        self.notify = notify
        writer = FlowWriter(store, namespace: namespace)
        consumer = try PolledConsumer(properties: properties, waker: control.waker)
    }

    private mutating func run() throws {
        while !control.isStopped {
            try takeEvents()
            try assign()
            let moved = try collect()
            if isDue { try write() }
            try sweep()
            try noteEnds()
            if !moved { sleep() }
        }
        try write()
    }

    private func takeEvents() throws {
        while let event = consumer.nextEvent() {
            if case .error(let error) = event, error.isFatal { throw error }
        }
    }

    /// Reads what is wanted, each partition from where the store stands.
    private mutating func assign() throws {
        let wanted = control.wanted
        guard wanted != reading else { return }
        try write()
        let positions = try store.positions().reduce(into: [:]) {
            $0[TopicPartition($1.topic, $1.partition)] = $1.next
        }
        queues = []
        queues = try consumer.assign(wanted.map { CommittedOffset($0, offset: positions[$0] ?? 0) })
        reading = wanted
        expected = positions
        atEnd = []
        lastProgress = .now
        turn = 0
    }

    /// Takes what the partitions have, in turns, and says whether it was anything.
    private mutating func collect() throws -> Bool {
        var moved = false
        var idle = 0
        while idle < queues.count, batch.count < Self.maxBatch, batchBytes < 32 << 20 {
            turn = (turn + 1) % queues.count
            var found = false
            partition: for _ in 0..<500 {
                switch queues[turn].poll() {
                case .record(let record):
                    try expect(record)
                    if batch.isEmpty { batchBegan = .now }
                    atEnd.remove(record.topicPartition)
                    batch.append(record)
                    batchBytes += record.byteCount
                    found = true
                case .end:
                    atEnd.insert(queues[turn].topicPartition)
                    lastProgress = .now
                // Reading goes on by itself, or its partition is gone; the others go on in either case.
                case .failed: continue partition
                case .empty: break partition
                }
            }
            moved = moved || found
            if found { lastProgress = .now }
            idle = found ? 0 : idle + 1
        }
        return moved
    }

    /// Notes how far a partition was read; one that goes back is read anew, after all that was read before is written.
    ///
    /// Offsets of a partition only rise, unless the broker says that the offset asked for is behind the partition's end.
    private mutating func expect(_ record: KafkaRecord) throws {
        let place = record.topicPartition
        if record.offset < expected[place] ?? 0 {
            try writeAll()
            try persist { try writer.startAnew(place) }
            notify(.startedAnew(place))
        }
        expected[place] = record.offset.addingSaturated(1)
    }

    /// Whether the batch is full or has waited long enough.
    private var isDue: Bool {
        !batch.isEmpty
            && (batch.count >= Self.maxBatch || batchBytes >= 32 << 20 || batchBegan + Self.linger <= .now)
    }

    private mutating func write() throws {
        guard !batch.isEmpty else { return }
        do {
            let applied = try writer.apply(batch, at: wallMilliseconds())
            batch.removeAll(keepingCapacity: true)
            batchBytes = 0
            if applied.registryChanged { control.noteRegistryChange() }
        } catch let error as SQLiteError where error.code.primary == .busy {
            // Another tracker writes the same file; it will see that it is not the active one any more.
            batchBegan = .now
        }
    }

    /// Writes the batch, however long another writer of the file is at it, unless the tracker is stopped.
    private mutating func writeAll() throws {
        while !batch.isEmpty, !control.isStopped { try write() }
    }

    /// Does something to the store, however long another writer of the file is at it; `false` when the tracker is stopped.
    @discardableResult
    private func persist(_ body: () throws -> Void) throws -> Bool {
        while !control.isStopped {
            do {
                try body()
                return true
            } catch let error as SQLiteError where error.code.primary == .busy {
                // SQLite has waited for the other writer.
            }
        }
        return false
    }

    private mutating func sweep() throws {
        let now = ContinuousClock.now
        if now >= nextSweep {
            do {
                // A slice at a time, so that reading goes on between them.
                let more = try writer.sweep(at: wallMilliseconds())
                nextSweep = more ? now : now + Self.sweepInterval
            } catch let error as SQLiteError where error.code.primary == .busy {
                nextSweep = now + Self.sweepInterval
            }
        }
        if now >= nextRetention {
            do {
                let forgotten = try writer.forget(retention, at: wallMilliseconds())
                nextRetention = forgotten > 0 ? now : now + Self.retentionInterval
            } catch let error as SQLiteError where error.code.primary == .busy {
                nextRetention = now + Self.retentionInterval
            }
        }
    }

    /// Tells those who wait for it that everything is in the store.
    private mutating func noteEnds() throws {
        guard atEnd.count == reading.count else { return failSilent() }
        let waiting = control.takeCatchUps(readingAll: reading)
        guard !waiting.isEmpty else { return }
        try writeAll()
        var more = true
        while more, try persist({ more = try writer.sweep(at: wallMilliseconds()) }) {}
        let isDone = batch.isEmpty && !more
        for promise in waiting { promise.resolve(isDone ? .success(()) : .failure(CancellationError())) }
    }

    /// Tells those who wait that the brokers give nothing: that is an error, not the end.
    private func failSilent() {
        guard lastProgress + Self.patience < .now, let silent = reading.subtracting(atEnd).min() else { return }
        let error = KafkaError(
            .timedOut, "The brokers gave nothing to read for \(Self.patience.components.seconds) s", isRetriable: true,
            topic: silent.topic, partition: silent.partition,
            advice: "Check the brokers' health with `troupe doctor`, then try again")
        for promise in control.takeCatchUps(readingAll: nil) { promise.resolve(.failure(error)) }
    }

    private func sleep() {
        control.waker.prepareToSleep()
        if control.isStopped || control.wanted != reading || !consumer.isEmpty
            || queues.contains(where: { !$0.isEmpty })
        {
            control.waker.cancelSleep()
        } else {
            control.waker.sleep(milliseconds: batch.isEmpty ? 100 : 5)
        }
    }
}
