// What a consumer's callers and thread share, without a broker.

import Testing

@testable import KafkaClient

@Suite struct ConsumerCoreTests {
    private let mine = TopicPartition("orders", 0)
    private let others = TopicPartition("orders", 1)

    @Test func aBufferFullOfBytesTakesNoMoreBeforeItIsRead() async throws {
        let core = try ConsumerCore()
        #expect(core.hasRoom)
        let large = KafkaRecord(topic: "orders", value: [UInt8](repeating: 0, count: 1 << 20))
        core.append([KafkaRecord](repeating: large, count: 16), byteCount: 16 * large.approximateSize)
        #expect(core.room.records > 0)
        #expect(!core.hasRoom)
        #expect(try await core.nextBatch()?.records.count == 16)
        #expect(core.hasRoom)
    }

    @Test func whatIsAcknowledgedOfAPartitionThatIsGoneIsNeverCommitted() throws {
        let core = try ConsumerCore()
        core.addAssignment([mine, others])
        core.forget([others])
        core.acknowledge(mine, next: 5)
        core.acknowledge(others, next: 7)
        #expect(core.takeAcknowledged() == [CommittedOffset(mine, offset: 5)])
        core.addAssignment([others])
        #expect(core.takeAcknowledged().isEmpty)
    }
}
