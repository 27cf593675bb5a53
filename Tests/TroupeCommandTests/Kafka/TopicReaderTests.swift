// Reading topics without a group.

import KafkaClient
import Testing

@testable import TroupeCommand

@Suite struct TopicReaderTests {
    private let broker: EmbeddedBroker
    private let cluster: Cluster

    init() throws {
        broker = try EmbeddedBroker(topics: ["letters": 2])
        cluster = Cluster(broker.configuration)
    }

    private func produce(_ count: Int, partition: Int32 = 0) async throws {
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(
            contentsOf: (0..<count).map {
                KafkaMessage(topic: "letters", partition: partition, key: nil, value: Array("\(partition)-\($0)".utf8))
            })
        await producer.shutdown()
    }

    private func read(
        _ ranges: [TopicPartition: Range<Int64>], stopAt: Int = .max, patience: Duration = .seconds(120)
    ) async throws -> [String] {
        let found = Collected<String>()
        try await TopicReader(cluster).read(ranges, patience: patience) { record in
            found.append(record.value?.text ?? "null")
            return found.all.count >= stopAt ? .stop : .goOn
        }
        return found.all
    }

    @Test func eachPartitionIsReadWithinItsRangeAndInOrder() async throws {
        try await produce(10, partition: 0)
        try await produce(5, partition: 1)
        let found = try await read([TopicPartition("letters", 0): 3..<6, TopicPartition("letters", 1): 0..<5])
        #expect(found.filter { $0.hasPrefix("0") } == ["0-3", "0-4", "0-5"])
        #expect(found.filter { $0.hasPrefix("1") } == ["1-0", "1-1", "1-2", "1-3", "1-4"])
    }

    @Test func whatComesAfterTheEndIsLeftOut() async throws {
        try await produce(3)
        let watermarks = try await cluster.watermarks(of: [TopicPartition("letters", 0)])
        try await produce(3)
        #expect(try await read(watermarks.mapValues { $0.low..<$0.high }).count == 3)
    }

    @Test func anEmptyRangeNeedsNoReading() async throws {
        #expect(try await read([TopicPartition("letters", 0): 0..<0]).isEmpty)
        #expect(try await read([:]).isEmpty)
    }

    @Test func aRangeWhoseLastOffsetsHoldNothingEndsWithPatience() async throws {
        try await produce(3)
        let found = try await read([TopicPartition("letters", 0): 0..<5], patience: .seconds(20))
        #expect(found.count == 3)
    }

    @Test func anEndlessRangeIsFollowedUntilTheReaderHasEnough() async throws {
        try await produce(2)
        async let found = read([TopicPartition("letters", 0): 0..<endless], stopAt: 4)
        try await produce(2)
        #expect(try await found == ["0-0", "0-1", "0-0", "0-1"])
    }

    @Test func aCancelledReaderStops() async throws {
        let task = Task { try await read([TopicPartition("letters", 0): 0..<endless]) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func anErrorOfTheClosureEndsTheReading() async throws {
        struct Enough: Error {}
        try await produce(1)
        await #expect(throws: Enough.self) {
            try await TopicReader(cluster).read([TopicPartition("letters", 0): 0..<endless]) { _ in throw Enough() }
        }
    }
}
