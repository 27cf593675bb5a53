// The producer beneath everything: enqueue and drain reports, no thread of its own.

import CRDKafka

/// What became of one record that was enqueued.
///
/// Valid only during the call it is passed to.
package struct DeliveryReport {
    private enum Source {
        case librdkafka(UnsafePointer<rd_kafka_message_t>)
        /// Librdkafka never had the record.
        case refusal(Unmanaged<HeldRefusal>)
    }

    private let source: Source

    init(_ message: UnsafePointer<rd_kafka_message_t>) { source = .librdkafka(message) }

    init(_ refusal: HeldRefusal) { source = .refusal(.passUnretained(refusal)) }

    /// The number given with the record.
    package var opaque: UInt {
        switch source {
        case .librdkafka(let message): UInt(bitPattern: message.pointee._private)
        case .refusal(let refusal): refusal.takeUnretainedValue().record.opaque
        }
    }

    /// Whether the broker acknowledged the record.
    package var isDelivered: Bool {
        if case .librdkafka(let message) = source { return message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR }
        return false
    }

    /// The partition the record went to, or -1.
    package var partition: Int32 {
        if case .librdkafka(let message) = source { return message.pointee.partition }
        return -1
    }

    /// The offset the broker gave the record, or below zero when it is not known.
    package var offset: Int64 {
        if case .librdkafka(let message) = source { return message.pointee.offset }
        return -1
    }

    /// The record's timestamp.
    package var timestamp: KafkaTimestamp {
        if case .librdkafka(let message) = source { return KafkaTimestamp(of: message) }
        return .none
    }

    /// Whether a record that was not acknowledged may have reached the log all the same.
    package var isPossiblyPersisted: Bool {
        guard case .librdkafka(let message) = source else { return false }
        return rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
    }

    /// Why the record was not acknowledged.
    package var error: KafkaError? {
        guard !isDelivered else { return nil }
        switch source {
        case .librdkafka(let message):
            return KafkaError(message.pointee.err, "A record was not delivered", topic: topic, partition: partition)
        case .refusal(let refusal): return refusal.takeUnretainedValue().error
        }
    }

    /// The topic the record was for.
    package var topic: String {
        switch source {
        case .librdkafka(let message):
            message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? ""
        case .refusal(let refusal): refusal.takeUnretainedValue().topic
        }
    }

    /// A copy of the record, to send it again.
    package var record: PackedMessage {
        guard case .librdkafka(let message) = source else {
            if case .refusal(let refusal) = source { return refusal.takeUnretainedValue().record.packed }
            return PackedMessage(topic: topic)
        }
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
    private var topics: [String: ProducerTopic] = [:]
    /// The topic that was produced to last: mostly the next record is for it too.
    private var lastTopic: ProducerTopic?
    /// What is held back, where librdkafka needs that.
    let window: SendWindow?
    /// The helper thread for transactions, where the producer has a transactional id.
    let transactions: TransactionWorker?
    let transactionEvents: TransactionEvents

    /// Creates a producer from librdkafka properties.
    package init(properties: [(String, String)], waker: Waker) throws {
        window = SendWindow(properties: properties, waker: waker)
        client = try ClientHandle(
            .producer, properties: properties,
            events: RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS, window: window)
        guard let pointer = rd_kafka_queue_get_main(client.pointer) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "The producer has no queue")
        }
        queue = EventQueue(owning: pointer, of: client, waker: waker)
        transactionEvents = TransactionEvents(waker: waker)
        let isTransactional = properties.contains { $0.0 == "transactional.id" }
        transactions = isTransactional ? try TransactionWorker.start(client, properties: properties) : nil
    }

    deinit {
        lastTopic = nil
        topics = [:]
        window?.forgetTopics()
        transactions?.close()
    }

    /// Whether no report or event waits.
    package var isEmpty: Bool { queue.isEmpty && transactionEvents.isEmpty && window?.isQuiet != false }

    /// The number of records whose report has not been drained yet.
    package var outstanding: Int {
        // A record goes from the one to the other: it may be counted twice, never not at all.
        let held = window?.count ?? 0
        return held + client.outstanding
    }

    /// Enqueues a copy of `record`; its report will carry `opaque`.
    ///
    /// Never waits.
    package func enqueue(_ record: borrowing PackedMessage, opaque: UInt) -> EnqueueResult {
        guard let topic = topic(record.topic) else { return .refused(refusal(ofTopic: record.topic)) }
        guard let windows = topic.windows else {
            let error = record.produce(client.pointer, topic.handle, opaque: opaque, timestamp: record.timestamp)
            return result(of: topic, error)
        }
        let place = record.withKey { windows.window(partition: record.partition, key: $0, keyLength: $1) }
        if let place, place.pointee.mustHold {
            let held = HeldRecord(.packed(copy record), opaque: opaque)
            if let result = hold(held, record.byteCount, record.requestBytes, in: place, of: topic) { return result }
        }
        let error = windows.produce(record.partition) {
            record.produce(client.pointer, topic.handle, opaque: opaque, timestamp: record.timestamp)
        }
        return result(of: topic, error)
    }

    /// Enqueues a copy of `message`; its report will carry `opaque`.
    ///
    /// Never waits.
    func enqueue(_ message: borrowing KafkaMessage, opaque: UInt) -> EnqueueResult {
        guard let topic = topic(message.topic) else { return .refused(refusal(ofTopic: message.topic)) }
        guard let windows = topic.windows else {
            let error = message.produce(
                client.pointer, topic.handle, opaque: opaque, timestamp: message.timestamp ?? 0)
            return result(of: topic, error, partition: message.partition)
        }
        let place = withBytes(message.key) {
            windows.window(partition: message.partition ?? -1, key: $0, keyLength: $1)
        }
        if let place, place.pointee.mustHold {
            let held = HeldRecord(.message(copy message), opaque: opaque)
            if let result = hold(held, message.byteCount, message.requestBytes, in: place, of: topic) { return result }
        }
        let error = windows.produce(message.partition ?? -1) {
            message.produce(client.pointer, topic.handle, opaque: opaque, timestamp: message.timestamp ?? 0)
        }
        return result(of: topic, error, partition: message.partition)
    }

    private func hold(
        _ record: HeldRecord, _ bytes: Int, _ requestBytes: Int, in place: UnsafeMutablePointer<TopicWindows.Window>,
        of topic: ProducerTopic
    ) -> EnqueueResult? {
        guard let window, window.admits(bytes: bytes, client: client.pointer) else { return nil }
        return window.hold(record, bytes: requestBytes, in: place, of: topic, client: client.pointer)
    }

    /// What producing a record led to.
    private func result(
        of topic: ProducerTopic, _ error: rd_kafka_resp_err_t, partition: Int32? = nil
    ) -> EnqueueResult {
        switch error {
        case RD_KAFKA_RESP_ERR_NO_ERROR: .queued
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: .full
        default: .refused(KafkaError(error, "A record was refused", topic: topic.name, partition: partition))
        }
    }

    /// The topic, made before the first record: producing by name delays it by a second before 2.10.1.
    private func topic(_ name: String) -> ProducerTopic? {
        if let lastTopic, lastTopic.name == name { return lastTopic }
        if let known = topics[name] {
            lastTopic = known
            return known
        }
        guard TopicName.problem(with: name) == nil else { return nil }
        let created =
            window.map { $0.makeTopic(name, client: client.pointer) }
            ?? ProducerTopic(name, client: client.pointer, windows: nil)
        topics[name] = created
        return created
    }

    /// Why a topic has no handle.
    private func refusal(ofTopic name: String) -> KafkaError {
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
        for refusal in window?.attend(client: client.pointer) ?? [] {
            count += 1
            withExtendedLifetime(refusal) { report(DeliveryReport(refusal)) }
        }
        for event in transactionEvents.take() { other(.transaction(event)) }
        return count
    }

    /// Gives up on everything that is queued or in flight: each record's report says so.
    package func purge() {
        window?.purge()
        rd_kafka_purge(client.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    }
}

/// A pointer for bytes of length 0 where null would mean something else.
///
/// Immutable, never freed.
nonisolated(unsafe) let emptyBytes = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))
