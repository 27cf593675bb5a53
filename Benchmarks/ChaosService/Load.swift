// Publishes the events of a run, at a steady rate, each once.

import Foundation
import KafkaClient
import Troupe

/// Publishes the lines of a file, `key`, `sequence number` and `plan` separated by tabs, in their order.
///
/// The last third goes at a tenth of the rate until the file `goAhead` is there: faults that come late hit work too.
func load(_ kafka: KafkaConfiguration, file: String, eventsPerSecond rate: Int, goAhead: String) async throws {
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
    let messages = try lines.map { line in
        let fields = line.split(separator: "\t")
        guard fields.count == 3, let sequence = Int(fields[1]) else { throw UsageError("\(file) has the line \(line)") }
        return message(name: String(fields[0]), sequence: sequence, plan: String(fields[2]))
    }
    var loader = try Loader(kafka)
    var due = ContinuousClock.now
    for (index, message) in messages.enumerated() {
        try await loader.publish(message)
        if (index + 1) % 20 == 0 {
            let isHeld = index >= messages.count * 2 / 3 && !FileManager.default.fileExists(atPath: goAhead)
            due += .seconds(20 / Double(rate) * (isHeld ? 10 : 1))
            try await Task.sleep(until: due, clock: .continuous)
        }
    }
    try await loader.finish()
    print("loaded \(messages.count)")
}

/// A producer that loses nothing and writes nothing twice, whatever becomes of its client.
private struct Loader {
    private let kafka: KafkaConfiguration
    private let producer: KafkaProducer
    /// What was published and is not known to be written, in the order of publishing.
    private var pending: [(message: KafkaMessage, receipt: DeliveryReceipt)] = []

    init(_ kafka: KafkaConfiguration) throws {
        self.kafka = kafka
        var configuration = kafka
        // Brokers come and go during the run: nothing is given up, but for what a fatal error takes along.
        configuration.properties["delivery.timeout.ms"] = "900000"
        producer = try KafkaProducer(configuration)
    }

    mutating func publish(_ message: KafkaMessage) async throws {
        pending.append((message, try await producer.enqueue(message)))
        if pending.count >= 20_000 { try await settle(pending.count / 2) }
    }

    mutating func finish() async throws {
        while !pending.isEmpty { try await settle(pending.count) }
        await producer.shutdown()
    }

    /// Waits for the first `count` of what is pending, and publishes again what was not written.
    private mutating func settle(_ count: Int) async throws {
        var failed = false
        for (_, receipt) in pending.prefix(count) where !failed { failed = await !isDelivered(receipt) }
        guard failed else { return pending.removeFirst(count) }
        // A fatal error of the idempotent client, which librdkafka has when leaders change at the wrong time: what was
        // under way may be written or not. Only the topic knows, once no request of that client can come any more: that is
        // longer than any broker is paused, which may hold one. One that comes later still is told as published twice.
        for (_, receipt) in pending { _ = await isDelivered(receipt) }
        try await Task.sleep(for: .seconds(15))
        var written: Set<[UInt8]> = []
        try await forEachRecord(of: [First.topic.rawValue], kafka) { record in
            if let value = record.value { written.insert(Array(value)) }
        }
        let missing = pending.map(\.message).filter { !written.contains($0.value ?? []) }
        print("after a failed delivery \(missing.count) of \(pending.count) events are published again")
        pending = []
        for message in missing { try await publish(message) }
    }

    private func isDelivered(_ receipt: DeliveryReceipt) async -> Bool {
        do {
            _ = try await receipt.delivery()
            return true
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            return false
        }
    }
}

private func message(name: String, sequence: Int, plan: String) -> KafkaMessage {
    KafkaMessage(
        topic: First.topic.rawValue, key: Array(name.utf8),
        value: Array(#"{"name":"\#(name)","sequence":\#(sequence),"plan":"\#(plan)"}"#.utf8),
        headers: [
            KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "first-\(sequence)"),
            KafkaHeader("ce_type", First.type.rawValue), KafkaHeader("ce_source", "/chaos"),
            KafkaHeader("ce_subject", "\(sequence)"), KafkaHeader("content-type", "application/json"),
        ])
}
