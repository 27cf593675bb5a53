// What a service keeps in memory when something is large or slow, beside a broker in a process of its own.

import Foundation
import KafkaClient
import Troupe

/// What is large or slow.
enum MemoryScenario: String {
    /// Records of 1 MB that are handled at once and published again.
    case large
    /// A broker that takes half a second for each answer.
    case slowBroker = "slow-broker"
    /// A handler that waits a second for each record.
    case slowHandler = "slow-handler"
}

private struct Large: RawEvent {
    static let type: EventType = "bench.large"
    static let topic = Topic("large")
    let rawBytes: [UInt8]
    var key: EventKey { .none }
    init(rawBytes: [UInt8]) { self.rawBytes = rawBytes }
}

private struct Copied: RawEvent {
    static let type: EventType = "bench.copied"
    static let topic = Topic("copied")
    let rawBytes: [UInt8]
    var key: EventKey { .none }
    init(rawBytes: [UInt8]) { self.rawBytes = rawBytes }
}

/// Runs a service for `options.records` seconds against a broker that always has more, and prints what it kept.
func runMemory(_ scenario: MemoryScenario, _ options: Options) async throws -> Double {
    var configuration = ServiceConfiguration(
        kafka: KafkaConfiguration(bootstrapServers: options.bootstrapServers), environment: [:])
    for (name, value) in options.consumerProperties + options.producerProperties {
        configuration.kafka.properties[name] = value
    }
    configuration.tracking = .off
    configuration.logger = Logger(label: "bench")
    configuration.logger?.level = .error
    var router = EventRouter(retry: .never)
    router.on(Large.self, publishes: .one(Copied.self)) { large, _ in
        if scenario == .slowHandler { try await Task.sleep(for: .seconds(1)) }
        return Copied(rawBytes: large.rawBytes)
    }
    let service = EventService(
        "memory-\(UInt32.random(in: 0...UInt32.max))", router: router, configuration: configuration)
    let running = Task { try await service.run() }
    var most = 0
    for second in 1...options.records {
        try await Task.sleep(for: .seconds(1))
        most = max(most, service.status.inFlight)
        guard second % max(options.records / 6, 1) == 0 else { continue }
        print(
            "after \(second) s: \(try residentMegabytes("VmRSS")) MB resident, handled \(service.status.handled), "
                + "in flight \(service.status.inFlight), acknowledged \(service.status.published)")
    }
    running.cancel()
    try await running.value
    print(
        "\(scenario.rawValue): peak \(try residentMegabytes("VmHWM")) MB resident, at most \(most) records in flight, "
            + "handled \(service.status.handled)")
    return Double(options.records)
}

/// An embedded broker that is always fed, until standard input ends; prints its address first.
func runMemoryBroker(_ options: Options) async throws -> Double {
    let broker = try EmbeddedBroker()
    // What it keeps, 5 MiB a partition, is what a service may fall behind.
    for topic in ["large", "copied"] { try broker.createTopic(topic, partitions: 64) }
    // Not by `print`, which waits for a full buffer where standard output is a pipe.
    FileHandle.standardOutput.write(Data("\(broker.bootstrapServers)\n".utf8))
    let producer = try KafkaProducer(broker.configuration)
    let value = [UInt8](repeating: 120, count: options.valueSize)
    let feeding = (0..<32).map { lane in
        Task {
            var number = 0
            while !Task.isCancelled {
                let message = KafkaMessage(
                    topic: "large", partition: Int32(lane * 2 + number % 2), value: value,
                    headers: [
                        KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "\(lane)-\(number)"),
                        KafkaHeader("ce_type", "bench.large"), KafkaHeader("ce_source", "/bench"),
                    ])
                _ = try await producer.send(message)
                number += 1
                // The delay begins once the partitions are full.
                if lane == 0, number == 10, options.workload == "memory-broker-slow" {
                    try broker.setRoundTripTime(.milliseconds(500))
                }
                if number > 10 { try await Task.sleep(for: .milliseconds(100)) }
            }
        }
    }
    while readLine() != nil {}
    for task in feeding { task.cancel() }
    return 0
}

private func residentMegabytes(_ name: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    return line.flatMap { Int($0.split(whereSeparator: { !$0.isNumber }).first ?? "") }.map { $0 / 1_024 } ?? 0
}
