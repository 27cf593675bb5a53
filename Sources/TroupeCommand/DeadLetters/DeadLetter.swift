// A letter in a dead-letter topic, as people look at it.

import Foundation
import KafkaClient
import Troupe

/// Where a letter lies: topic, partition and offset, written `topic/partition/offset`.
struct LetterPlace: Sendable, Hashable, CustomStringConvertible {
    let topicPartition: TopicPartition
    let offset: Int64

    init(_ topicPartition: TopicPartition, _ offset: Int64) {
        self.topicPartition = topicPartition
        self.offset = offset
    }

    /// Reads `topic/partition/offset`; `nil` for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, let partition = Int32(parts[1]), partition >= 0,
            let offset = Int64(parts[2]), offset >= 0
        else { return nil }
        self.init(TopicPartition(String(parts[0]), partition), offset)
    }

    var description: String { "\(topicPartition.topic)/\(topicPartition.partition)/\(offset)" }
}

/// A letter in a dead-letter topic: the original record, and why it failed.
struct DeadLetter: Sendable {
    let record: KafkaRecord
    let headers: FailureHeaders

    init(_ record: KafkaRecord) {
        self.record = record
        headers = FailureHeaders(record)
    }

    /// How the names of dead-letter topics end.
    static let topicSuffix = ".dlt"

    var place: LetterPlace { LetterPlace(record.topicPartition, record.offset) }
    /// When the letter was written, in milliseconds since 1970.
    var writtenAt: Int64 { record.timestamp.milliseconds }
    /// The record's key as text.
    var key: String? { record.key?.text }
    var eventType: String? { record.header("ce_type") }
    var eventID: String? { record.header("ce_id") }
    var correlationID: String? { record.header("ce_correlationid") }

    /// The service that failed: by the header, else by the topic's name.
    var service: String {
        if let service = headers.service { return service }
        return record.topic.split(separator: ".").first.map(String.init) ?? record.topic
    }

    /// The error in one line.
    var failure: String {
        let type = headers.errorType?.split(separator: ".").last.map(String.init)
        let message = headers.errorMessage?.split(separator: "\n").first.map(String.init)
        let text = [type, message].compactMap { $0 }.joined(separator: ": ")
        return text.isEmpty ? headers.reason?.rawValue ?? "unknown" : text
    }

    /// What equal failures have in common.
    var fingerprint: String { headers.fingerprint ?? "-" }
}

/// Which letters are meant.
struct LetterFilter: Sendable, Equatable {
    var service: String?
    /// The topic of origin, or the dead-letter topic itself.
    var topic: String?
    /// The fingerprint, or how it begins.
    var fingerprint: String?
    /// The record's key: what the event is about.
    var key: String?

    static let serviceOption = Option("service", short: "s", .one("NAME"), help: "letters of this service only")
    static let topicOption = Option(
        "topic", short: "t", .one("TOPIC"),
        help: "letters from this topic of origin, or in this dead-letter topic, only")
    static let fingerprintOption = Option(
        "fingerprint", short: "f", .one("HEX"), help: "letters of this failure only; the first digits suffice")
    static let keyOption = Option(
        "key", short: "k", .one("KEY"), help: "letters with this key only, such as an order's id")
    static let options = [serviceOption, topicOption, fingerprintOption, keyOption]

    init(_ input: Input) {
        service = input.string(Self.serviceOption)
        topic = input.string(Self.topicOption)
        fingerprint = input.string(Self.fingerprintOption)
        key = input.string(Self.keyOption)
    }

    /// Whether every letter is meant.
    var isEmpty: Bool { service == nil && topic == nil && fingerprint == nil && key == nil }

    /// Whether a letter is meant.
    func matches(_ letter: DeadLetter) -> Bool {
        (service.map { letter.service == $0 } ?? true)
            && (topic.map { letter.headers.originTopic == $0 || letter.record.topic == $0 } ?? true)
            && (fingerprint.map { letter.fingerprint.hasPrefix($0.lowercased()) } ?? true)
            && (key.map { letter.key == $0 } ?? true)
    }
}
