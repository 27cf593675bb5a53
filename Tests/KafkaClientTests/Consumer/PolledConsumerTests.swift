// What the polled consumer promises its owner.

import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(5))) struct PolledConsumerTests {
    /// librdkafka ends the process when a partition is given up while it is being given up.
    @Test(arguments: TestCluster.available)
    func partitionsMayBeAssignedOverAndOver(cluster: TestCluster) async throws {
        let partitions = try await [
            TopicPartition(cluster.makeTopic(), 0), TopicPartition(cluster.makeTopic(), 0),
        ]
        let producer = try KafkaProducer(cluster.configuration)
        for partition in partitions {
            try await producer.send(
                contentsOf: (0..<10).map { _ in KafkaMessage(topic: partition.topic, partition: 0, value: [1]) })
        }
        await producer.shutdown()
        let properties = try cluster.configuration.librdkafkaProperties(for: .consumer(group: nil))
        let offsets = try await runBlocking(named: "test-owner") {
            let waker = try Waker()
            let consumer = try PolledConsumer(properties: properties, waker: waker)
            var queues: [PartitionQueue] = []
            for round in 1...200 {
                queues = []
                queues = try consumer.assign(
                    partitions.prefix(round.isMultiple(of: 2) ? 2 : 1).map { CommittedOffset($0, offset: 0) })
            }
            var offsets: [TopicPartition: [Int64]] = [:]
            try serve(waker, { consumer.isEmpty && queues.allSatisfy(\.isEmpty) }) {
                var isBusy = consumer.nextEvent() != nil
                for queue in queues {
                    guard case .record(let record) = queue.poll() else { continue }
                    offsets[queue.topicPartition, default: []].append(record.offset)
                    isBusy = true
                }
                return isBusy
            } until: {
                offsets.values.reduce(0) { $0 + $1.count } == 20
            }
            return offsets
        }
        #expect(offsets == [partitions[0]: Array(0..<10), partitions[1]: Array(0..<10)])
    }
}
