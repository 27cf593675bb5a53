// Asking for a group's offsets while its coordinator moves.

import Synchronization
import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(2))) struct GroupOffsetsQueryTests {
    @Test func aCoordinatorThatMovedIsFoundAgain() async throws {
        let broker = try EmbeddedBroker(brokers: 2, topics: ["orders": 1])
        let properties = try broker.configuration.librdkafkaProperties(for: .consumer(group: "stock"))
        let partition = TopicPartition("orders", 0)
        try broker.setCoordinator(ofGroup: "stock", to: 1)
        try await runBlocking(named: "test-owner") {
            let waker = try Waker()
            let consumer = try PolledConsumer(properties: properties, waker: waker)
            let query = try GroupOffsetsQuery(sharing: consumer) {
                try PolledConsumer(properties: properties, waker: waker)
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
            for (tag, place) in [(2, 2), (4, 1), (6, 2)] as [(UInt, Int32)] {
                try broker.setCoordinator(ofGroup: "stock", to: place)
                let first = try ask(tag)
                #expect(throws: KafkaError.self) { try first.get() }
                // The next question goes to whoever is the coordinator now.
                #expect(try ask(tag + 1).get() == [])
            }
        }
    }
}
