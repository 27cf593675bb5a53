// Sending a dead letter back to the service that failed.

package import KafkaClient

/// Why a dead letter cannot be sent back.
package struct ReplayFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is in the way, and what to do.
    package let description: String
}

/// Turns dead letters back into records of the failed service's own retry topic.
///
/// Other services do not see the event again. Ids and correlation stay, attempts start again, replays are counted.
package enum Replay {
    /// The retry topic beside a dead-letter topic; `nil` when the name is not one of Troupe's.
    package static func retryTopic(beside deadLetterTopic: String) -> String? {
        guard deadLetterTopic.hasSuffix(".dlt") else { return nil }
        return deadLetterTopic.dropLast(3) + "retry"
    }

    /// The names of the headers whose values the letter does not have, in order.
    package static func redactedHeaders(of letter: KafkaRecord) -> [String] {
        var names: [String] = []
        letter.forEachHeader { name, value in
            if FailureRecordBuilder.isRedaction(value) { names.append(String(decoding: name, as: UTF8.self)) }
        }
        return Set(names).sorted()
    }

    /// The record that sends `letter` back.
    ///
    /// Headers whose values were redacted are left out: a handler that asks for one finds it missing, rather than a
    /// value that nobody sent.
    package static func record(for letter: KafkaRecord) throws(ReplayFailure) -> PackedMessage {
        let place = "The letter at \(letter.topicPartition), offset \(letter.offset),"
        guard let topic = retryTopic(beside: letter.topic) else {
            throw ReplayFailure(description: "\(place) is not in a dead-letter topic, whose name ends in .dlt")
        }
        let headers = FailureHeaders(letter)
        guard headers.valueOmitted == nil, headers.headersOmitted == nil, headers.keyOmitted == nil else {
            throw ReplayFailure(
                description: "\(place) was too large to be kept whole. Publish the original again: topic "
                    + "\(headers.originTopic ?? "unknown"), partition \(headers.originPartition ?? -1), "
                    + "offset \(headers.originOffset ?? -1)")
        }
        guard let originTopic = headers.originTopic else {
            throw ReplayFailure(
                description: "\(place) has no header troupe-origin-topic: it is not a letter of Troupe's")
        }
        let stamp = FailureStamp(
            origin: headers.origin(of: letter, topic: originTopic), service: headers.service ?? "", reason: .replay,
            attempt: 0, firstFailedAt: headers.firstFailedAt, error: nil,
            replayCount: min((headers.replayCount ?? 0) + 1, FailureHeaders.maxCount))
        guard
            let message = FailureRecordBuilder(maxMessageBytes: .max).replayRecord(letter, to: topic, stamp)
        else { throw ReplayFailure(description: "\(place) does not fit") }
        return message
    }
}
