// Asking for a group's offsets while its coordinator moves or is away.

import Testing

@testable import KafkaClient

@Suite(.timeLimit(.minutes(5))) struct GroupOffsetsQueryTests {
    private let partition = TopicPartition("orders", 0)

    /// A consumer and its query, and how to ask and await the answer.
    private final class Owner {
        let waker: Waker
        let consumer: PolledConsumer
        let query: GroupOffsetsQuery
        private var lastTag: UInt = 0

        init(_ configuration: KafkaConfiguration) throws {
            waker = try Waker()
            consumer = try PolledConsumer(
                properties: configuration.librdkafkaProperties(for: .consumer(group: "stock")), waker: waker)
            query = GroupOffsetsQuery(of: consumer)
        }

        func ask(
            _ partition: TopicPartition, within timeout: Duration = .seconds(120)
        ) throws -> Result<[CommittedOffset], KafkaError> {
            lastTag += 1
            try query.start(partitions: [partition], within: timeout, tag: lastTag)
            #expect(query.pendingCount == 1)
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
            #expect(answer.tag == lastTag)
            #expect(query.pendingCount == 0)
            return answer.offsets
        }
    }

    @Test func whatTheGroupHasCommittedIsTold() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 2])
        let offset = CommittedOffset(partition, offset: 7, metadata: "window")
        let results = try await KafkaAdmin(broker.configuration).alterOffsets(ofGroup: "stock", to: [offset])
        #expect(throws: Never.self) { try results[partition]?.get() }
        try await runBlocking(named: "test-owner") { [partition] in
            let owner = try Owner(broker.configuration)
            #expect(try owner.ask(partition).get() == [offset])
            #expect(try owner.ask(TopicPartition("orders", 1)).get() == [])
        }
    }

    /// The embedded broker only plays the answer; the chaos run has the real thing.
    @Test func aCoordinatorThatMovedIsFoundAgain() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        try await runBlocking(named: "test-owner") { [partition] in
            let owner = try Owner(broker.configuration)
            #expect(try owner.ask(partition).get() == [])
            for error in [KafkaError.Code.notCoordinator, .coordinatorLoading] {
                broker.failNext(.offsetFetch, with: [error])
                let early = try owner.ask(partition)
                // librdkafka may ask again by itself.
                if case .failure(let failure) = early { #expect(failure.code == error) }
                #expect(try owner.ask(partition).get() == [])
            }
        }
    }

    /// With librdkafka's admin request this ended the process.
    @Test func aQuestionThatTimedOutDoesNoHarmWhenTheCoordinatorIsThereAgain() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        try await runBlocking(named: "test-owner") { [partition] in
            let owner = try Owner(broker.configuration)
            #expect(try owner.ask(partition).get() == [])
            try broker.takeDown()
            let unanswered = try owner.ask(partition, within: .milliseconds(300))
            let error = #expect(throws: KafkaError.self) { try unanswered.get() }
            #expect(error?.code == .timedOut)
            try broker.bringUp()
            #expect(try owner.ask(partition).get() == [])
        }
    }

    @Test func aQuestionNeedsAPartitionAndATagOfItsOwn() throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let owner = try Owner(broker.configuration)
        #expect(throws: KafkaError.self) { try owner.query.start(partitions: [], tag: 1) }
        try owner.query.start(partitions: [partition], tag: 1)
        #expect(throws: KafkaError.self) { try owner.query.start(partitions: [partition], tag: 1) }
        #expect(owner.query.pendingCount == 1)
    }
}
