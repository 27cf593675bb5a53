// Building the records of retry and dead-letter topics: the original, byte for byte, and what happened to it.

package import KafkaClient

/// What is written about a failure beside the original record.
package struct FailureStamp: Sendable, Hashable {
    package var origin: RecordOrigin
    package var service: String
    package var reason: FailureReason
    /// How many attempts were made.
    package var attempt: Int
    /// Milliseconds since 1970 before which the record is not to be handled; `nil` for at once.
    package var notBefore: Int64?
    /// Milliseconds since 1970; `nil` when it has not failed.
    package var firstFailedAt: Int64?
    package var error: ErrorSummary?
    package var replayCount: Int

    /// Describes a failure.
    package init(
        origin: RecordOrigin, service: String, reason: FailureReason, attempt: Int, notBefore: Int64? = nil,
        firstFailedAt: Int64?, error: ErrorSummary?, replayCount: Int = 0
    ) {
        self.origin = origin
        self.service = service
        self.reason = reason
        self.attempt = attempt
        self.notBefore = notBefore
        self.firstFailedAt = firstFailedAt
        self.error = error
        self.replayCount = replayCount
    }
}

/// Lays out records of retry and dead-letter topics.
package struct FailureRecordBuilder: Sendable {
    /// What stands in place of a redacted header's value.
    package static let redacted = "[redacted]"

    /// Names of headers whose values are not written to dead-letter topics, in lower case.
    let redactedHeaders: Set<String>
    /// The most bytes a record may have on the wire.
    let maxMessageBytes: Int

    /// Creates a builder.
    package init(redactedHeaders: Set<String> = [], maxMessageBytes: Int) {
        self.redactedHeaders = Set(redactedHeaders.map { $0.lowercased() })
        self.maxMessageBytes = maxMessageBytes
    }

    /// The record for the retry topic, or `nil` when it does not fit.
    package func retryRecord(_ record: KafkaRecord, to topic: String, _ stamp: FailureStamp) -> PackedMessage? {
        let message = build(record, topic, stamp, redacting: false)
        return message.maxWireSize <= maxMessageBytes ? message : nil
    }

    /// The record that sends a letter back, or `nil` when it does not fit.
    package func replayRecord(_ letter: KafkaRecord, to topic: String, _ stamp: FailureStamp) -> PackedMessage? {
        let message = build(letter, topic, stamp, redacting: false, omitting: .redacted)
        return message.maxWireSize <= maxMessageBytes ? message : nil
    }

    /// Whether a header's value stands for one that was redacted.
    static func isRedaction(_ value: UnsafeRawBufferPointer?) -> Bool { value?.elementsEqual(redacted.utf8) ?? false }

    /// The record for the dead-letter topic.
    ///
    /// What does not fit is left out and said in a header: first the value, then the original headers, then the key.
    package func deadLetter(_ record: KafkaRecord, to topic: String, _ stamp: FailureStamp) -> PackedMessage {
        let omissions: [Omissions] = [[], .value, [.value, .headers], [.value, .headers, .key]]
        var message = PackedMessage(topic: topic)
        for omitted in omissions {
            message = build(record, topic, stamp, redacting: true, omitting: omitted)
            if message.maxWireSize <= maxMessageBytes { break }
        }
        return message
    }

    private struct Omissions: OptionSet {
        let rawValue: Int
        static let value = Omissions(rawValue: 1)
        static let headers = Omissions(rawValue: 2)
        static let key = Omissions(rawValue: 4)
        /// Headers whose values were redacted.
        static let redacted = Omissions(rawValue: 8)
    }

    private func build(
        _ record: KafkaRecord, _ topic: String, _ stamp: FailureStamp, redacting: Bool, omitting omitted: Omissions = []
    ) -> PackedMessage {
        var message = PackedMessage(
            topic: topic, capacity: record.byteCount + 1024, headers: record.headerCount + FailureHeaderName.all.count)
        message.partition = stamp.origin.partition
        if !omitted.contains(.key), !record.keySlice.isNull {
            record.withUnsafeBytes(of: record.keySlice) { message.setKey($0) }
        }
        if !omitted.contains(.value), !record.isTombstone {
            record.withUnsafeBytes(of: record.valueSlice) { message.setValue($0) }
        }
        if !omitted.contains(.headers) {
            record.forEachHeader { name, value in
                guard !FailureHeaderName.contains(name) else { return }
                if omitted.contains(.redacted), Self.isRedaction(value) { return }
                if redacting, isRedacted(name) {
                    var text = Self.redacted
                    text.withUTF8 { message.addHeader(name, UnsafeRawBufferPointer($0)) }
                } else {
                    message.addHeader(name, value)
                }
            }
        }
        stamp.write(to: &message)
        if omitted.contains(.value) {
            message.addHeader(FailureHeaderName.valueOmitted, String(record.valueSlice.count))
        }
        if omitted.contains(.headers) {
            message.addHeader(FailureHeaderName.headersOmitted, String(record.headerCount))
        }
        if omitted.contains(.key) { message.addHeader(FailureHeaderName.keyOmitted, String(record.keySlice.count)) }
        return message
    }

    private func isRedacted(_ name: UnsafeRawBufferPointer) -> Bool {
        !redactedHeaders.isEmpty && redactedHeaders.contains(String(decoding: name, as: UTF8.self).lowercased())
    }
}

extension FailureStamp {
    fileprivate func write(to message: inout PackedMessage) {
        typealias Name = FailureHeaderName
        message.addHeader(Name.originTopic, origin.topic)
        message.addHeader(Name.originPartition, String(origin.partition))
        message.addHeader(Name.originOffset, String(origin.offset))
        if origin.timestamp.kind != .none {
            message.addHeader(Name.originTimestamp, String(origin.timestamp.milliseconds))
        }
        message.addHeader(Name.service, service)
        message.addHeader(Name.reason, reason.rawValue)
        message.addHeader(Name.attempt, String(attempt))
        if let notBefore { message.addHeader(Name.notBefore, String(notBefore)) }
        if let firstFailedAt { message.addHeader(Name.firstFailedAt, String(firstFailedAt)) }
        if let error {
            message.addHeader(Name.errorType, error.type)
            message.addHeader(Name.errorMessage, error.message)
            message.addHeader(Name.fingerprint, error.fingerprint)
        }
        if replayCount > 0 { message.addHeader(Name.replayCount, String(replayCount)) }
    }
}

extension PackedMessage {
    /// A dead letter without what can be left out first: its value, then its original headers.
    ///
    /// What was left out is said in a header. `nil` when only its key and Troupe's own headers remain.
    func reducedLetter() -> (letter: PackedMessage, omitted: String)? {
        let friendly = message
        let original = friendly.headers.filter { !FailureHeaderName.contains($0.name) }
        let omitsValue = friendly.value != nil
        guard omitsValue || !original.isEmpty else { return nil }
        var copy = PackedMessage(topic: topic, headers: headerCount + 1)
        copy.partition = partition
        copy.timestamp = timestamp
        friendly.key?.withUnsafeBytes { copy.setKey($0) }
        for header in friendly.headers where omitsValue || FailureHeaderName.contains(header.name) {
            copy.addHeader(header.name, header.value)
        }
        if let value = friendly.value {
            copy.addHeader(FailureHeaderName.valueOmitted, String(value.count))
        } else {
            copy.addHeader(FailureHeaderName.headersOmitted, String(original.count))
        }
        return (copy, omitsValue ? "value" : "original headers")
    }

    /// Moves the record to the partition that stands for its own where a topic has `count` of them: the same one, or
    /// the remainder when there are fewer.
    package mutating func wrapPartition(count: Int32) {
        if count > 0, partition >= count { partition %= count }
    }
}

extension FailureHeaderName {
    /// Whether `name` is one of them.
    fileprivate static func contains(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { contains(UnsafeRawBufferPointer($0)) }
    }
}
