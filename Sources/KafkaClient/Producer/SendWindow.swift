// Holds records back that librdkafka could not send yet, and gives them to it when it can.

import CRDKafka
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a producer holds back, partition by partition.
///
/// An idempotent producer of librdkafka sends nothing more to a partition that has five records in flight (it counts
/// records where Kafka's limit is five requests). While others wait behind them, and have waited for `linger.ms`, the
/// broker's thread asks its socket again and again without ever sleeping (`rd_kafka_broker_produce_toppars`, the same in
/// 2.0.2 and in 2.12): a core is spent on waiting for acknowledgements. So the sixth record stays here. When the
/// acknowledgements come, librdkafka's own thread says so (an interceptor, called before the reports are queued), and what
/// was held goes in one request, as it would have.
///
/// Records without a key are not held, because librdkafka alone knows where they go; where they share a partition with
/// others, more may go to it than it can send at once. What is held has the queue's bounds to itself.
///
/// Every record that is in flight ends with a call of that interceptor. What a defect would leave here is found by
/// `attend`.
final class SendWindow: Sendable {
    /// How many records of a partition may be in flight before an idempotent producer sends no more
    /// (`RD_KAFKA_IDEMP_MAX_INFLIGHT`).
    static let limit = 5
    private let partitioner: Partitioner
    private let batch: TopicWindows.Window.Batch
    private let maximumRecords: Int
    private let maximumBytes: Int
    private let maximumRecordBytes: Int
    /// What a record may take from when it is enqueued until it is acknowledged, in nanoseconds; librdkafka counts anew
    /// when it gets the record.
    private let deliveryTimeout: UInt64
    private let waker: Waker
    private let heldRecords = Atomic<Int>(0)
    private let heldBytes = Atomic<Int>(0)
    /// Something was settled where librdkafka may not be called: the owner releases.
    private let needsRelease = Atomic<Bool>(false)
    /// Librdkafka's queue was full: there is room once the owner has drained reports.
    private let lacksRoom = Atomic<Bool>(false)
    private let nextLook = Atomic<UInt64>(0)
    private let refusals = Mutex<[HeldRefusal]>([])
    private let topics = Mutex<[ProducerTopic]>([])
    private let windows = Mutex<[TopicWindows]>([])

    /// The window that a producer with these properties needs; `nil` where librdkafka does not turn in circles, or where
    /// nobody can say which partition a record will go to.
    ///
    /// With `linger.ms` above 0 records wait on purpose. A transactional producer's wait for the commit.
    init?(properties: [(String, String)], waker: Waker) {
        let values = Dictionary(properties) { _, last in last }
        func number(_ name: String, _ standard: Int) -> Int { values[name].flatMap { Int($0) } ?? standard }
        guard values["transactional.id"] == nil,
            values["enable.idempotence"] == "true", values["linger.ms"].flatMap({ Double($0) }) == 0,
            let partitioner = Partitioner(named: values["partitioner"])
        else { return nil }
        self.partitioner = partitioner
        batch = TopicWindows.Window.Batch(
            records: number("batch.num.messages", 10_000), bytes: number("batch.size", 1_000_000))
        let records = number("queue.buffering.max.messages", 100_000)
        maximumRecords = records > 0 ? records : .max
        maximumRecordBytes = number("message.max.bytes", 1_000_000)
        let milliseconds = number("delivery.timeout.ms", 300_000)
        deliveryTimeout = milliseconds > 0 ? UInt64(milliseconds) * 1_000_000 : .max
        maximumBytes = number("queue.buffering.max.kbytes", 1_048_576) << 10
        self.waker = waker
    }

    /// How many records are in flight, as far as they are counted.
    var inFlightCount: Int { windows.withLock { $0.reduce(0) { $0 + $1.inFlightCount } } }

    /// How many records are held, those included whose refusal nobody has been told yet.
    var count: Int { heldRecords.load(ordering: .relaxed) + refusals.withLock { $0.count } }

    /// Whether the owner has something to do here.
    var isQuiet: Bool { !needsRelease.load(ordering: .acquiring) && refusals.withLock { $0.isEmpty } }

    /// A topic whose records are counted.
    func makeTopic(_ name: String, client: OpaquePointer) -> ProducerTopic? {
        let counted = TopicWindows(partitioner: partitioner)
        // Librdkafka keeps a pointer to it.
        windows.withLock { $0.append(counted) }
        let topic = ProducerTopic(name, client: client, windows: counted)
        if let topic { topics.withLock { $0.append(topic) } }
        return topic
    }

    /// Lets go of the topics, whose handles go before the client; what its callbacks use stays until it is gone.
    func forgetTopics() { topics.withLock { $0 = [] } }

    // MARK: Holding

    /// Whether a record of `bytes` may be held: not where librdkafka would refuse it, which it is to say at once.
    func admits(bytes: Int, client: OpaquePointer) -> Bool {
        bytes <= maximumRecordBytes && rd_kafka_fatal_error(client, nil, 0) == RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Holds a record back; `nil` when it may go after all.
    func hold(
        _ record: HeldRecord, bytes: Int, in window: UnsafeMutablePointer<TopicWindows.Window>,
        of topic: ProducerTopic, client: OpaquePointer
    ) -> EnqueueResult? {
        guard heldRecords.load(ordering: .relaxed) + Int(rd_kafka_outq_len(client)) < maximumRecords,
            heldBytes.load(ordering: .relaxed) + bytes <= maximumBytes
        else { return .full }
        // Counted before anybody can release it.
        heldRecords.add(1, ordering: .relaxed)
        heldBytes.add(bytes, ordering: .relaxed)
        guard window.pointee.hold(record, bytes: bytes, now: record.since) else {
            heldRecords.subtract(1, ordering: .relaxed)
            heldBytes.subtract(bytes, ordering: .relaxed)
            return nil
        }
        // The last acknowledgement may have come meanwhile, and found nothing to release.
        if window.pointee.isDue { release(window, of: topic.handle, topic.name, topic.windows, client) }
        return .queued
    }

    // MARK: Releasing

    /// A record of the client was settled, in one of librdkafka's threads or in one that produces.
    fileprivate func settled(_ message: UnsafePointer<rd_kafka_message_t>, client: OpaquePointer) {
        guard message.pointee.partition >= 0, let handle = message.pointee.rkt,
            let opaque = rd_kafka_topic_opaque(handle)
        else { return }
        let windows = TopicWindows.from(opaque)
        let window = windows.window(message.pointee.partition)
        guard window.pointee.settle() else { return }
        // A record that is acknowledged by a later one's acknowledgement has no offset; then librdkafka holds the
        // partition's lock here (`rd_kafka_dr_implicit_ack`), as it may with errors.
        if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, message.pointee.offset >= 0 {
            // In the thread that sends: all that goes now goes in one request.
            release(window, of: handle, String(cString: rd_kafka_topic_name(handle)), windows, client)
        } else {
            // Producing takes that lock. The report that follows wakes the owner.
            needsRelease.store(true, ordering: .releasing)
        }
    }

    private func release(
        _ window: UnsafeMutablePointer<TopicWindows.Window>, of handle: OpaquePointer,
        _ name: @autoclosure () -> String, _ windows: TopicWindows?, _ client: OpaquePointer
    ) {
        guard let windows else { return }
        let now = Self.now
        var mustWake = false
        let released = window.pointee.release(batch, now: now) { record in
            let isLate = now > record.since && now - record.since > deliveryTimeout
            let error = isLate ? RD_KAFKA_RESP_ERR__MSG_TIMED_OUT : record.produce(client, handle, windows)
            switch error {
            case RD_KAFKA_RESP_ERR_NO_ERROR: return true
            case RD_KAFKA_RESP_ERR__QUEUE_FULL: return false
            default:
                refuse([record], of: name(), error)
                mustWake = true
                return true
            }
        }
        heldRecords.subtract(released.records, ordering: .relaxed)
        heldBytes.subtract(released.bytes, ordering: .relaxed)
        if !released.hadRoom {
            lacksRoom.store(true, ordering: .releasing)
            mustWake = true
        }
        if mustWake { waker.wake() }
    }

    /// The owner is to be told of records that do not go.
    private func refuse(_ records: [HeldRecord], of topic: String, _ code: rd_kafka_resp_err_t) {
        // After a fatal error librdkafka gives up on all it has, and takes nothing: what is held shares that.
        let code = code == RD_KAFKA_RESP_ERR__FATAL ? RD_KAFKA_RESP_ERR__PURGE_QUEUE : code
        let error = KafkaError(code, "A record was not delivered", topic: topic)
        let gone = records.map { HeldRefusal(topic: topic, record: $0, error: error) }
        refusals.withLock { $0 += gone }
    }

    // MARK: In the owner's thread

    /// Does what librdkafka's threads could not, and takes out what was refused.
    func attend(client: OpaquePointer) -> [HeldRefusal] {
        let wasSettled = needsRelease.exchange(false, ordering: .acquiring)
        guard count > 0 else { return [] }
        if lacksRoom.exchange(false, ordering: .acquiring) || wasSettled { releaseAll(client) }
        if heldRecords.load(ordering: .relaxed) > 0 { look(client) }
        return refusals.withLock { refusals in
            defer { refusals = [] }
            return refusals
        }
    }

    /// Releases what waits for no record that anybody could still settle.
    ///
    /// Nothing is ever found here, unless a record was counted that librdkafka does not have.
    private func look(_ client: OpaquePointer) {
        let now = Self.now
        let isEmpty = rd_kafka_outq_len(client) == 0
        guard isEmpty || now >= nextLook.load(ordering: .relaxed) else { return }
        nextLook.store(now + 1_000_000_000, ordering: .relaxed)
        // Everything in flight is settled within the time-out, and what was retried last a little later.
        let (wait, isForEver) = deliveryTimeout.addingReportingOverflow(10_000_000_000)
        let earliest = !isForEver && now > wait ? now - wait : 0
        var isOpen = false
        for topic in topics.withLock({ $0 }) {
            topic.windows?.forEach { window in
                if window.pointee.heldCount > 0, window.pointee.open(ifWaitingSince: isEmpty ? now : earliest) {
                    isOpen = true
                }
            }
        }
        if isOpen { releaseAll(client) }
    }

    private func releaseAll(_ client: OpaquePointer) {
        for topic in topics.withLock({ $0 }) {
            topic.windows?.forEach { window in
                if window.pointee.isDue { release(window, of: topic.handle, topic.name, topic.windows, client) }
            }
        }
    }

    /// Gives up on all that is held; the owner is told of each record.
    func purge() {
        for topic in topics.withLock({ $0 }) {
            topic.windows?.forEach { window in
                let (records, bytes) = window.pointee.takeAll()
                guard !records.isEmpty else { return }
                refuse(records, of: topic.name, RD_KAFKA_RESP_ERR__PURGE_QUEUE)
                heldRecords.subtract(records.count, ordering: .relaxed)
                heldBytes.subtract(bytes, ordering: .relaxed)
            }
        }
    }

    /// Nanoseconds of the monotonic clock.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension SendWindow {
    /// Has librdkafka tell of every record that is settled, before its report is queued.
    ///
    /// The window must outlive the client that is made of `configuration`.
    func watch(_ configuration: OpaquePointer) throws(KafkaError) {
        let error = rd_kafka_conf_interceptor_add_on_new(
            configuration, "troupe",
            { client, _, window, _, _ in
                rd_kafka_interceptor_add_on_acknowledgement(
                    client, "troupe",
                    { client, message, window in
                        if let client, let message, let window {
                            Unmanaged<SendWindow>.fromOpaque(window).takeUnretainedValue()
                                .settled(UnsafePointer(message), client: client)
                        }
                        return RD_KAFKA_RESP_ERR_NO_ERROR
                    }, window)
            }, Unmanaged.passUnretained(self).toOpaque())
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(error, "Watching acknowledgements failed") }
    }
}
