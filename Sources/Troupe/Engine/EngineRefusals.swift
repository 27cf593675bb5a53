// What becomes of records that the broker refuses for good.

import KafkaClient

extension KafkaError {
    /// Whether the same record would be refused however often it is sent: its size or content is at fault, or a topic
    /// nobody may write to.
    ///
    /// What rights, a missing topic, too few replicas, a clock or an outage refuse is the state of the world: it
    /// passes, and the record is sent again until it has.
    var condemnsRecord: Bool {
        switch code {
        case .messageTooLarge, .recordListTooLarge, .invalidRecord, .invalidTopic, .unsupportedForMessageFormat: true
        default: false
        }
    }
}

extension KafkaError.Code {
    /// The batch is larger than a segment of the topic's log (`segment.bytes`).
    static let recordListTooLarge = KafkaError.Code(rawValue: 18)
    /// The broker refuses the record's content: no key in a compacted topic, or not what its schema says (KIP-467).
    static let invalidRecord = KafkaError.Code(rawValue: 87)
    /// The topic's message format cannot hold what the record has, such as headers.
    static let unsupportedForMessageFormat = KafkaError.Code(rawValue: 43)
}

extension ServiceEngine {
    /// Records handed to the producers whose report is still to come and awaited.
    var unreported: Int { max(producer.outstanding - (reports?.strays ?? 0), 0) + (singles?.outstanding ?? 0) }

    /// Sends a record in a batch of its own.
    ///
    /// A broker refuses batches, not records: only a record that was alone in its batch is known to be the culprit.
    func sendAlone(_ message: PackedMessage, for node: Int32) {
        do {
            let producer = try singles ?? makeSingleProducer()
            singles = producer
            switch producer.enqueue(message, opaque: UInt(node) + 1) {
            case .queued: return
            case .full: retry(message, for: node)
            case .refused(let error): undelivered(node, error, wasAlone: true) { message }
            }
        } catch {
            logger.error("A producer could not be made yet", metadata: [LogKey.error: "\(error)"])
            retry(message, for: node)
        }
    }

    /// Takes the reports on records that were sent alone.
    ///
    /// Returns whether there were any.
    func serveSingles() -> Bool {
        guard let singles, !singles.isEmpty else { return false }
        var isBroken = false
        var reports = singles.drain(takeSingle) { event in
            if case .error(let error) = event, error.isFatal { isBroken = true }
        }
        if isBroken {
            // What it still had is sent again by the other one.
            singles.purge()
            while singles.outstanding > 0 {
                let count = singles.drain(takeSingle)
                reports += count
                if count == 0 { break }
            }
            if singles.outstanding == 0 { self.singles = nil }
        }
        return reports > 0
    }

    private func takeSingle(_ report: DeliveryReport) {
        let node = Int32(truncatingIfNeeded: report.opaque) - 1
        if let error = report.error {
            undelivered(node, error, wasAlone: true) { report.record }
        } else {
            acknowledged(node, at: report.offset)
        }
    }

    /// Goes on with a record that the broker refuses for good.
    ///
    /// A letter loses what can be left out; anything else makes its cause a dead letter.
    func refused(_ node: Int32, _ error: KafkaError, _ message: PackedMessage) {
        let item = lanes[node]
        guard item.stage == .deadLettering else {
            if let record = item.record {
                lanes[node].exception = InFlight.Exception(record, RecordFailure(.unpublishable, ErrorSummary(error)))
            }
            lanes[node].pending -= 1
            if lanes[node].pending == 0 { settle(node) }
            return
        }
        let place = [
            LogKey.error: "\(error)", LogKey.topic: item.partition?.topicPartition.topic ?? "",
            LogKey.partition: "\(item.partition?.topicPartition.partition ?? -1)", LogKey.offset: "\(item.offset)",
        ]
        if let (smaller, omitted) = message.reducedLetter() {
            logger.warning("A dead letter was refused; it is written without its \(omitted)", metadata: place)
            sendAlone(smaller, for: node)
        } else {
            status.trouble = error.description
            logger.critical(
                "A dead letter is refused even without its value and headers: it is sent again, and the source offset "
                    + "waits for it. Mend the configuration of its topic \(message.topic)", metadata: place)
            retry(message, for: node)
        }
    }
}
