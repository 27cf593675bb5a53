// What the tests themselves rely on: all that was committed is read, however late the broker says so.

import KafkaClient
import Testing
import Troupe

@Suite(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka), .timeLimit(.minutes(5)))
struct CommittedReadingTests {
    /// A producer with an open transaction, in which it has published the order a.
    private func openTransaction(in space: TestSpace) async throws -> KafkaProducer {
        let producer = try await space.transactionalProducer("reading")
        try producer.beginTransaction()
        try await producer.send(space.placed("a"))
        return producer
    }

    @Test func whatIsAboutToBeCommittedIsWaitedFor() async throws {
        let space = try await TestSpace(partitions: 2)
        let topic = space.name(Placed.topic)
        let producer = try await openTransaction(in: space)
        async let records = TestCluster.readAll(topic)
        // The reader has looked at the topic by now, or will find the transaction ended: it must not differ.
        for _ in 0..<20 { _ = try await KafkaAdmin(TestCluster.configuration).describeTopics([topic]) }
        try await producer.commitTransaction()
        #expect(try await records.map { $0.key?.text } == ["a"])
        await producer.shutdown()
    }

    @Test func aTransactionThatStaysOpenIsToldAndNotTakenForNothing() async throws {
        let space = try await TestSpace(partitions: 2)
        let topic = space.name(Placed.topic)
        let producer = try await openTransaction(in: space)
        await #expect(throws: TimedOut.self) { try await TestCluster.readAll(topic, within: .milliseconds(500)) }
        try await producer.abortTransaction()
        #expect(try await TestCluster.readAll(topic).isEmpty)
        await producer.shutdown()
    }
}
