// Publishes the events of a run, at a steady rate, each once.

import Foundation
import KafkaClient
import Troupe

/// Publishes the lines of a file, `key`, `sequence number` and `plan` separated by tabs, in their order.
///
/// The last third goes at a tenth of the rate until the file `goAhead` is there: faults that come late hit work too.
///
/// - Throws: The first failure: an event that may or may not have been written makes the run worthless.
func load(_ kafka: KafkaConfiguration, file: String, eventsPerSecond rate: Int, goAhead: String) async throws {
    var configuration = kafka
    // Brokers come and go during the run: nothing is given up, and so nothing is written twice.
    configuration.properties["delivery.timeout.ms"] = "900000"
    let producer = try KafkaProducer(configuration)
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
    var due = ContinuousClock.now
    var receipts: [DeliveryReceipt] = []
    var count = 0
    for line in lines {
        let fields = line.split(separator: "\t")
        guard fields.count == 3, let sequence = Int(fields[1]) else { throw UsageError("\(file) has the line \(line)") }
        receipts.append(
            try await producer.enqueue(message(name: String(fields[0]), sequence: sequence, plan: String(fields[2]))))
        count += 1
        if count % 20 == 0 {
            let isHeld = count > lines.count * 2 / 3 && !FileManager.default.fileExists(atPath: goAhead)
            due += .seconds(20 / Double(rate) * (isHeld ? 10 : 1))
            try await Task.sleep(until: due, clock: .continuous)
        }
        if receipts.count == 20_000 {
            for receipt in receipts.prefix(10_000) { _ = try await receipt.delivery() }
            receipts.removeFirst(10_000)
        }
    }
    for receipt in receipts { _ = try await receipt.delivery() }
    await producer.shutdown()
    print("loaded \(count)")
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
