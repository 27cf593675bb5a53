// Asking for a group's offsets while its coordinator moves.

import Synchronization
import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(2))) struct GroupOffsetsQueryTests {
    /// librdkafka 2.0.2 asks a coordinator that has moved for as long as it is asked itself, however often it is told.
    ///
    /// The embedded broker only plays the answer; the chaos run has the real thing.
    @Test func aCoordinatorThatMovedIsFoundAgain() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let properties = try broker.configuration.librdkafkaProperties(for: .consumer(group: "stock"))
        let partition = TopicPartition("orders", 0)
        try await runBlocking(named: "test-owner") {
            let waker = try Waker()
            let consumer = try PolledConsumer(properties: properties, waker: waker)
            var made = 0
            let query = try GroupOffsetsQuery(sharing: consumer) {
                made += 1
                return try PolledConsumer(properties: properties, waker: waker)
            }
            func ask(_ tag: UInt) throws -> Result<[CommittedOffset], KafkaError> {
                try query.start(group: "stock", partitions: [partition], requireStable: false, tag: tag)
                var found: GroupOffsetsQuery.Answer?
                try serve(waker, { consumer.isEmpty && query.isEmpty }) {
                    var isBusy = false
                    while consumer.nextEvent() != nil { isBusy = true }
                    if let answer = query.nextAnswer() {
                        isBusy = true
                        found = answer
                    }
                    return isBusy
                } until: {
                    found != nil
                }
                let answer = try #require(found)
                #expect(answer.tag == tag)
                return answer.offsets
            }
            #expect(try ask(1).get() == [])
            #expect(made == 0)
            for round in 1...3 {
                broker.failNext(.offsetFetch, with: [.notCoordinator])
                let misled = try ask(UInt(2 * round))
                let error = #expect(throws: KafkaError.self) { try misled.get() }
                #expect(error?.code == .notCoordinator)
                // The next question goes out by a client that has yet to learn who the coordinator is.
                #expect(try ask(UInt(2 * round + 1)).get() == [])
                #expect(made == round)
            }
            broker.failNext(.offsetFetch, with: [.coordinatorLoading])
            let early = try ask(100)
            #expect(throws: KafkaError.self) { try early.get() }
            #expect(try ask(101).get() == [])
            // Who only has to wait keeps the client.
            #expect(made == 3)
        }
    }

    /// A client that is no consumer has no group to look the coordinator up for, and librdkafka follows the null pointer
    /// (librdkafka#5040).
    @Test func anAdminClientLivesThroughACoordinatorThatMoved() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let admin = try KafkaAdmin(broker.configuration)
        let partition = TopicPartition("orders", 0)
        broker.failNext(.offsetFetch, with: [.notCoordinator, .notCoordinator])
        #expect(try await admin.committedOffsets(ofGroup: "stock", partitions: [partition]).isEmpty)
    }
}
