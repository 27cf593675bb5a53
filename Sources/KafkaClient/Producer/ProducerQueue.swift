// The producer beneath everything: enqueue and drain reports, no thread of its own.

import CRDKafka

/// What became of one record that was enqueued.
///
/// Valid only during the call it is passed to.
package struct DeliveryReport {
    private let message: UnsafePointer<rd_kafka_message_t>

    init(_ message: UnsafePointer<rd_kafka_message_t>) { self.message = message }

    /// The number given with the record.
    package var opaque: UInt { UInt(bitPattern: message.pointee._private) }

    /// Whether the broker acknowledged the record.
    package var isDelivered: Bool { message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR }

    /// The partition the record went to, or -1.
    package var partition: Int32 { message.pointee.partition }

    /// The offset the broker gave the record, or below zero when it is not known.
    package var offset: Int64 { message.pointee.offset }

    /// The record's timestamp.
    package var timestamp: KafkaTimestamp { KafkaTimestamp(of: message) }

    /// Whether a record that was not acknowledged may have reached the log all the same.
    package var isPossiblyPersisted: Bool {
        rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
    }

    /// Why the record was not acknowledged.
    package var error: KafkaError? {
        guard !isDelivered else { return nil }
        return KafkaError(message.pointee.err, "A record was not delivered", topic: topic, partition: partition)
    }

    /// The topic the record was for.
    package var topic: String {
        message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? ""
    }

    /// A copy of the record, to send it again.
    package var record: PackedMessage {
        let copy = KafkaRecord(copying: message, topic: topic)
        var packed = PackedMessage(topic: topic, capacity: copy.byteCount, headers: copy.headerCount)
        packed.partition = partition
        copy.key?.withUnsafeBytes { packed.setKey($0) }
        copy.value?.withUnsafeBytes { packed.setValue($0) }
        copy.forEachHeader { packed.addHeader($0, $1) }
        return packed
    }
}

/// What enqueuing a record led to.
package enum EnqueueResult {
    /// The record is in the queue; a report will follow.
    case queued
    /// The queue is full: drain reports, then try again.
    case full
    /// The record was refused and no report will follow.
    indirect case refused(KafkaError)
}

/// A producer that its one owner feeds and drains.
///
/// Librdkafka signals the owner's waker when reports wait. Not thread-safe: one owner at a time.
package final class ProducerQueue {
    let client: ClientHandle
    private let queue: EventQueue
    private var topics: [String: OpaquePointer] = [:]
    /// The topic that was produced to last: mostly the next record is for it too.
    private var lastTopic = ""
    private var lastHandle: OpaquePointer?
    /// The helper thread for transactions, where the producer has a transactional id.
    let transactions: TransactionWorker?
    let transactionEvents: TransactionEvents

    /// Creates a producer from librdkafka properties.
    package init(properties: [(String, String)], waker: Waker) throws {
        client = try ClientHandle(
            .producer, properties: properties,
            events: RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS)
        guard let pointer = rd_kafka_queue_get_main(client.pointer) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "The producer has no queue")
        }
        queue = EventQueue(owning: pointer, of: client, waker: waker)
        transactionEvents = TransactionEvents(waker: waker)
        let isTransactional = properties.contains { $0.0 == "transactional.id" }
        transactions = isTransactional ? try TransactionWorker.start(client, properties: properties) : nil
    }

    deinit {
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        transactions?.close()
    }

    /// Whether no report or event waits.
    package var isEmpty: Bool { queue.isEmpty && transactionEvents.isEmpty }

    /// The number of records whose report has not been drained yet.
    package var outstanding: Int { client.outstanding }

    /// Enqueues a copy of `record`; its report will carry `opaque`.
    ///
    /// Never waits.
    package func enqueue(_ record: borrowing PackedMessage, opaque: UInt) -> EnqueueResult {
        guard let topic = handle(record.topic) else {
            return .refused(refusal(ofTopic: record.topic))
        }
        let error = record.withBase { base -> rd_kafka_resp_err_t in
            let headerCount = record.headerCount
            let (key, value) = (record.key, record.value)
            let headers = headerCount > 0 ? rd_kafka_headers_new(headerCount) : nil
            record.forEachHeader { name, value in
                // Names and values that are empty have an address all the same; only a null value has none.
                rd_kafka_header_add(
                    headers, name.baseAddress?.assumingMemoryBound(to: CChar.self), name.count, value?.baseAddress,
                    value?.count ?? 0)
            }
            var packed = troupe_record(
                topic: topic, partition: record.partition, key: base + Int(key.start), key_length: Int(key.length),
                value: base + Int(value.start), value_length: Int(value.length), timestamp: record.timestamp,
                headers: headers, opaque: UnsafeMutableRawPointer(bitPattern: opaque))
            let error = troupe_produce(client.pointer, &packed)
            if error != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
            return error
        }
        switch error {
        case RD_KAFKA_RESP_ERR_NO_ERROR: return .queued
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: return .full
        default: return .refused(KafkaError(error, "A record was refused", topic: record.topic))
        }
    }

    /// The topic's handle, made before the first record: producing by name delays it by a second before 2.10.1.
    func handle(_ name: String) -> OpaquePointer? {
        if let lastHandle, lastTopic == name { return lastHandle }
        if let known = topics[name] {
            lastTopic = name
            lastHandle = known
            return known
        }
        guard TopicName.problem(with: name) == nil, let created = rd_kafka_topic_new(client.pointer, name, nil) else {
            return nil
        }
        topics[name] = created
        return created
    }

    /// Why a topic has no handle.
    func refusal(ofTopic name: String) -> KafkaError {
        let reason = TopicName.problem(with: name) ?? String(cString: rd_kafka_err2str(rd_kafka_last_error()))
        return KafkaError(.invalidTopic, "The topic name was refused: \(reason)", topic: name)
    }

    /// Whether the client had a fatal error, after which it takes no records.
    package var isBroken: Bool { rd_kafka_fatal_error(client.pointer, nil, 0) != RD_KAFKA_RESP_ERR_NO_ERROR }

    /// What the fatal error was, if the client had one.
    var fatalReason: String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
            let code = rd_kafka_fatal_error(client.pointer, text.baseAddress, 512)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR, let start = text.baseAddress else { return nil }
            return String(cString: start)
        }
    }

    /// Drains what waits: reports, then errors and log lines, then outcomes of calls about transactions.
    ///
    /// Returns the number of reports.
    package func drain(
        _ report: (DeliveryReport) -> Void, other: (ConsumerEvent) -> Void = { _ in }
    ) -> Int {
        var count = 0
        while let event = queue.poll() {
            defer { rd_kafka_event_destroy(event) }
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_DR:
                while let message = rd_kafka_event_message_next(event) {
                    count += 1
                    report(DeliveryReport(message))
                }
            case RD_KAFKA_EVENT_ERROR: other(.error(KafkaError(event: event, client: client.pointer)))
            case RD_KAFKA_EVENT_LOG: if let line = ClientLog(event) { other(.log(line)) }
            case RD_KAFKA_EVENT_STATS:
                if let text = rd_kafka_event_stats(event) { other(.statistics(String(cString: text))) }
            default: break
            }
        }
        for event in transactionEvents.take() { other(.transaction(event)) }
        return count
    }

    /// Gives up on everything that is queued or in flight: each record's report says so.
    package func purge() {
        rd_kafka_purge(client.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    }
}

/// A pointer for bytes of length 0 where null would mean something else.
///
/// Immutable, never freed.
nonisolated(unsafe) let emptyBytes = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))
