// Reads topics from one offset to another, or for ever, without a consumer group: nobody's offsets are touched.

import Foundation
import KafkaClient
import Synchronization

/// Reads partitions by hand, on a thread of its own.
struct TopicReader: Sendable {
    /// Whether to go on after a record.
    enum Next: Sendable { case goOn, stop }

    private let configuration: KafkaConfiguration

    init(_ cluster: Cluster) {
        var configuration = cluster.configuration
        configuration.isolation = .readCommitted
        configuration.properties["enable.partition.eof"] = "true"
        self.configuration = configuration
    }

    /// Reads each partition's records within its range of offsets; an endless range is followed for ever.
    ///
    /// A range whose last offsets belong to an open transaction is taken as read when nothing has come for `patience`.
    ///
    /// - Parameters:
    ///   - each: Called for each record on the reader's thread; the records of a partition come in order.
    ///   - end: Called whenever a partition was read to its present end, with the offset there: behind the last record
    ///     may lie a transaction's marker.
    /// - Throws: `KafkaError`, with `.timedOut` when the brokers give nothing for 30 s before the end is reached; what
    ///   `each` throws, or `CancellationError`.
    func read(
        _ ranges: [TopicPartition: Range<Int64>], patience: Duration = .seconds(3),
        end: @escaping @Sendable (TopicPartition, Int64) -> Void = { _, _ in },
        each: @escaping @Sendable (KafkaRecord) throws -> Next
    ) async throws {
        let ranges = ranges.filter { !$0.value.isEmpty }
        guard !ranges.isEmpty else { return }
        let properties = try configuration.librdkafkaProperties(for: .consumer(group: "troupe-tool"))
        let waker = try Waker()
        let cancelled = Flag()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                Thread.detachNewThread {
                    continuation.resume(
                        with: Result {
                            var loop = try ReadLoop(properties, ranges, waker, patience)
                            try loop.run(until: { cancelled.isRaised }, end, each)
                        })
                }
            }
        } onCancel: {
            cancelled.raise()
            waker.wake()
        }
        try Task.checkCancellation()
    }
}

/// The end of ranges that are followed for ever.
let endless = Int64.max

private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}

/// The reader's loop: owned by its thread.
private struct ReadLoop {
    private let consumer: PolledConsumer
    private var queues: [PartitionQueue]
    private let ranges: [TopicPartition: Range<Int64>]
    private let waker: Waker
    private let patience: Duration
    private var lastProgress = ContinuousClock.now
    /// The partitions that have nothing more to give now.
    private var atEnd: Set<TopicPartition> = []

    init(
        _ properties: [(String, String)], _ ranges: [TopicPartition: Range<Int64>], _ waker: Waker, _ patience: Duration
    ) throws {
        consumer = try PolledConsumer(properties: properties, waker: waker)
        queues = try consumer.assign(ranges.map { CommittedOffset($0.key, offset: $0.value.lowerBound) })
        self.ranges = ranges
        self.waker = waker
        self.patience = patience
    }

    mutating func run(
        until isCancelled: () -> Bool, _ reached: (TopicPartition, Int64) -> Void,
        _ each: (KafkaRecord) throws -> TopicReader.Next
    ) throws {
        while !isCancelled(), !queues.isEmpty {
            try takeEvents()
            var moved = false
            for index in queues.indices.reversed() {
                let end = ranges[queues[index].topicPartition]?.upperBound ?? 0
                var isDone = false
                batch: for _ in 0..<256 {
                    switch queues[index].poll() {
                    case .record(let record):
                        moved = true
                        atEnd.remove(queues[index].topicPartition)
                        if record.offset < end, try each(record) == .stop { return }
                        isDone = record.offset >= end - 1
                        if isDone { break batch }
                    case .failed(let error):
                        if !error.isRetriable { throw error }
                    case .end(let offset):
                        moved = true
                        atEnd.insert(queues[index].topicPartition)
                        reached(queues[index].topicPartition, offset)
                        isDone = offset >= end
                        break batch
                    case .empty: break batch
                    }
                }
                if isDone { queues.remove(at: index) }
            }
            if moved {
                lastProgress = .now
            } else if ranges.values.allSatisfy({ $0.upperBound < endless }), try hasWaitedEnough() {
                return
            } else {
                sleep(isCancelled)
            }
        }
    }

    /// Whether to take what is left as read.
    ///
    /// Brokers that give nothing at all are an error, not an empty topic.
    private func hasWaitedEnough() throws -> Bool {
        let silence = lastProgress.duration(to: .now)
        let silent = queues.first { !atEnd.contains($0.topicPartition) }
        guard let silent else { return silence > patience }
        guard silence > .seconds(30) else { return false }
        throw KafkaError(
            .timedOut, "The brokers gave nothing to read for 30 s", isRetriable: true,
            topic: silent.topicPartition.topic, partition: silent.topicPartition.partition,
            advice: "Check the brokers' health with `troupe doctor`, then try again")
    }

    private func takeEvents() throws {
        while let event = consumer.nextEvent() {
            if case .error(let error) = event, error.isFatal || !error.isRetriable { throw error }
        }
    }

    private func sleep(_ isCancelled: () -> Bool) {
        waker.prepareToSleep()
        if isCancelled() || !consumer.isEmpty || queues.contains(where: { !$0.isEmpty }) {
            waker.cancelSleep()
        } else {
            waker.sleep(milliseconds: 250)
        }
    }
}
