// Reading the headers that say how a record failed.

import EventJSON
package import KafkaClient

/// Where a record came from before it failed.
package struct RecordOrigin: Sendable, Hashable {
    /// The topic's name on the broker.
    package var topic: String
    /// The partition.
    package var partition: Int32
    /// The offset.
    package var offset: Int64
    /// The record's timestamp there.
    package var timestamp: KafkaTimestamp

    /// Names a place.
    package init(topic: String, partition: Int32, offset: Int64, timestamp: KafkaTimestamp) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
    }
}

/// The headers `troupe-*` of a record in a retry or dead-letter topic.
///
/// What is missing or malformed is `nil`.
package struct FailureHeaders: Sendable, Hashable {
    package var originTopic: String?
    package var originPartition: Int32?
    package var originOffset: Int64?
    package var originTimestamp: Int64?
    package var service: String?
    package var reason: FailureReason?
    /// How many attempts were made.
    package var attempt: Int?
    /// Milliseconds since 1970.
    package var notBefore: Int64?
    /// Milliseconds since 1970.
    package var firstFailedAt: Int64?
    package var errorType: String?
    package var errorMessage: String?
    package var fingerprint: String?
    package var replayCount: Int?
    /// The number of bytes of the value that was left out because the letter would have been too large.
    package var valueOmitted: Int?
    /// The number of original headers that were left out for the same reason.
    package var headersOmitted: Int?
    /// The number of bytes of the key that was left out for the same reason.
    package var keyOmitted: Int?

    /// The most attempts or replays that are believed.
    static let maxCount = 1_000_000

    /// Reads the headers; the last of several of one name wins.
    package init(_ record: KafkaRecord) {
        var found = FailureHeaders()
        record.forEachHeader { name, value in
            guard let value, name.starts(with: FailureHeaderName.prefix) else { return }
            found.take(name, value)
        }
        self = found
    }

    private init() {}

    private mutating func take(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        var text: String { String(decoding: value.prefix(ErrorSummary.maxMessageBytes + 512), as: UTF8.self) }
        func number<Number: FixedWidthInteger>(_ range: ClosedRange<Number>) -> Number? {
            guard value.count <= 20, let number = Number(text), range.contains(number) else { return nil }
            return number
        }
        let time: ClosedRange<Int64> = 0...Int64(RFC3339.range.upperBound)
        let count = 0...Self.maxCount
        typealias Name = FailureHeaderName
        if name.equals(Name.originTopic) {
            originTopic = NameRule.defect(ofTopic: text) == nil ? text : nil
        } else if name.equals(Name.originPartition) {
            originPartition = number(0...Int32.max)
        } else if name.equals(Name.originOffset) {
            originOffset = number(0...Int64.max)
        } else if name.equals(Name.originTimestamp) {
            originTimestamp = number(time)
        } else if name.equals(Name.service) {
            service = text
        } else if name.equals(Name.reason) {
            reason = FailureReason(rawValue: text)
        } else if name.equals(Name.attempt) {
            attempt = number(count)
        } else if name.equals(Name.notBefore) {
            notBefore = number(time)
        } else if name.equals(Name.firstFailedAt) {
            firstFailedAt = number(time)
        } else if name.equals(Name.errorType) {
            errorType = text
        } else if name.equals(Name.errorMessage) {
            errorMessage = text
        } else if name.equals(Name.fingerprint) {
            fingerprint = text
        } else if name.equals(Name.replayCount) {
            replayCount = number(count)
        } else if name.equals(Name.valueOmitted) {
            valueOmitted = number(0...Int.max)
        } else if name.equals(Name.headersOmitted) {
            headersOmitted = number(0...Int.max)
        } else if name.equals(Name.keyOmitted) {
            keyOmitted = number(0...Int.max)
        }
    }

    /// Where the record came from: by its headers, else where it was read.
    package func origin(of record: KafkaRecord, topic: String) -> RecordOrigin {
        RecordOrigin(
            topic: originTopic ?? topic, partition: originPartition ?? record.partition,
            offset: originOffset ?? record.offset,
            timestamp: originTimestamp.map { KafkaTimestamp(milliseconds: $0) } ?? record.timestamp)
    }
}
