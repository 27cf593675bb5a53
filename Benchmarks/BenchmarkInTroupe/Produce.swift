// Producing as fast as the queue takes it, with the outcome of every record awaited.

import KafkaClient

/// Returns the seconds from the first record to the end of the producer, everything acknowledged.
func runProduce(_ options: Options) async throws -> Double {
    var configuration = KafkaConfiguration(bootstrapServers: options.bootstrapServers)
    for (name, value) in options.producerProperties { configuration.properties[name] = value }
    let producer = try KafkaProducer(configuration)
    let value = [UInt8](repeating: UInt8(ascii: "x"), count: options.valueSize)

    let began = ContinuousClock.now
    var receipts: [DeliveryReceipt] = []
    for number in 0..<options.records {
        let key = Array("order-\(number % 10_000)".utf8)
        receipts.append(try await producer.enqueue(KafkaMessage(topic: options.topic, key: key, value: value)))
        // Receipts are awaited well behind the sending, so that neither waits for the other.
        if receipts.count == 20_000 {
            for receipt in receipts.prefix(10_000) { _ = try await receipt.delivery() }
            receipts.removeFirst(10_000)
        }
    }
    for receipt in receipts { _ = try await receipt.delivery() }
    await producer.shutdown()
    return (ContinuousClock.now - began) / .seconds(1)
}
