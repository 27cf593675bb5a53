// The JSON of one record of the topic of tasks, written by hand into memory that is used again.

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

/// Writes reports into the value of a record, one after the other.
///
/// The round trip through `TaskBatch`'s `Codable` form is a test. By hand, because it is done for every handled event:
/// ids go from the record's bytes to the report's, without a string between.
struct TaskBatchWriter: ~Copyable {
    /// How many ids of published events a report names at most.
    static let maxPublished = 500

    private let opening: [UInt8]
    /// The most bytes of a value.
    private let limit: Int
    // Written for every event by the engine's thread alone.
    private var buffer: JSONBuffer
    /// The number of reports.
    private(set) var count = 0

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
            return false
        }
        count += 1
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
    }

    private mutating func write(
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
