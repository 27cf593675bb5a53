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
/// Every record that is in flight ends with a call of that interceptor. What a defect would leave here is found by
/// `attend`.
final class SendWindow: Sendable {
    /// How many records of a partition may be in flight before an idempotent producer sends no more
    /// (`RD_KAFKA_IDEMP_MAX_INFLIGHT`).
    static let limit = 5
    /// How long records may be held without any being released.
    private static let longestWait: UInt64 = 10_000_000_000

    private let partitioner: Partitioner
    private let batch: TopicWindows.Window.Batch
    private let maximumRecords: Int
    private let maximumBytes: Int
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
        maximumRecords = number("queue.buffering.max.messages", 100_000)
        maximumBytes = number("queue.buffering.max.kbytes", 1_048_576) << 10
        self.waker = waker
    }

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

    /// Holds a record back; `nil` when it may go after all.
    func hold(
        _ record: HeldRecord, bytes: Int, in window: UnsafeMutablePointer<TopicWindows.Window>,
        of topic: ProducerTopic, client: OpaquePointer
    ) -> EnqueueResult? {
        guard heldRecords.load(ordering: .relaxed) + Int(rd_kafka_outq_len(client)) < maximumRecords,
            heldBytes.load(ordering: .relaxed) + bytes <= maximumBytes
        else { return .full }
        guard window.pointee.hold(record, bytes: bytes, now: Self.now) else { return nil }
        heldRecords.add(1, ordering: .relaxed)
        heldBytes.add(bytes, ordering: .relaxed)
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
        if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            // In the thread that sends: all that goes now goes in one request.
            release(window, of: handle, String(cString: rd_kafka_topic_name(handle)), windows, client)
        } else {
            // Librdkafka may hold locks here that producing takes. The report that follows wakes the owner.
            needsRelease.store(true, ordering: .releasing)
        }
    }

    private func release(
        _ window: UnsafeMutablePointer<TopicWindows.Window>, of handle: OpaquePointer,
        _ name: @autoclosure () -> String, _ windows: TopicWindows?, _ client: OpaquePointer
    ) {
        guard let windows else { return }
        var hasRefused = false
        let released = window.pointee.release(batch, now: Self.now) { record in
            let error = record.produce(client, handle, windows)
            switch error {
            case RD_KAFKA_RESP_ERR_NO_ERROR: return true
            case RD_KAFKA_RESP_ERR__QUEUE_FULL: return false
            default:
                let topic = name()
                let refusal = HeldRefusal(
                    topic: topic, record: record, error: KafkaError(error, "A record was refused", topic: topic))
                refusals.withLock { $0.append(refusal) }
                hasRefused = true
                return true
            }
        }
        heldRecords.subtract(released.records, ordering: .relaxed)
        heldBytes.subtract(released.bytes, ordering: .relaxed)
        if !released.hadRoom { lacksRoom.store(true, ordering: .releasing) }
        if hasRefused { waker.wake() }
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

    /// Releases what waits for no record that anybody could still settle, once a second.
    ///
    /// Nothing is ever found here, unless a record was counted for a partition that librdkafka did not give it to.
    private func look(_ client: OpaquePointer) {
        let now = Self.now
        let isEmpty = rd_kafka_outq_len(client) == 0
        guard isEmpty || now >= nextLook.load(ordering: .relaxed) else { return }
        nextLook.store(now + 1_000_000_000, ordering: .relaxed)
        let earliest = now > Self.longestWait ? now - Self.longestWait : 0
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
                let error = KafkaError(
                    RD_KAFKA_RESP_ERR__PURGE_QUEUE, "A record was not delivered", topic: topic.name)
                let gone = records.map { HeldRefusal(topic: topic.name, record: $0, error: error) }
                refusals.withLock { $0 += gone }
                heldRecords.subtract(records.count, ordering: .relaxed)
                heldBytes.subtract(bytes, ordering: .relaxed)
            }
        }
    }

    private static var now: UInt64 {
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
