// Flows from outside: starts them and meets their ends, at a rate or as many as a bound lets be under way.

import Foundation
import KafkaClient
import Synchronization

/// Starts `options.records` flows on `options.topic` and reads their ends from `options.outputTopic`.
///
/// With a rate (`--rate`) they start at equal distances, and the time of a flow is from the call that produced its first
/// event to the moment its last was read. Without one the next starts as soon as fewer than `--max-in-flight` are under
/// way. Prints the times; returns the seconds from the first start to the last end.
func runFlows(_ options: Options) async throws -> Double {
    var configuration = KafkaConfiguration(bootstrapServers: options.bootstrapServers)
    for (name, value) in options.producerProperties + options.consumerProperties {
        configuration.properties[name] = value
    }
    configuration.properties["isolation.level"] = "read_committed"
    let admin = try KafkaAdmin(configuration)
    guard case .success(let topic)? = try await admin.describeTopics([options.outputTopic])[options.outputTopic] else {
        throw UsageError("there is no topic \(options.outputTopic)")
    }
    let starts = Dictionary(uniqueKeysWithValues: topic.topicPartitions.map { ($0, StartingPoint.latest) })
    let consumer = try KafkaConsumer(configuration, .partitions(starts))
    let flows = FlowsUnderWay(options.records)
    let reading = Task {
        for try await batch in consumer.batches {
            for record in batch { flows.ended(record) }
            if flows.isDone { return }
        }
    }
    let producer = try KafkaProducer(configuration)
    // The first flows make the connections and find the ends: they are not measured.
    try await flows.warmUp(producer, options)

    let clock = ContinuousClock()
    let began = clock.now
    if let rate = options.rate {
        for number in 0..<options.records {
            try await clock.sleep(until: began + .seconds(1) * number / rate)
            try await flows.start(number, producer, options)
        }
    } else {
        for number in 0..<options.records {
            await flows.waitForRoom(options.maxInFlight ?? 1_000)
            try await flows.start(number, producer, options)
        }
    }
    try await reading.value
    let seconds = (clock.now - began) / .seconds(1)
    await consumer.close()
    await producer.shutdown()
    print(flows.report(seconds))
    return seconds
}

/// The flows that were started and have not ended, by number.
private final class FlowsUnderWay: Sendable {
    private struct State {
        var startedAt: [UInt64]
        var times: [Double] = []
        var hasWarmedUp = false
        var started = 0
        var waiter: CheckedContinuation<Void, Never>?
        var bound = Int.max
    }

    private let state: Mutex<State>
    private let count: Int

    init(_ count: Int) {
        self.count = count
        state = Mutex(State(startedAt: [UInt64](repeating: 0, count: count)))
    }

    var isDone: Bool { state.withLock { $0.times.count == count } }

    func warmUp(_ producer: KafkaProducer, _ options: Options) async throws {
        while !state.withLock({ $0.hasWarmedUp }) {
            try await producer.send(message("warm-up", 0, options))
            try await Task.sleep(for: .milliseconds(100))
        }
        // Those still on their way are over.
        try await Task.sleep(for: .seconds(1))
    }

    func start(_ number: Int, _ producer: KafkaProducer, _ options: Options) async throws {
        let record = message("\(number)", number, options)
        state.withLock { state in
            state.startedAt[number] = DispatchTime.now().uptimeNanoseconds
            state.started += 1
        }
        _ = try await producer.enqueue(record)
    }

    private func message(_ text: String, _ number: Int, _ options: Options) -> KafkaMessage {
        var value = Array("\(text) ".utf8)
        value += [UInt8](repeating: UInt8(ascii: "x"), count: max(options.valueSize - value.count, 0))
        return KafkaMessage(
            topic: options.topic, key: Array("flow-\(number)".utf8), value: value,
            headers: [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_type", "bench.step"),
                KafkaHeader("ce_source", "/services/bench"), KafkaHeader("ce_id", "\(options.group)-\(text)"),
                KafkaHeader("ce_correlationid", "\(options.group)-\(text)"),
            ])
    }

    func ended(_ record: KafkaRecord) {
        let now = DispatchTime.now().uptimeNanoseconds
        let text = record.value.map { String(decoding: $0.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self) }
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let number = text.flatMap({ Int($0) }), state.startedAt.indices.contains(number) else {
                state.hasWarmedUp = true
                return nil
            }
            // What came twice ended before.
            guard state.startedAt[number] > 0 else { return nil }
            state.times.append(Double(now - state.startedAt[number]) / 1e6)
            state.startedAt[number] = 0
            // Woken when a tenth of the bound is free: waking for each would measure that.
            guard state.started - state.times.count < state.bound - state.bound / 10 else { return nil }
            return state.waiter.take()
        }
        waiter?.resume()
    }

    func waitForRoom(_ bound: Int) async {
        guard state.withLock({ $0.started - $0.times.count >= bound }) else { return }
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                state.bound = bound
                if state.started - state.times.count < bound { return true }
                state.waiter = continuation
                return false
            }
            if hasRoom { continuation.resume() }
        }
    }

    func report(_ seconds: Double) -> String {
        let times = state.withLock { $0.times.sorted() }
        func at(_ share: Double) -> Double { times[min(Int(Double(times.count) * share), times.count - 1)] }
        return """
            {"flows": \(times.count), "flows_per_second": \(Double(times.count) / seconds), "p50": \(at(0.5)), \
            "p99": \(at(0.99)), "max": \(at(1))}
            """
    }
}
