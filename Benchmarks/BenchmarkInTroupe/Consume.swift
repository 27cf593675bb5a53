// Consuming as fast as records come, one by one, as most programs do.

import KafkaClient

/// Returns the seconds from the first record to the end of the consumer.
func runConsume(_ options: Options) async throws -> Double {
    var configuration = KafkaConfiguration(bootstrapServers: options.bootstrapServers)
    for (name, value) in options.consumerProperties { configuration.properties[name] = value }
    let consumer = try KafkaConsumer(configuration, .topics([options.topic], group: options.group))

    var began = ContinuousClock.now
    var count = 0
    var bytes = 0
    for try await record in consumer.records {
        if count == 0 { began = .now }
        count += 1
        bytes += record.value?.count ?? 0
        if count == options.records { break }
    }
    guard count == options.records, bytes == count * options.valueSize else {
        throw UsageError("\(count) records with \(bytes) bytes in values were read, not all \(options.records)")
    }
    await consumer.close()
    return (ContinuousClock.now - began) / .seconds(1)
}
