// What an instance reports of its attempts: batches, and which of them are acknowledged. No I/O.

import KafkaClient

/// An attempt at an event, as it is reported.
struct Attempt {
    var outcome: TaskReport.Outcome
    /// The number of the attempt; 0 when no handler saw the event.
    var number: Int
    /// When it began, in milliseconds since 1970.
    var startedAt: Int64
    var microseconds: Int64 = 0
    /// What it published.
    var published: [PackedMessage] = []
    /// Before when the next attempt is not made, in milliseconds since 1970.
    var notBefore: Int64?
    var failure: ErrorSummary?
}

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
        /// When it was sent first; `nil` before.
        var sentAt: UInt64?
    }

    /// How large a batch may be before it is sealed, in bytes.
    static let sealSize = 64 << 10
    /// How many bytes may wait for their acknowledgement before no further handling starts.
    static let maxBytesUnacknowledged = 16 << 20
    /// How many ids of published events a report names at most.
    static let maxPublished = 500

    private let topic: String
    private let key: [UInt8]
    private let opening: [UInt8]
    /// The most bytes of a record's value.
    private let limit: Int
    private let batchInterval: UInt64
    private let timeout: UInt64
    private let firstSuspension: UInt64

    // Written for every event by the engine's thread alone: not checked for overlapping accesses.
    @exclusivity(unchecked) private var buffer: JSONBuffer
    @exclusivity(unchecked) private var count = 0
    @exclusivity(unchecked) private var firstAddedAt: UInt64 = 0
    @exclusivity(unchecked) private var resumesAt: UInt64?
    private var lastNumber = 0
    /// Sealed and not handed to the producer, by number.
    private var waiting: [Batch] = []
    /// Handed to the producer and not acknowledged, by number.
    private var underWay: [Batch] = []
    private var unacknowledgedBytes = 0
    private var pause: UInt64 = 0
    /// Reports that were lost because the topic failed.
    private(set) var lost = 0
    /// Batches that nobody waits for any more and that the producer still has.
    private(set) var strays = 0

    /// - Parameter limit: the most bytes of a record.
    init(topic: String, service: String, instance: String, limit: Int, settings: TrackingSettings) {
        self.topic = topic
        key = Array("\(service)/\(instance)".utf8)
        // What a record has beside its value: see `PackedMessage.maxWireSize`.
        self.limit = max(limit - key.count - 128, 1_024)
        batchInterval = settings.batchInterval.nanoseconds
        timeout = settings.acknowledgementTimeout.nanoseconds
        firstSuspension = settings.suspension.nanoseconds
        var opening = JSONBuffer(capacity: 256)
        opening.append(#"{"service":"#)
        opening.appendString(service)
        opening.append(#","instance":"#)
        opening.appendString(instance)
        opening.append(#","tasks":["#)
        self.opening = Array(opening.bytes)
        buffer = JSONBuffer(capacity: min(Self.sealSize, self.limit) * 2)
    }

    // MARK: Reporting

    /// Reports an attempt at an event that a route handles.
    func add(_ attempt: Attempt, at handling: Handling, now: UInt64) {
        add(
            attempt, handling.record, handling.envelope, handling.correlation, handling.origin, handling.replayCount,
            now)
    }

    /// Reports what became of a record that no route could handle.
    func add(_ attempt: Attempt, at record: KafkaRecord, _ origin: RecordOrigin, replays: Int, now: UInt64) {
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
        let start = open(now)
        write(attempt, record, envelope, flow, origin, replays)
        if buffer.count + 2 > limit, start > opening.count {
            // It is the one too many.
            buffer.truncate(to: start)
            seal()
            _ = open(now)
            write(attempt, record, envelope, flow, origin, replays)
        }
        if buffer.count + 2 > limit {
            // Its events tell their cause themselves.
            buffer.truncate(to: opening.count)
            var shortened = attempt
            shortened.published = []
            write(shortened, record, envelope, flow, origin, replays)
        }
        guard buffer.count + 2 <= limit else {
            buffer.truncate(to: opening.count)
            lost += 1
            return
        }
        count += 1
        if buffer.count >= Self.sealSize { seal() }
    }

    /// Begins a batch, or a further report of one; returns where.
    private func open(_ now: UInt64) -> Int {
        if count == 0 {
            buffer.truncate(to: 0)
            opening.withUnsafeBytes { buffer.append($0) }
            firstAddedAt = now
        } else {
            buffer.append(",")
        }
        // A comma goes with the report it stands before.
        return count == 0 ? buffer.count : buffer.count - 1
    }

    private func write(
        _ attempt: Attempt, _ record: KafkaRecord, _ envelope: RawEnvelope, _ flow: RecordSlice, _ origin: RecordOrigin,
        _ replays: Int
    ) {
        buffer.append(#"{"event":"#)
        writeAttribute(envelope.id, of: record)
        buffer.append(#","flow":"#)
        writeAttribute(flow, of: record)
        buffer.append(#","type":"#)
        writeAttribute(envelope.type, of: record)
        buffer.append(#","topic":"#)
        buffer.appendString(origin.topic)
        buffer.append(#","partition":"#)
        buffer.append(Int64(origin.partition))
        buffer.append(#","offset":"#)
        buffer.append(origin.offset)
        buffer.append(#","attempt":"#)
        buffer.append(Int64(attempt.number))
        buffer.append(#","replays":"#)
        buffer.append(Int64(replays))
        switch attempt.outcome {
        case .handled: buffer.append(#","outcome":"handled","startedAt":"#)
        case .fellBack: buffer.append(#","outcome":"fell-back","startedAt":"#)
        case .retrying: buffer.append(#","outcome":"retrying","startedAt":"#)
        case .redirected: buffer.append(#","outcome":"redirected","startedAt":"#)
        case .deadLettered: buffer.append(#","outcome":"dead-lettered","startedAt":"#)
        case .ignored: buffer.append(#","outcome":"ignored","startedAt":"#)
        }
        buffer.append(attempt.startedAt)
        buffer.append(#","microseconds":"#)
        buffer.append(attempt.microseconds)
        buffer.append(#","published":["#)
        writeIDs(of: attempt.published)
        buffer.append("]")
        if let notBefore = attempt.notBefore {
            buffer.append(#","notBefore":"#)
            buffer.append(notBefore)
        }
        if let failure = attempt.failure {
            buffer.append(#","failure":{"type":"#)
            buffer.appendString(failure.type)
            buffer.append(#","message":"#)
            buffer.appendString(ErrorSummary.cut(failure.message, TaskReport.Failure.maxMessageBytes))
            buffer.append("}")
        }
        buffer.append("}")
    }

    @inline(__always)
    private func writeAttribute(_ slice: RecordSlice, of record: KafkaRecord) {
        guard slice.count <= RawEnvelope.maxAttributeBytes else {
            buffer.append(#""""#)
            return
        }
        record.withUnsafeBytes(of: slice) { buffer.appendString($0) }
    }

    @inline(__always)
    private func writeIDs(of messages: [PackedMessage]) {
        var isFirst = true
        for message in messages.prefix(Self.maxPublished) {
            message.withHeader(HeaderName.id) { id in
                if !isFirst { buffer.append(",") }
                isFirst = false
                buffer.appendString(id)
            }
        }
    }

    // MARK: Batches

    /// Whether nothing is left to be handed to the producer.
    var isEmpty: Bool { count == 0 && waiting.isEmpty }

    /// Whether another attempt may begin: not while too much waits for its acknowledgement.
    var hasRoom: Bool { unacknowledgedBytes < Self.maxBytesUnacknowledged }

    /// When what is collected is to be sealed; `nil` when there is nothing.
    var sealDue: UInt64? { count == 0 ? nil : firstAddedAt + batchInterval }

    /// Ends the batch that is being collected, if there is one.
    ///
    /// Returns the number of the last batch, which is settled when all earlier ones are.
    @discardableResult
    func seal() -> Int {
        guard count > 0 else { return lastNumber }
        buffer.append("]}")
        var message = PackedMessage(topic: topic, capacity: key.count + buffer.count, headers: 1)
        key.withUnsafeBytes { message.setKey($0) }
        message.setValue(buffer.bytes)
        message.addHeader(HeaderName.contentType, "application/json")
        lastNumber += 1
        waiting.append(Batch(number: lastNumber, message: message, count: count))
        unacknowledgedBytes += message.byteCount
        count = 0
        return lastNumber
    }

    /// The next batch for the producer.
    var next: Batch? { waiting.first }

    /// The producer took the next batch.
    func sent(now: UInt64) {
        guard !waiting.isEmpty else { return }
        var batch = waiting.removeFirst()
        batch.sentAt = batch.sentAt ?? now
        underWay.append(batch)
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
        guard remove(number) != nil else { return false }
        defer { pause = 0 }
        return pause > 0
    }

    /// A batch was not delivered, through no fault of its topic: it is the next one again.
    func sendAgain(_ number: Int) {
        guard let batch = remove(number) else { return }
        unacknowledgedBytes += batch.message.byteCount
        waiting.insert(batch, at: waiting.firstIndex { $0.number > number } ?? waiting.endIndex)
    }

    /// The producer reports on a batch that nobody waits for.
    func strayed() { strays = max(strays - 1, 0) }

    /// Everything is dropped, because the attempts it tells of are undone.
    func abandon() {
        strays += underWay.count
        waiting = []
        underWay = []
        unacknowledgedBytes = 0
        count = 0
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

    /// When the oldest batch that was sent must have been acknowledged; `nil` when none is awaited.
    var deadline: UInt64? {
        guard let sentAt = underWay.first?.sentAt else { return nil }
        return sentAt.addingReportingOverflow(timeout).partialValue
    }

    /// The topic failed: everything is given up, and nothing is reported for a while.
    ///
    /// Returns how long, in nanoseconds, when nothing has failed since the last acknowledgement; else `nil`.
    func suspend(now: UInt64) -> UInt64? {
        let isFirst = pause == 0
        lost += count + waiting.reduce(0) { $0 + $1.count } + underWay.reduce(0) { $0 + $1.count }
        abandon()
        pause = isFirst ? max(firstSuspension, 1) : min(pause * 2, max(firstSuspension, 600_000_000_000))
        resumesAt = now + pause
        return isFirst ? pause : nil
    }

    /// Ends a suspension whose time has passed.
    func resume(now: UInt64) {
        if let time = resumesAt, now >= time { resumesAt = nil }
    }

    /// Whether nothing is reported at present.
    var isSuspended: Bool { resumesAt != nil }
}

extension TaskReport.Failure {
    /// The most bytes of a message.
    static let maxMessageBytes = 256
}
