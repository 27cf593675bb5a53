// How late retries come: the time of the second attempt against the time it was due, under light load.

import Foundation
import KafkaClient
import Synchronization
import Troupe

private struct Tick: RawEvent {
    static let type: EventType = "bench.tick"
    static let topic = Topic(Options.current.topic)
    let rawBytes: [UInt8]
    var key: EventKey { EventKey(String(decoding: rawBytes, as: UTF8.self)) }
    init(rawBytes: [UInt8]) { self.rawBytes = rawBytes }
}

/// Publishes `options.records` events, 50 a second, each of which fails once, and prints how late the second attempts
/// came: with delays that are waited for in place and in the retry topic.
func runDue(_ options: Options) async throws -> Double {
    let began = ContinuousClock.now
    for (name, delay, inPlace) in [
        ("in place, 20 ms", 20, 1_000), ("retry topic, 100 ms", 100, 0), ("retry topic, 1,000 ms", 1_000, 0),
    ] {
        var configuration = ServiceConfiguration(
            kafka: KafkaConfiguration(bootstrapServers: options.bootstrapServers), environment: [:])
        configuration.kafka.properties["auto.offset.reset"] = "latest"
        configuration.tracking = .off
        configuration.inPlaceRetryLimit = .milliseconds(inPlace)
        configuration.logger = Logger(label: "bench")
        configuration.logger?.level = .error
        let late = Lateness()
        var router = EventRouter(retry: .fixed(.milliseconds(delay), maxRetries: 1))
        router.on(Tick.self) { _, context in
            guard let failed = context.firstFailedAt, context.attempt > 1 else { throw UsageError("the first attempt") }
            late.add(Int64(Date().timeIntervalSince1970 * 1_000) - failed - Int64(delay))
        }
        let service = EventService(
            "due-\(UInt32.random(in: 0...UInt32.max))", router: router, configuration: configuration)
        let running = Task { try await service.run() }
        while service.status.partitions == 0 { try await Task.sleep(for: .milliseconds(20)) }
        try await Task.sleep(for: .seconds(2))
        let publisher = try await EventPublisher("due-source", configuration: configuration)
        for number in 0..<options.records {
            try await publisher.publish(Tick(rawBytes: Array("\(number)".utf8)))
            try await Task.sleep(for: .milliseconds(20))
        }
        while late.count < options.records { try await Task.sleep(for: .milliseconds(20)) }
        running.cancel()
        try await running.value
        print("\(name): \(late.summary)")
    }
    return (ContinuousClock.now - began) / .seconds(1)
}

private final class Lateness: Sendable {
    private let values = Mutex<[Int64]>([])
    func add(_ value: Int64) { values.withLock { $0.append(value) } }
    var count: Int { values.withLock { $0.count } }
    var summary: String {
        let sorted = values.withLock { $0.sorted() }
        func at(_ share: Double) -> Int64 { sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)] }
        return "late by min \(at(0)), median \(at(0.5)), 99th \(at(0.99)), max \(at(1)) ms of \(sorted.count)"
    }
}
