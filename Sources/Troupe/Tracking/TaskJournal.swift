// What an instance reports of its attempts: batches, and which of them are acknowledged. No I/O.

import KafkaClient

/// Collects reports into records of the topic of tasks, and keeps account of those that are not acknowledged.
///
/// The engine sends the batches, tells what became of them, and commits nothing before `isSettled` says that all it
/// covers is reported. When the topic fails tracking is suspended: what was not acknowledged and what comes meanwhile is
/// counted as lost, and everything is settled.
///
/// Times are monotonic nanoseconds. A class, so that an engine without one has a single nil to look at.
final class TaskJournal {
    /// A record's worth of reports.
    struct Batch {
        let number: Int
        let message: PackedMessage
        let count: Int
        /// When it was offered to the producer first; `nil` before.
        var offeredAt: UInt64?
        /// The longest standstill since then, in nanoseconds.
        var standstill: UInt64 = 0
    }

    /// How large a batch may be before it is sealed, in bytes.
    static let sealSize = 256 << 10
    /// How many bytes may wait for their acknowledgement before no further handling starts.
    static let maxBytesUnacknowledged = 16 << 20

    /// How many batches' room is kept.
    private static let maxSpare = 4

    private let topic: String
    private let key: [UInt8]
    private let batchInterval: UInt64
    private let timeout: UInt64
    private let patience: UInt64
    private let firstSuspension: UInt64

    // Written for every event by the engine's thread alone: not checked for overlapping accesses.
    @exclusivity(unchecked) private var writer: TaskBatchWriter
    @exclusivity(unchecked) private var firstAddedAt: UInt64 = 0
    /// When something is reported again; never by itself where the topic is not there.
    @exclusivity(unchecked) private var resumesAt: UInt64?
    private var lastNumber = 0
    /// Sealed and not handed to the producer, by number.
    private var waiting: [Batch] = []
    /// Handed to the producer and not acknowledged, by number.
    private var underWay: [Batch] = []
    private var unacknowledgedBytes = 0
    /// The room of batches that are acknowledged, for the next ones: large allocations make the allocator merge its lists of
    /// small ones, which everybody pays for.
    private var spare: [PackedMessage] = []
    private var pause: UInt64 = 0
    /// Reports that were lost because the topic failed.
    private(set) var lost = 0
    /// Batches that nobody waits for any more and that the producer still has.
    private(set) var strays = 0

    /// - Parameters:
    ///   - limit: the most bytes of a record.
    ///   - transactionTimeout: how long the broker lets a transaction be open that the batches are part of; `nil` at least
    ///     once.
    ///   - isTopicAbsent: whether nothing is reported before `topicAppeared`.
    init(
        topic: String, service: String, instance: String, limit: Int, settings: TrackingSettings,
        transactionTimeout: Duration? = nil, isTopicAbsent: Bool = false
    ) {
        self.topic = topic
        if isTopicAbsent { resumesAt = .max }
        key = Array("\(service)/\(instance)".utf8)
        batchInterval = settings.batchInterval.nanoseconds
        timeout = settings.acknowledgementTimeout.nanoseconds
        // A transaction began before its batches, and ends with them at the latest.
        patience = min(timeout, transactionTimeout.map { $0.nanoseconds / 2 } ?? .max)
        firstSuspension = settings.suspension.nanoseconds
        writer = TaskBatchWriter(
            service: service, instance: instance, limit: Self.valueLimit(ofRecord: limit, keyCount: key.count))
    }

    /// The most bytes of a record's value; for what it has beside see `PackedMessage.maxWireSize`.
    private static func valueLimit(ofRecord limit: Int, keyCount: Int) -> Int { max(limit - keyCount - 160, 1_024) }

    // MARK: Reporting

    /// Reports an attempt at an event that a route handles.
    func add(_ attempt: Attempt, at handling: Handling, now: UInt64) {
        add(
            attempt, handling.record, handling.envelope, handling.correlation, handling.origin, handling.replayCount,
            now)
    }

    /// Reports what became of a record that no route could handle.
    func add(_ attempt: Attempt, at record: KafkaRecord, _ origin: RecordOrigin, replays: Int, now: UInt64) {
        let record = (try? StructuredMode.normalized(record)) ?? record
        let envelope = RawEnvelope(scanning: record)
        let flow = envelope.correlationID.count > 0 ? envelope.correlationID : envelope.id
        add(attempt, record, envelope, flow, origin, replays, now)
    }

    private func add(
        _ attempt: Attempt, _ record: KafkaRecord, _ envelope: RawEnvelope, _ flow: RecordSlice, _ origin: RecordOrigin,
        _ replays: Int, _ now: UInt64
    ) {
        guard resumesAt == nil else {
            lost += 1
            return
        }
        if !writer.add(attempt, record, envelope, flow, origin, replays) {
            // It is the one too many, or too large by itself: its events tell their cause themselves.
            seal()
            var alone = attempt
            if !writer.add(alone, record, envelope, flow, origin, replays) {
                alone.published = []
                guard writer.add(alone, record, envelope, flow, origin, replays) else {
                    lost += 1
                    return
                }
            }
        }
        if writer.count == 1 { firstAddedAt = now }
        if writer.size >= Self.sealSize { seal() }
    }

    // MARK: Batches

    /// Whether nothing is left to be handed to the producer.
    var isEmpty: Bool { writer.count == 0 && waiting.isEmpty }

    /// Whether another attempt may begin: not while too much waits for its acknowledgement.
    var hasRoom: Bool { unacknowledgedBytes < Self.maxBytesUnacknowledged }

    /// When what is collected is to be sealed; `nil` when there is nothing.
    var sealDue: UInt64? { writer.count == 0 ? nil : firstAddedAt + batchInterval }

    /// Ends the batch that is being collected, if there is one.
    ///
    /// Returns the number of the last batch, which is settled when all earlier ones are.
    @discardableResult
    func seal() -> Int {
        let count = writer.count
        guard count > 0 else { return lastNumber }
        var message =
            spare.popLast() ?? PackedMessage(topic: topic, capacity: key.count + writer.size + 64, headers: 1)
        key.withUnsafeBytes { message.setKey($0) }
        writer.finish { message.setValue($0) }
        message.addHeader(HeaderName.contentType, "application/json")
        lastNumber += 1
        waiting.append(Batch(number: lastNumber, message: message, count: count))
        unacknowledgedBytes += message.byteCount
        return lastNumber
    }

    /// The next batch for the producer.
    var next: Batch? { waiting.first }

    /// The producer took the next batch.
    func sent(now: UInt64) {
        guard !waiting.isEmpty else { return }
        var batch = waiting.removeFirst()
        batch.offeredAt = batch.offeredAt ?? now
        underWay.append(batch)
    }

    /// The producer has no room for the next batch: from now on it is waited for, like one that was sent.
    func delayed(now: UInt64) {
        if !waiting.isEmpty, waiting[0].offeredAt == nil { waiting[0].offeredAt = now }
    }

    /// Whether the outcome of a batch that was sent is awaited.
    func isAwaited(_ number: Int) -> Bool { underWay.contains { $0.number == number } }

    /// Whether all batches up to `number` are acknowledged, or given up.
    func isSettled(through number: Int) -> Bool {
        (waiting.first?.number ?? .max) > number && (underWay.first?.number ?? .max) > number
    }

    /// The broker has a batch.
    ///
    /// Returns whether it is the first one after tracking failed.
    func acknowledged(_ number: Int) -> Bool {
        guard var message = remove(number)?.message else { return false }
        if spare.count < Self.maxSpare {
            message.removeAll()
            spare.append(message)
        }
        defer { pause = 0 }
        return pause > 0
    }

    /// A batch was not delivered, through no fault of its topic: it is the next one again.
    func sendAgain(_ number: Int) {
        guard let batch = remove(number) else { return }
        unacknowledgedBytes += batch.message.byteCount
        waiting.insert(batch, at: waiting.firstIndex { $0.number > number } ?? waiting.endIndex)
    }

    /// A batch was not delivered, and what it tells is going to be told again.
    func forget(_ number: Int) { _ = remove(number) }

    /// The producer reports on a batch that nobody waits for.
    func strayed() { strays = max(strays - 1, 0) }

    /// Everything is dropped, because the attempts it tells of are undone.
    func abandon() {
        strays += underWay.count
        waiting = []
        underWay = []
        unacknowledgedBytes = 0
        writer.clear()
    }

    private func remove(_ number: Int) -> Batch? {
        guard let index = underWay.firstIndex(where: { $0.number == number }) else {
            strayed()
            return nil
        }
        unacknowledgedBytes -= underWay[index].message.byteCount
        return underWay.remove(at: index)
    }

    // MARK: Failing

    /// When the oldest batch that was offered to the producer must have been acknowledged; `nil` when none is awaited.
    var deadline: UInt64? {
        due(after: timeout)
    }

    /// Whether a transaction that fails now has failed for the sake of reports: some of them have waited for as long as they
    /// may, or for half of the transaction's own time, whichever is less.
    func isOverdue(now: UInt64) -> Bool { due(after: patience).map { now >= $0 } ?? false }

    private func due(after limit: UInt64) -> UInt64? {
        let oldest = [underWay.first, waiting.first].compactMap { batch in
            batch.flatMap { batch in batch.offeredAt.map { $0 + batch.standstill } }
        }
        return oldest.min().map { $0 + limit }
    }

    /// The topic failed: everything is given up, and nothing is reported for a while.
    ///
    /// Returns how long, in nanoseconds, when nothing has failed since the last acknowledgement; else `nil`.
    func suspend(now: UInt64) -> UInt64? {
        let isFirst = pause == 0
        lose()
        pause = isFirst ? max(firstSuspension, 1) : min(pause * 2, max(firstSuspension, 600_000_000_000))
        resumesAt = now + pause
        return isFirst ? pause : nil
    }

    /// Gives up everything that is not acknowledged.
    private func lose() {
        lost += writer.count + waiting.reduce(0) { $0 + $1.count } + underWay.reduce(0) { $0 + $1.count }
        abandon()
    }

    /// Ends a suspension whose time has passed.
    func resume(now: UInt64) {
        if let time = resumesAt, now >= time { resumesAt = nil }
    }

    /// Whether nothing is reported at present.
    var isSuspended: Bool { resumesAt != nil }

    /// Whether nothing is reported because the topic is not there.
    var isTopicAbsent: Bool { resumesAt == .max }

    /// The topic is there, and takes so many bytes of a record at most: from now on what is done is reported.
    func topicAppeared(limit: Int) {
        writer.limit = Self.valueLimit(ofRecord: limit, keyCount: key.count)
        if isTopicAbsent { resumesAt = nil }
    }

    /// The topic, which was taken to be there, is not: everything is given up, and nothing is reported before
    /// `topicAppeared`.
    func topicVanished() {
        lose()
        resumesAt = .max
    }

    /// A round of the loop that takes longer, in nanoseconds, shows that the process was not let run, or that a handler
    /// blocked it: the thread sleeps a second at most.
    private static let longestRound: UInt64 = 2_000_000_000

    /// A round of the loop begins; the one before began at `last`, which is 0 when there was none.
    func beginRound(now: UInt64, after last: UInt64) {
        if last > 0, now - last > Self.longestRound { postpone(by: now - last) }
        resume(now: now)
    }

    /// The process stood still for a while, in nanoseconds, in which no acknowledgement could be taken: it is waited for as
    /// much longer.
    ///
    /// Of several standstills the longest counts, and not their sum: a batch whose topic fails is given up also where every
    /// round of the loop is one, because handlers block it.
    func postpone(by time: UInt64) {
        func postpone(_ batch: inout Batch) {
            if batch.offeredAt != nil { batch.standstill = max(batch.standstill, time) }
        }
        for index in underWay.indices { postpone(&underWay[index]) }
        for index in waiting.indices { postpone(&waiting[index]) }
    }
}
