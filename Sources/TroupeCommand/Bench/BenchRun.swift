// The workloads: produce, consume, and a service under load and at a steady rate.

import Foundation
import KafkaClient
import Troupe

/// A benchmark on one cluster, in a namespace of its own.
struct BenchRun: Sendable {
    let cluster: Cluster
    let records: Int
    let valueSize: Int
    let rate: Int
    let duration: Duration

    private var topic: String { cluster.namespace + BenchEvent.topic.rawValue }

    /// Produces events as fast as they are acknowledged.
    func produce() async throws -> Measurement {
        let messages = try makeMessages()
        let producer = try KafkaProducer(cluster.configuration)
        do {
            // The first record waits for the connection, which is not what is measured.
            try await producer.send(KafkaMessage(topic: cluster.namespace + "warm-up", value: []))
            let watch = Stopwatch()
            try await producer.send(contentsOf: messages)
            let result = Measurement(
                workload: "produce", events: records, seconds: watch.seconds, processorSeconds: watch.processorSeconds)
            await producer.shutdown()
            return result
        } catch {
            await producer.shutdown(within: .seconds(1))
            throw error
        }
    }

    private func makeMessages() throws -> [KafkaMessage] {
        let publisher = PublisherIdentity(service: "bench", namespace: cluster.namespace)
        let random = FastRandom()
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        return try (0..<records).map { index in
            var emitter = EventEmitter(
                publisher: publisher, cause: .outside(correlationID: nil, idempotencyKey: nil), now: now, random: random
            )
            try emitter.emit(BenchEvent.stamped(size: valueSize, key: EventKey("key-\(index % 1_000)")))
            return emitter.messages[0].message
        }
    }

    /// Reads back what was produced.
    func consume() async throws -> Measurement {
        let description = try await cluster.topic(named: topic)
        let ends = try await cluster.watermarks(of: description.topicPartitions)
        let kept = ends.values.reduce(0) { $0 + $1.high - $1.low }
        guard kept == Int64(records) else {
            throw CommandFailure("Of \(counted(records, "event")) the broker kept \(kept). Give fewer with --records")
        }
        let watch = Stopwatch()
        try await TopicReader(cluster).read(ends.mapValues { $0.low..<$0.high }) { _ in .goOn }
        return Measurement(
            workload: "consume", events: records, seconds: watch.seconds, processorSeconds: watch.processorSeconds)
    }

    /// Runs a service over what was produced, then at a steady rate.
    func serve() async throws -> [Measurement] {
        var configuration = ServiceConfiguration(kafka: cluster.configuration, environment: [:])
        configuration.namespace = cluster.namespace
        configuration.tracking = .off
        configuration.logger = Logger(label: "bench")
        configuration.logger?.level = .error
        let progress = BenchProgress()
        let service = EventService.bench(configuration, progress)
        let running = Task { try await service.run() }
        do {
            let results = [
                try await pipeline(service, progress, running), try await steady(service, progress, configuration),
            ]
            running.cancel()
            try await running.value
            return results
        } catch {
            running.cancel()
            _ = await running.result
            throw error
        }
    }

    /// From the first handling until all follow-on events are acknowledged.
    private func pipeline(
        _ service: EventService, _ progress: BenchProgress, _ running: Task<Void, any Error>
    ) async throws -> Measurement {
        try await wait(until: { service.status.published >= records || service.status.phase == .stopped })
        guard let watch = progress.watch, service.status.phase != .stopped else {
            try await running.value
            throw CommandFailure("The service stopped before it had handled everything")
        }
        return Measurement(
            workload: "service", events: records, seconds: watch.seconds, processorSeconds: watch.processorSeconds)
    }

    /// Publishes at a steady rate and notes how long each event takes to its handler.
    private func steady(
        _ service: EventService, _ progress: BenchProgress, _ configuration: ServiceConfiguration
    ) async throws -> Measurement {
        let publisher = try await EventPublisher("bench", configuration: configuration)
        try await publisher.publish(BenchEvent.stamped(size: valueSize, key: "warm-up"))
        try await wait(until: { progress.handled > records })
        progress.startTiming()
        let watch = Stopwatch()
        let count = max(1, Int(duration / .seconds(1) * Double(rate)))
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<count {
                try await Task.sleep(until: began + .seconds(1) * index / rate)
                group.addTask {
                    _ = try await publisher.publish(
                        BenchEvent.stamped(size: valueSize, key: EventKey("key-\(index % 1_000)")))
                }
            }
            try await group.waitForAll()
        }
        try await wait(until: { progress.handled > records + count })
        let result = Measurement(
            workload: "service at \(rate)/s", events: count, seconds: watch.seconds,
            processorSeconds: watch.processorSeconds, latencies: progress.latencies)
        await publisher.shutdown()
        return result
    }

    /// Waits for a condition that nobody announces.
    private func wait(within timeout: Duration = .seconds(300), until condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + timeout
        while !condition() {
            guard ContinuousClock.now < deadline else {
                throw CommandFailure("The service did not handle its events within \(timeout)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
