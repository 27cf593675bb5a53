// Producing as fast as the queue takes it, with the outcome of every record awaited.

import KafkaClient

/// Returns the seconds from the first record to the end of the producer, everything acknowledged.
func runProduce(_ options: Options) async throws -> Double {
    var configuration = KafkaConfiguration(bootstrapServers: options.bootstrapServers)
    for (name, value) in options.producerProperties { configuration.properties[name] = value }
    let producer = try KafkaProducer(configuration)
    let value = [UInt8](repeating: UInt8(ascii: "x"), count: options.valueSize)
    // Writing the keys is no part of producing.
    let keys = (0..<10_000).map { Array("order-\($0)".utf8) }

    let began = ContinuousClock.now
    var receipts: [DeliveryReceipt] = []
    let batch = 50_000
    for number in 0..<options.records {
        let message = KafkaMessage(topic: options.topic, key: keys[number % keys.count], value: value)
        receipts.append(try await producer.enqueue(message))
        // Receipts are awaited well behind the sending, so that neither waits for the other: what bounds the records
        // under way is the local queue of 100,000, as in C.
        if receipts.count == 2 * batch {
            for receipt in receipts.prefix(batch) { _ = try await receipt.delivery() }
            receipts.removeFirst(batch)
        }
    }
    for receipt in receipts { _ = try await receipt.delivery() }
    await producer.shutdown()
    return (ContinuousClock.now - began) / .seconds(1)
}
