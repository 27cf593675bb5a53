// The engine of one service instance: its state and its loop.

import KafkaClient
import Synchronization

/// The engine of one service instance.
///
/// One dedicated thread owns it: it polls, runs the handlers, publishes, takes delivery reports and commits, so that
/// nothing of it is locked and no record hops between threads. Handlers that wait free the thread and come back to it.
///
/// How a record goes: `takeRecords` puts it into its key's lane; a drain task takes it out and handles it
/// (`EngineHandling`); what it publishes goes to the producer (`EnginePublishing`); when all of that is acknowledged
/// the partition's ledger notes it and the next commit covers it (`EngineCommits`). Partitions come and go in
/// `EngineRebalance`.
///
/// `@unchecked Sendable`: everything but the atomics and `shared` is touched on the engine's thread alone. The drain
/// tasks run there too, since the engine is their executor.
final class ServiceEngine: @unchecked Sendable {
    let processor: RecordProcessor
    let settings: EngineSettings
    let logger: Logger
    let waker: Waker
    let executor: EngineExecutor
    let makeProducer: () throws -> ProducerQueue
    /// Makes a producer that sends each record in a batch of its own.
    let makeSingleProducer: () throws -> ProducerQueue

    // Kafka.
    let consumer: PolledConsumer
    var producer: ProducerQueue
    /// Sends again what was refused, each record alone; made when the first is.
    var singles: ProducerQueue?
    let slowAfter: UInt64
    /// The number of partitions of the retry and dead-letter topics, which may differ from their input's.
    let partitionCounts: [String: Int32]

    // Partitions and records. What every record touches is not checked for overlapping accesses: one thread makes them
    // all, and checking cost 430 instructions a record for the lanes alone.
    var partitions: [PartitionState] = []
    var pollStart = 0
    var nextPartitionID: Int32 = 0
    @exclusivity(unchecked) var lanes: LaneTable<InFlight>
    var timers = TimerHeap<EngineTimer>()
    @exclusivity(unchecked) var inputBudget: FlowBudget
    @exclusivity(unchecked) var retryBudget: FlowBudget
    /// What was published and is not acknowledged: handlings and bytes.
    @exclusivity(unchecked) var unacknowledged: FlowBudget
    /// The routes with bounds of their own, by the routes' indices.
    let routes: [RouteControl?]
    @exclusivity(unchecked) var serial: UInt64 = 0

    // Transactions; none of it is used at least once.
    @exclusivity(unchecked) var cycle: TransactionCycle?
    var nextIdleCommit: UInt64 = 0
    /// When the call about transactions that is under way must have been answered, in monotonic nanoseconds.
    var callDeadline: UInt64?
    /// Partitions that were dropped with an aborted transaction and wait to be taken over again.
    var recovering: [PartitionState] = []
    /// Records whose publications the broker refused for good in a transaction.
    var refusals: [RecordPlace: Refusal] = [:]

    // Taking partitions over, and lifting marks.
    let offsets: GroupOffsetsQuery
    let readerProperties: [(String, String)]
    var takeovers: [Takeover] = []
    var takeoverNumber: UInt = 0
    var nextLift: UInt64 = 0
    var liftUnderWay = false

    // Telling what is done.
    /// Reports every attempt; `nil` when nothing is told.
    let reports: TaskJournal?
    /// What the journal knows of the topic of tasks; see `EngineShared.tasksTopic`.
    var tasksTopic = 0
    /// The commit that waits for reports.
    var heldCommit: HeldCommit?
    /// What the wall clock was ahead of the monotonic one at the start of the loop's round, in nanoseconds.
    @exclusivity(unchecked) var wallOffset: Int64 = 0
    /// Counts changes of what this instance owns.
    var assignments = 0
    var news = EngineNews()

    // Drain tasks.
    @exclusivity(unchecked) var running = 0
    var drainTasks = 0
    var parked: [UnsafeContinuation<Void, Never>] = []
    var tasks: [Task<Void, Never>] = []
    @exclusivity(unchecked) var slice = 0
    /// The monotonic time at the start of the loop's round: exact enough for what spans seconds.
    @exclusivity(unchecked) var loopTime: UInt64 = 0

    // Publishing and committing.
    @exclusivity(unchecked) var backlog = Backlog()
    @exclusivity(unchecked) var resends = ResendBackoff()
    var producerFailed = false
    /// No producer is replaced before this monotonic time: one that fails again at once must not be replaced in a loop.
    var nextReplacement: UInt64 = 0
    var commitUnderWay = false
    var nextCommit: UInt64 = 0

    // Life.
    @exclusivity(unchecked) var phase = ServiceStatus.Phase.starting
    var revocation: Revocation?
    var stopDeadline: UInt64 = 0
    var closeAllowance = UInt64.max
    var stopStage = StopStage.draining
    @exclusivity(unchecked) var endsTasks = false
    var everAssigned = false
    var failure: (any Error)?
    @exclusivity(unchecked) var status = ServiceStatus()
    @exclusivity(unchecked) var latencies = LatencyHistogram()
    var nextStatus: UInt64 = 0
    var nextWatch: UInt64 = 0

    /// What other threads may read or ask for.
    let shared: EngineShared

    init(
        processor: RecordProcessor, settings: EngineSettings, logger: Logger, consumerProperties: [(String, String)],
        producerProperties: [(String, String)], readerProperties: [(String, String)], partitionCounts: [String: Int32],
        shared: EngineShared, reports: TaskJournal? = nil
    ) throws {
        self.reports = reports
        self.partitionCounts = partitionCounts
        slowAfter = settings.slowHandlerThreshold.nanoseconds
        self.processor = processor
        self.settings = settings
        self.logger = logger
        self.shared = shared
        let waker = shared.waker
        self.waker = waker
        executor = EngineExecutor(waker: waker)
        makeProducer = { try ProducerQueue(properties: producerProperties, waker: waker) }
        makeSingleProducer = {
            let others = producerProperties.filter { $0.0 != "batch.num.messages" }
            return try ProducerQueue(properties: others + [("batch.num.messages", "1")], waker: waker)
        }
        producer = try makeProducer()
        cycle = producer.isTransactional ? TransactionCycle() : nil
        consumer = try PolledConsumer(properties: consumerProperties, waker: waker)
        offsets = GroupOffsetsQuery(of: consumer)
        self.readerProperties = readerProperties
        lanes = LaneTable()
        inputBudget = FlowBudget(maxCount: settings.maxRecordsInFlight, maxBytes: settings.maxBytesInFlight)
        retryBudget = FlowBudget(maxCount: settings.maxRetriesInFlight, maxBytes: settings.maxBytesInFlight)
        unacknowledged = FlowBudget(maxCount: .max, maxBytes: settings.maxBytesUnacknowledged)
        routes = RouteControl.all(processor.routes, settings)
        status.service = processor.service
    }

    // MARK: The loop

    /// Runs until stopped, on the calling thread, which must be the engine's own.
    func run() {
        executor.adoptCurrentThread()
        initializeTransactions()
        do {
            try consumer.subscribe(to: processor.inputTopics + processor.retryTopics)
        } catch {
            failure = error
            phase = .stopped
        }
        startRouteThreads()
        while phase != .stopped {
            shared.heartbeat()
            let lastTime = loopTime
            loopTime = EngineClock.monotonic
            if let reports { beginRound(reports, after: lastTime) }
            var progress = serveConsumer()
            progress = advanceTakeovers() || progress
            progress = takeRecords() || progress
            progress = fireTimers() || progress
            progress = runHandlers() || progress
            progress = serveProducer() || progress
            progress = sendBacklog() || progress
            advanceReports()
            advanceTransactions()
            commitIfDue()
            advanceRevocation()
            advanceStop()
            publishStatus(force: false)
            if !progress, phase != .stopped { sleep() }
        }
        if drainTasks > 0 {
            logger.error("Handlers ignored their cancellation", metadata: [LogKey.count: "\(drainTasks)"])
        }
        partitions = []
        endRouteThreads()
        publishStatus(force: true)
        shared.finish(failure)
    }

    /// Sleeps until something wakes the thread or the next time is due.
    private func sleep() {
        waker.prepareToSleep()
        if hasSomethingToDo {
            waker.cancelSleep()
            return
        }
        publishStatus(force: true)
        let now = EngineClock.monotonic
        var due = now + 1_000_000_000
        if let timer = timers.earliest { due = min(due, timer) }
        if let transaction = nextTransaction { due = min(due, transaction) }
        if let inquiry = nextInquiry { due = min(due, inquiry) }
        if let report = nextReport { due = min(due, report) }
        if phase == .running, revocation == nil, !commitUnderWay, !isTransactional, hasUncommitted {
            due = min(due, nextCommit)
        }
        if let revocation, loopTime < revocation.deadline { due = min(due, revocation.deadline) }
        if phase == .stopping { due = min(due, stopDeadline) }
        // Rounded up to a millisecond: never early, at most one late.
        let wait = due > now ? (due - now + 999_999) / 1_000_000 : 0
        shared.isSleeping.store(true, ordering: .relaxed)
        waker.sleep(milliseconds: Int32(min(wait, 1_000)))
        shared.isSleeping.store(false, ordering: .relaxed)
    }

    private var hasSomethingToDo: Bool {
        if !consumer.isEmpty || !producer.isEmpty || singles?.isEmpty == false || executor.hasRemoteJobs { return true }
        if hasNewsForTakeovers { return true }
        if shared.stopWanted.load(ordering: .sequentiallyConsistent) != shared.stopSeen { return true }
        guard phase == .running, hasRoomToPublish else { return false }
        return partitions.contains { partition in
            // Of others nothing is taken: what waits in their queues must not keep the thread awake.
            guard partition.phase == .active, hasRoom(partition) else { return false }
            if partition.heldBack != nil { return true }
            if let deferred = partition.deferred { return partition.ledger.hasRoom(for: deferred.offset) }
            return partition.queue?.isEmpty == false
        }
    }

    // MARK: Taking records

    /// Takes records from the partitions that have room, in turn.
    ///
    /// Returns whether there were any.
    private func takeRecords() -> Bool {
        guard phase == .running, hasRoomToPublish, !partitions.isEmpty else { return false }
        var progress = false
        pollStart = (pollStart + 1) % partitions.count
        for index in partitions.indices {
            let partition = partitions[(pollStart + index) % partitions.count]
            guard partition.phase == .active, let queue = partition.queue else { continue }
            var count = 0
            polling: while count < 128, hasRoom(partition) {
                if let (item, hash) = partition.heldBack {
                    partition.heldBack = nil
                    enter(item.byteCount, Int(item.gate), partition)
                    lanes.append(item, partition: partition.id, hash: hash)
                }
                if let deferred = partition.deferred {
                    partition.deferred = nil
                    take(deferred, partition)
                    if partition.deferred != nil { break }
                }
                switch queue.poll() {
                case .record(let record): take(record, partition)
                case .failed(let error): report(error)
                case .end(let offset): partition.ledger.skip(to: offset)
                case .empty: break polling
                }
                count += 1
            }
            progress = progress || count > 0
        }
        return progress
    }

    /// Whether one more record of `partition` may be taken now.
    func hasRoom(_ partition: PartitionState) -> Bool {
        guard !partition.ledger.isFull else { return false }
        if let (item, _) = partition.heldBack, !routeHasRoom(Int(item.gate), partition) { return false }
        if partition.isRetry { return retryBudget.hasRoom }
        return partition.open < settings.maxRecordsInFlightPerPartition && inputBudget.hasRoom
    }

    private func take(_ record: KafkaRecord, _ partition: PartitionState) {
        if partition.start < 0 { partition.start = record.offset }
        switch partition.ledger.take(record.offset) {
        case .taken: break
        case .alreadyDone: return
        case .restarted:
            logger.warning(
                "The partition went back: its topic was made anew, or the broker lost its end",
                metadata: [
                    LogKey.topic: record.topic, LogKey.partition: "\(record.partition)",
                    LogKey.offset: "\(record.offset)",
                ])
        case .noRoom:
            partition.deferred = record
            return
        }
        serial += 1
        switch processor.classify(record, partition.role) {
        case .skip:
            // Unrouted types are skipped before anything is decoded or queued.
            partition.ledger.complete(record.offset)
            status.skipped += 1
            return
        case .handle(let handling):
            let gate = handling.route.isGated ? handling.route.index : -1
            if gate >= 0, !routeHasRoom(gate, partition) {
                partition.heldBack = (InFlight(partition, serial, record, handling), laneHash(record))
                return
            }
            enter(record.byteCount, gate, partition)
            let node = lanes.append(partition: partition.id, hash: laneHash(record))
            lanes[node] = InFlight(partition, serial, record, handling)
        case .deadLetter(let failure):
            enter(record.byteCount, -1, partition)
            let node = lanes.append(partition: partition.id, hash: laneHash(record))
            lanes[node] = InFlight(partition, serial, record, failure)
        }
    }

    /// Counts a record that goes into its lane; `gate` is its route when that has bounds of its own, or -1.
    private func enter(_ byteCount: Int, _ gate: Int, _ partition: PartitionState) {
        partition.open += 1
        withBudget(of: partition) { $0.add(byteCount) }
        if gate >= 0 { routes[gate]?.take(byteCount, partition) }
    }

    /// Ends a record: it leaves the bounds, and the ledger when `isDone`.
    func end(_ node: Int32, isDone: Bool) {
        lanes.advance(node)
        if let partition = lanes[node].partition {
            if isDone, partition.isOwned { partition.ledger.complete(lanes[node].offset) }
            forget(partition, lanes[node])
        }
        if lanes[node].publishedBytes > 0 { unacknowledged.remove(lanes[node].publishedBytes) }
        lanes.remove(node)
    }

    /// Takes a record out of the bounds.
    func forget(_ partition: PartitionState, _ item: borrowing InFlight) {
        partition.open -= 1
        let byteCount = item.byteCount
        withBudget(of: partition) { $0.remove(byteCount) }
        if item.gate >= 0 { routes[Int(item.gate)]?.leave(byteCount, partition) }
    }

    private func withBudget(of partition: PartitionState, _ body: (inout FlowBudget) -> Void) {
        if partition.isRetry { body(&retryBudget) } else { body(&inputBudget) }
    }

    // MARK: Timers

    private func fireTimers() -> Bool {
        guard timers.count > 0 else { return false }
        let now = EngineClock.monotonic
        var progress = false
        while let timer = timers.popDue(at: now) {
            progress = true
            switch timer {
            case .resume(let node, let serial):
                // The record may be gone and its node another's: a partition was given up meanwhile.
                guard lanes[node].serial == serial, lanes[node].stage == .waiting else { continue }
                lanes[node].stage = .queued
                status.waiting -= 1
                lanes.resume(node)
            case .resend(let message, let node, let serial):
                guard lanes[node].serial == serial else { continue }
                if lanes[node].isOwned { send(message, for: node) } else { withdraw(node) }
            case .letThrough(let route):
                guard let control = routes[route] else { continue }
                control.timer = nil
                letThrough(control)
            }
        }
        return progress
    }

    /// Holds the lane of `node` until `due` in monotonic nanoseconds.
    func hold(_ node: Int32, until due: UInt64) {
        lanes[node].stage = .waiting
        status.waiting += 1
        lanes.hold(node)
        timers.add(.resume(node, serial: lanes[node].serial), due: due)
    }

    // MARK: Trouble

    /// Reports an error of Kafka's; a fatal one ends the engine.
    func report(_ error: KafkaError) {
        if error.isFatal {
            logger.error("Kafka reported a fatal error", metadata: [LogKey.error: "\(error)"])
            failure = failure ?? error
            shared.requestStop(atOnce: true)
        } else {
            status.trouble = error.description
            logger.warning("Kafka reported an error", metadata: [LogKey.error: "\(error)"])
        }
    }
}
