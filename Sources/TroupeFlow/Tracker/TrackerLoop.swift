// The tracker's thread: reads partitions by hand, from where the store stands, and writes batches into the store.

import KafkaClient
import SQLite

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
    /// Whether the store began anew by another's hand, so that everything is to be read from where it stands now.
    private var isOutdated = false
    /// Those who wait for the ends that partitions had when they asked.
    private var catchUps: [CatchUp] = []
    /// Why partitions cannot be read, as far as the brokers say.
    private var failures: [TopicPartition: KafkaError] = [:]
    /// The topics that were said to be unreadable.
    private var unreadable: Set<String> = []
    /// Whether any partition gave something since they were assigned.
    private var isHeard = false
    private var batch: [KafkaRecord] = []
    private var batchBytes = 0
    private var batchBegan = ContinuousClock.now
    private var turn = 0
    /// When a partition that somebody waits for gave something last.
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
        defer { for catchUp in catchUps { catchUp.promise.resolve(.failure(CancellationError())) } }
        while !control.isStopped {
            try takeEvents()
            try assign()
            let moved = try collect()
            if isDue { try write() }
            try noteEnds()
            try sweep()
            if !moved, !isOutdated, ContinuousClock.now < nextSweep { sleep() }
        }
        try write()
    }

    private func takeEvents() throws {
        while let event = consumer.nextEvent() {
            if case .error(let error) = event, error.isFatal { throw error }
        }
    }

    /// Reads what is wanted, each partition from where the store stands.
    ///
    /// Also when somebody begins to wait for the end: what is said of an end after this was asked for after it.
    private mutating func assign() throws {
        let (wanted, asked) = control.takeCatchUps()
        guard wanted != reading || !asked.isEmpty || isOutdated else { return }
        for catchUp in asked {
            catchUps.append(catchUp)
            for (partition, error) in catchUp.unreadable { note(error, of: partition) }
        }
        try write()
        // What could not be written is read again, and the store may have begun anew since.
        batch.removeAll(keepingCapacity: true)
        batchBytes = 0
        for index in catchUps.indices { catchUps[index].beginAgain() }
        isOutdated = false
        let positions = try writer.positions().reduce(into: [:]) {
            $0[TopicPartition($1.topic, $1.partition)] = $1.next
        }
        queues = []
        queues = try consumer.assign(wanted.map { CommittedOffset($0, offset: positions[$0] ?? 0) })
        reading = wanted
        expected = positions
        isHeard = false
        lastProgress = .now
        turn = 0
    }

    /// Takes what the partitions have, in turns, and says whether it was anything.
    private mutating func collect() throws -> Bool {
        var moved = false
        var idle = 0
        while idle < queues.count, !isOutdated, batch.count < Self.maxBatch, batchBytes < 32 << 20 {
            turn = (turn + 1) % queues.count
            let place = queues[turn].topicPartition
            var found = false
            partition: for _ in 0..<500 {
                switch queues[turn].poll() {
                case .record(let record):
                    guard try expect(record) else { return true }
                    if batch.isEmpty { batchBegan = .now }
                    batch.append(record)
                    batchBytes += record.byteCount
                    found = true
                case .end:
                    noteReached(place, .max)
                // Reading goes on by itself; the others go on in any case.
                case .failed(let error): note(error, of: place)
                case .empty: break partition
                }
            }
            if found { noteReached(place, expected[place] ?? 0) }
            moved = moved || found
            idle = found ? 0 : idle + 1
        }
        return moved
    }

    /// Notes how far a partition was read; one that goes back is read anew, after all that was read before is written.
    ///
    /// Offsets of a partition only rise, unless the broker says that the offset asked for is behind the partition's end.
    ///
    /// - Returns: Whether the record is to be taken; not when it will be read again.
    private mutating func expect(_ record: KafkaRecord) throws -> Bool {
        let place = record.topicPartition
        if record.offset < expected[place] ?? 0 {
            try writeAll()
            if !isOutdated {
                do { try persist { try writer.startAnew(place) } } catch is FlowWriter.Outdated { isOutdated = true }
            }
            if isOutdated { return false }
            notify(.startedAnew(place))
        }
        expected[place] = record.offset.addingSaturated(1)
        return true
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
        } catch is FlowWriter.Outdated {
            // What was read is not what comes next there: it is read again from where the store stands.
            batch.removeAll(keepingCapacity: true)
            batchBytes = 0
            isOutdated = true
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
                if !more { noteJudged() }
            } catch is FlowWriter.Outdated {
                isOutdated = true
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

    // MARK: Ends

    /// Notes that everything before an offset was read of a partition; of `.max` that it has nothing more to give now.
    private mutating func noteReached(_ partition: TopicPartition, _ next: Int64) {
        isHeard = true
        if failures.removeValue(forKey: partition) != nil {
            let isWhole = !failures.keys.contains { $0.topic == partition.topic }
            if isWhole { unreadable.remove(partition.topic) }
        }
        for index in catchUps.indices where catchUps[index].noteReached(partition, next) { lastProgress = .now }
    }

    /// Notes why a partition cannot be read, and says it of its topic once.
    ///
    /// Nobody waits for it when it does not mend by itself.
    private mutating func note(_ error: KafkaError, of partition: TopicPartition) {
        failures[partition] = error
        guard !error.isRetriable || catchUps.contains(where: { $0.unreadable[partition] != nil }) else { return }
        if unreadable.insert(partition.topic).inserted { notify(.unreadable(topic: partition.topic, error)) }
        for index in catchUps.indices { catchUps[index].giveUp(partition) }
    }

    /// Writes what was read for those who wait, and has it judged before they are told.
    private mutating func noteEnds() throws {
        try giveUpSilent()
        for index in catchUps.indices where catchUps[index].isRead && !catchUps[index].isWritten {
            try writeAll()
            guard batch.isEmpty, !isOutdated else { return }
            catchUps[index].isWritten = true
            nextSweep = .now
        }
    }

    /// Gives up partitions that give nothing while others do; when none does, that is an error, not the end.
    private mutating func giveUpSilent() throws {
        guard lastProgress + Self.patience < .now else { return }
        let silent = Set(catchUps.flatMap(\.remaining.keys))
        guard let first = silent.min() else { return }
        lastProgress = .now
        let seconds = Self.patience.components.seconds
        guard isHeard else {
            let error = KafkaError(
                .timedOut, "The brokers gave nothing to read for \(seconds) s", isRetriable: true, topic: first.topic,
                partition: first.partition,
                advice: "Check the brokers' health with `troupe doctor`, then try again")
            for catchUp in catchUps { catchUp.promise.resolve(.failure(error)) }
            catchUps = []
            return
        }
        for partition in silent.sorted() {
            var error =
                failures[partition]
                ?? KafkaError(
                    .timedOut, "Nothing could be read for \(seconds) s", topic: partition.topic,
                    partition: partition.partition)
            error.isRetriable = false
            note(error, of: partition)
        }
    }

    /// Tells those who wait that everything is in the store and judged.
    private mutating func noteJudged() {
        for catchUp in catchUps where catchUp.isWritten { catchUp.promise.resolve(.success(())) }
        catchUps.removeAll(where: \.isWritten)
    }

    private func sleep() {
        control.waker.prepareToSleep()
        if control.isStopped || control.wanted != reading || control.hasCatchUps || !consumer.isEmpty
            || queues.contains(where: { !$0.isEmpty })
        {
            control.waker.cancelSleep()
        } else {
            control.waker.sleep(milliseconds: batch.isEmpty ? 100 : 5)
        }
    }
}
