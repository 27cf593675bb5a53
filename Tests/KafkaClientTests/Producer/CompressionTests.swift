// Compression is the producer's setting: what is written with it reads back the same.

import KafkaClient
import Testing

@Suite(.timeLimit(.minutes(5))) struct CompressionTests {
    @Test(arguments: TestCluster.available, ["none", "gzip", "snappy", "lz4", "zstd"])
    func whatIsCompressedReadsBackTheSame(cluster: TestCluster, codec: String) async throws {
        let topic = try await cluster.makeTopic("compressed-\(codec)")
        var configuration = try cluster.configuration
        configuration.properties["compression.type"] = codec
        // Batches worth compressing: several records, much of them alike.
        configuration.properties["linger.ms"] = "20"
        let values = (0..<200).map { Array(String(repeating: "order-\($0) of ada@example.org;", count: 40).utf8) }
        let producer = try KafkaProducer(configuration)
        let deliveries = try await producer.send(
            contentsOf: values.map { KafkaMessage(topic: topic, partition: 0, value: $0) })
        await producer.shutdown()
        #expect(deliveries.map(\.offset) == Array(0..<200))

        let consumer = try KafkaConsumer(
            cluster.configuration, .partitions([TopicPartition(topic, 0): .earliest]))
        var read: [[UInt8]] = []
        for try await record in consumer.records {
            read.append(record.value.map { Array($0) } ?? [])
            if read.count == values.count { break }
        }
        await consumer.close()
        #expect(read == values)
    }
}
