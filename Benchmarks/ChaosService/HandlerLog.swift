// The handlers' own log: what the account believes beside the topics.

import Foundation
import KafkaClient
import Troupe

/// Appends a line for the beginning and the end of each attempt.
///
/// A line is written by one call to a file opened for appending, before the handler goes on: what is killed in the next
/// instant has its line. Fields, separated by tabs: `B` or `E`, sequence number, key, topic, partition and offset of
/// the record that was read, partition and offset where the event was published, attempt, outcome, monotonic
/// nanoseconds, milliseconds since 1970, process id.
struct HandlerLog: Sendable {
    private let descriptor: Int32
    private let process = getpid()

    /// Opens the file for appending.
    init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Unwritable(path: path, reason: String(cString: strerror(errno))) }
    }

    /// An attempt begins.
    func begins(_ event: some ChainEvent, _ context: EventContext) throws {
        try append("B", event, context, outcome: "-")
    }

    /// An attempt ends.
    func ends(_ event: some ChainEvent, _ context: EventContext, _ outcome: Outcome) throws {
        try append("E", event, context, outcome: outcome.rawValue)
    }

    private func append(_ what: String, _ event: some ChainEvent, _ context: EventContext, outcome: String) throws {
        let record = context.record
        var monotonic = timespec()
        var wall = timespec()
        clock_gettime(CLOCK_MONOTONIC, &monotonic)
        clock_gettime(CLOCK_REALTIME, &wall)
        let nanoseconds = Int(monotonic.tv_sec) * 1_000_000_000 + Int(monotonic.tv_nsec)
        let milliseconds = Int(wall.tv_sec) * 1_000 + Int(wall.tv_nsec) / 1_000_000
        var line = """
            \(what)\t\(event.sequence)\t\(event.name)\t\(record.topic)\t\(record.partition)\t\(record.offset)\
            \t\(context.partition)\t\(context.offset)\t\(context.attempt)\t\(outcome)\
            \t\(nanoseconds)\t\(milliseconds)\t\(process)\n
            """
        let written = line.withUTF8 { write(descriptor, $0.baseAddress, $0.count) }
        guard written == line.utf8.count else {
            throw Unwritable(path: "the handler log", reason: String(cString: strerror(errno)))
        }
    }
}

/// The log cannot be written.
struct Unwritable: Error, CustomStringConvertible {
    let path: String
    let reason: String
    var description: String { "\(path) cannot be written: \(reason)" }
}
