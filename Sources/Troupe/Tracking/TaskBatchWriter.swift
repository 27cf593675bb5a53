// The JSON of one record of the topic of tasks, written by hand into memory that is used again.

import KafkaClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

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
    /// The retry or dead-letter topic the event was sent to.
    var sentTo: String?
}

/// Writes reports into the value of a record, one after the other.
///
/// That `TaskBatch` reads it back is a test. By hand, because it is done for every handled event: ids go from the record's
/// bytes to the report's, without a string between. What a report has in common with the one before it, and what is as
/// usual, is left out.
struct TaskBatchWriter: ~Copyable {
    /// How many ids of published events a report names at most.
    static let maxPublished = 500

    private let opening: [UInt8]
    /// The most bytes of a value.
    var limit: Int
    // Written for every event by the engine's thread alone.
    private var buffer: JSONBuffer
    /// The number of reports.
    private(set) var count = 0
    // What the last report said: one that follows it says only what is different.
    private var follows = false
    /// Where the text of its type begins, and how long it is; -1 where it had to be escaped.
    private var type = (start: 0, count: -1)
    private var topic = ""
    private var partition: Int32 = 0
    private var startedAt: Int64 = 0

    init(service: String, instance: String, limit: Int) {
        var opening = JSONBuffer(capacity: 256)
        opening.append(#"{"service":"#)
        opening.appendString(service)
        opening.append(#","instance":"#)
        opening.appendString(instance)
        opening.append(#","tasks":["#)
        self.opening = Array(opening.bytes)
        self.limit = limit
        buffer = JSONBuffer(capacity: min(64 << 10, limit))
    }

    /// The number of bytes written.
    var size: Int { buffer.count }

    /// Adds a report, unless that would make the value too large; returns whether it did.
    mutating func add(
        _ attempt: Attempt, _ record: KafkaRecord, _ envelope: RawEnvelope, _ flow: RecordSlice, _ origin: RecordOrigin,
        _ replays: Int
    ) -> Bool {
        let end = buffer.count
        if count == 0 {
            buffer.truncate(to: 0)
            opening.withUnsafeBytes { buffer.append($0) }
        } else {
            buffer.append(",")
        }
        write(attempt, record, envelope, flow, origin, replays)
        guard buffer.count + 2 <= limit else {
            buffer.truncate(to: end)
            follows = false
            return false
        }
        count += 1
        follows = true
        return true
    }

    /// Ends the value, hands it out, and begins anew.
    mutating func finish(_ body: (UnsafeRawBufferPointer) -> Void) {
        buffer.append("]}")
        body(buffer.bytes)
        clear()
    }

    /// Drops what was written.
    mutating func clear() {
        buffer.truncate(to: 0)
        count = 0
        follows = false
    }

    private mutating func write(
        _ attempt: Attempt, _ record: KafkaRecord, _ envelope: RawEnvelope, _ flow: RecordSlice, _ origin: RecordOrigin,
        _ replays: Int
    ) {
        buffer.append(#"{"event":"#)
        writeAttribute(envelope.id, of: record)
        if !isSame(flow, envelope.id, in: record) {
            buffer.append(#","flow":"#)
            writeAttribute(flow, of: record)
        }
        writeType(envelope.type, of: record)
        writePlace(origin)
        if attempt.number != 1 {
            buffer.append(#","attempt":"#)
            buffer.append(Int64(attempt.number))
        }
        if replays != 0 {
            buffer.append(#","replays":"#)
            buffer.append(Int64(replays))
        }
        switch attempt.outcome {
        case .handled: break
        case .fellBack: buffer.append(#","outcome":"fell-back""#)
        case .retrying: buffer.append(#","outcome":"retrying""#)
        case .redirected: buffer.append(#","outcome":"redirected""#)
        case .deadLettered: buffer.append(#","outcome":"dead-lettered""#)
        case .ignored: buffer.append(#","outcome":"ignored""#)
        }
        if !follows || startedAt != attempt.startedAt {
            startedAt = attempt.startedAt
            buffer.append(#","startedAt":"#)
            buffer.append(attempt.startedAt)
        }
        if attempt.microseconds != 0 {
            buffer.append(#","microseconds":"#)
            buffer.append(attempt.microseconds)
        }
        if !attempt.published.isEmpty {
            buffer.append(#","published":["#)
            writeIDs(of: attempt.published)
            buffer.append("]")
        }
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
        if let sentTo = attempt.sentTo {
            buffer.append(#","sentTo":"#)
            buffer.appendString(sentTo)
        }
        buffer.append("}")
    }

    /// Writes the type of an event unless it is that of the report before.
    @inline(__always)
    private mutating func writeType(_ slice: RecordSlice, of record: KafkaRecord) {
        let isKnown =
            follows && type.count == slice.count
            && record.withUnsafeBytes(of: slice) { buffer.holds($0, at: type.start) }
        guard !isKnown else { return }
        buffer.append(#","type":"#)
        let start = buffer.count + 1
        writeAttribute(slice, of: record)
        type = (start, buffer.count == start + slice.count + 1 ? slice.count : -1)
    }

    /// Writes where an event was published, as far as it is elsewhere than that of the report before.
    @inline(__always)
    private mutating func writePlace(_ origin: RecordOrigin) {
        if !follows || topic != origin.topic {
            topic = origin.topic
            buffer.append(#","topic":"#)
            buffer.appendString(origin.topic)
        }
        if !follows || partition != origin.partition {
            partition = origin.partition
            buffer.append(#","partition":"#)
            buffer.append(Int64(origin.partition))
        }
        buffer.append(#","offset":"#)
        buffer.append(origin.offset)
    }

    /// Whether two attributes of a record have the same text.
    @inline(__always)
    private func isSame(_ a: RecordSlice, _ b: RecordSlice, in record: KafkaRecord) -> Bool {
        if a == b { return true }
        guard a.count == b.count else { return false }
        return record.withUnsafeBytes(of: a) { a in
            record.withUnsafeBytes(of: b) { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return true }
                return memcmp(first, second, a.count) == 0
            }
        }
    }

    @inline(__always)
    private mutating func writeAttribute(_ slice: RecordSlice, of record: KafkaRecord) {
        guard slice.count <= RawEnvelope.maxAttributeBytes else {
            buffer.append(#""""#)
            return
        }
        record.withUnsafeBytes(of: slice) { buffer.appendString($0) }
    }

    @inline(__always)
    private mutating func writeIDs(of messages: [PackedMessage]) {
        var isFirst = true
        for message in messages.prefix(Self.maxPublished) {
            message.withHeader(HeaderName.id) { id in
                if !isFirst { buffer.append(",") }
                isFirst = false
                buffer.appendString(id)
            }
        }
    }
}

extension TaskReport.Failure {
    /// The most bytes of a message.
    static let maxMessageBytes = 256
}
