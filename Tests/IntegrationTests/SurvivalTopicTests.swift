// What a service does when its topics change under it.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct SurvivalTopicTests {
    private final class Tally: Sendable {
        private let counts = Mutex<[Int: Int]>([:])
        func count(_ number: Int) { counts.withLock { $0[number, default: 0] += 1 } }
        var all: [Int: Int] { counts.withLock { $0 } }
    }

    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func anOutputTopicThatIsDeletedIsWrittenToAgainOnceItIsBack() async throws {
        let space = try await TestSpace(partitions: 1) {
            $0.kafka.properties["delivery.timeout.ms"] = "2000"
            $0.kafka.properties["topic.metadata.refresh.interval.ms"] = "1000"
        }
        let topic = space.name(Reserved.topic)
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            Reserved(order: placed.order, number: placed.number)
        }
        let service = space.service("stock", router: router)
        let admin = try KafkaAdmin(space.configuration.kafka)
        try await TestCluster.produce((0..<10).map { space.placed("a", number: $0) })
        try await withService(service) {
            try await wait(for: "the first to be published") { service.status.published == 10 }
            try #require(try await admin.deleteTopics([topic])[topic]).get()
            try await TestCluster.produce((10..<20).map { space.placed("a", number: $0) })
            try await wait(for: "the second to be handled") { service.status.handled == 20 }
            // Somebody's metadata request may have made it already, where the broker allows that.
            let made = try await admin.createTopics([NewTopic(topic, partitions: 1)])
            if case .failure(let error)? = made[topic] { #expect(error.code == .topicAlreadyExists) }
            try await wait(for: "the second to be published") { service.status.published == 20 }
            try await wait(for: "nothing to be under way") { service.status.inFlight == 0 }
        }
        // What was acknowledged before the topic was deleted went with it; of what came after, nothing is missing. A
        // record that was acknowledged by the topic in its last moment is lost with it as well: at most those.
        #expect(service.status.published == 20)
        #expect(service.status.deadLettered == 0)
    }

    @Test(.enabled(if: TestCluster.isKafka, TestCluster.needsKafka))
    func partitionsThatAreAddedAreReadAndTheirRetriesWrapAround() async throws {
        let space = try await TestSpace(partitions: 1) {
            // How soon a client notices; five minutes where nothing is said.
            $0.kafka.properties["topic.metadata.refresh.interval.ms"] = "500"
            $0.inPlaceRetryLimit = .zero
        }
        let handled = Tally()
        var router = EventRouter(retry: .fixed(.milliseconds(200), maxRetries: 3))
        router.on(Placed.self) { placed, context in
            if context.attempt == 1, placed.number % 3 == 0 { throw Failure(description: "not yet") }
            handled.count(placed.number)
        }
        let service = space.service("stock", router: router)
        let topic = space.name(Placed.topic)
        let admin = try KafkaAdmin(space.configuration.kafka)
        try await withService(service) {
            try await TestCluster.produce((0..<10).map { space.placed("key-\($0)", number: $0) })
            try await wait(for: "the first to be handled") { handled.all.count == 10 }
            #expect(service.status.partitions == 2)
            try #require(try await admin.addPartitions([topic: 4])[topic]).get()
            var count = 0
            while count != 4 { count = try await admin.describeTopics([topic])[topic]?.get().partitions.count ?? 0 }
            // Those who write notice on their own time, too.
            try await wait(for: "the service to notice") { service.status.partitions == 5 }
            try await TestCluster.produce(
                (10..<40).map { number in
                    var message = space.placed("key-\(number)", number: number)
                    message.partition = Int32(number % 4)
                    return message
                })
            try await wait(for: "those of all partitions to be handled") { handled.all.count == 40 }
            #expect(service.status.partitions == 5)
            try await wait(for: "nothing to be under way") { service.status.inFlight == 0 }
        }
        #expect(handled.all.values.allSatisfy { $0 == 1 })
        #expect(service.status.deadLettered == 0)
        let retries = try await TestCluster.read("\(space.namespace)stock.placed.retry", count: 14)
        #expect(retries.count == 14)
        #expect(Set(retries.map(\.partition)) == [0])
        #expect(Set(retries.compactMap { $0.header("troupe-origin-partition") }) == ["0", "1", "2", "3"])
    }
}
