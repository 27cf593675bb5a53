// The test's own client of a broker: one thread that publishes what is given and reads every topic.

import KafkaClient
import Synchronization
import Troupe

/// Publishes what is given and reads every topic of the world, from the beginning and for as long as the world lasts.
final class LiveClient: Sendable {
    private struct Order: Sendable {
        let message: PackedMessage
        let isDone: CheckedContinuation<KafkaRecord, any Error>
    }

    private struct State {
        var orders: [Order] = []
        var records: [KafkaRecord] = []
        var given: Set<Place> = []
        var failure: KafkaError?
        var isStopped = false
    }

    private struct Place: Hashable {
        let partition: TopicPartition
        let offset: Int64
    }

    private let waker: Waker
    private let state = Mutex(State())

    /// Starts reading the topics, which must exist.
    init(_ configuration: KafkaConfiguration, topics: [String]) async throws {
        waker = try Waker()
        var partitions: [TopicPartition] = []
        for (_, description) in try await KafkaAdmin(configuration).describeTopics(topics) {
            partitions += try description.get().topicPartitions
        }
        let producerProperties = try configuration.librdkafkaProperties(for: .producer)
        let consumerProperties = try configuration.librdkafkaProperties(for: .consumer(group: nil))
        let assignment = partitions.map { CommittedOffset($0, offset: 0) }
        try startThread(named: "troupe-test") { [self] in
            do {
                let producer = try ProducerQueue(properties: producerProperties, waker: waker)
                let consumer = try PolledConsumer(properties: consumerProperties, waker: waker)
                serve(producer, consumer, try consumer.assign(assignment))
            } catch {
                fail(error as? KafkaError ?? KafkaError(.invalidState, "The test's client failed: \(error)"))
            }
        }
    }

    /// Publishes a record and waits until the broker has it.
    ///
    /// Returns it as it lies in its topic.
    func give(_ message: PackedMessage) async throws -> KafkaRecord {
        try await withCheckedThrowingContinuation { continuation in
            let failure = state.withLock { state -> KafkaError? in
                if state.isStopped || state.failure != nil {
                    return state.failure ?? KafkaError(.invalidState, "The test is over")
                }
                state.orders.append(Order(message: message, isDone: continuation))
                return nil
            }
            if let failure { continuation.resume(throwing: failure) } else { waker.wake() }
        }
    }

    /// Every record read so far, those of one partition in order, and the places of those that were given and not
    /// read yet.
    func records() throws -> (records: [WorldRecord], unread: [String]) {
        let (records, given, failure) = state.withLock { ($0.records, $0.given, $0.failure) }
        if let failure { throw failure }
        var unread = given
        let all = records.map { record in
            WorldRecord(
                record: record,
                isGiven: unread.remove(Place(partition: record.topicPartition, offset: record.offset)) != nil)
        }
        return (all, unread.map { "\($0.partition) offset \($0.offset)" })
    }

    /// Ends the thread.
    func stop() {
        state.withLock { $0.isStopped = true }
        waker.wake()
    }

    private func fail(_ error: KafkaError) {
        let orders = state.withLock { state in
            state.failure = state.failure ?? error
            defer { state.orders = [] }
            return state.orders
        }
        for order in orders { order.isDone.resume(throwing: error) }
    }

    // MARK: The thread

    private func serve(_ producer: ProducerQueue, _ consumer: PolledConsumer, _ queues: [PartitionQueue]) {
        var underWay: [UInt: Order] = [:]
        var number: UInt = 0
        while !state.withLock({ $0.isStopped }) || !underWay.isEmpty {
            var progress = false
            for order in takeOrders() {
                progress = true
                number += 1
                switch producer.enqueue(order.message, opaque: number) {
                case .queued: underWay[number] = order
                case .full: state.withLock { $0.orders.append(order) }
                case .refused(let error): order.isDone.resume(throwing: error)
                }
            }
            progress =
                producer.drain { report in
                    guard let order = underWay.removeValue(forKey: report.opaque) else { return }
                    finish(order, report)
                } > 0 || progress
            while let event = consumer.nextEvent() {
                progress = true
                if case .error(let error) = event, error.isFatal { fail(error) }
            }
            for queue in queues { progress = read(queue) || progress }
            guard !progress else { continue }
            waker.prepareToSleep()
            if state.withLock({ !$0.orders.isEmpty }) || !producer.isEmpty || !consumer.isEmpty
                || queues.contains(where: { !$0.isEmpty })
            {
                waker.cancelSleep()
            } else {
                waker.sleep(milliseconds: 1_000)
            }
        }
        fail(KafkaError(.invalidState, "The test is over"))
    }

    private func takeOrders() -> [Order] {
        state.withLock { state in
            defer { state.orders = [] }
            return state.orders
        }
    }

    private func finish(_ order: Order, _ report: DeliveryReport) {
        if let error = report.error {
            order.isDone.resume(throwing: error)
            return
        }
        let message = order.message.message
        let record = KafkaRecord(
            topic: message.topic, partition: report.partition, offset: report.offset, timestamp: report.timestamp,
            key: message.key, value: message.value, headers: message.headers)
        _ = state.withLock { $0.given.insert(Place(partition: record.topicPartition, offset: record.offset)) }
        order.isDone.resume(returning: record)
    }

    private func read(_ queue: PartitionQueue) -> Bool {
        var records: [KafkaRecord] = []
        polling: while true {
            switch queue.poll() {
            case .record(let record): records.append(record)
            case .failed(let error):
                if error.isFatal { fail(error) }
                return true
            case .end: continue
            case .empty: break polling
            }
        }
        guard !records.isEmpty else { return false }
        state.withLock { $0.records += records }
        return true
    }
}
