// What is bounded stays within its bound.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct BoundsTests {
    @Test func handlersWaitWhileTooMuchOfWhatTheyPublishedIsUnacknowledged() async throws {
        // A broker of its own, because it is made to acknowledge nothing.
        let broker = try EmbeddedBroker()
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.tracking = .off
        configuration.bearHoldUps()
        configuration.logger = Logger(label: "test", level: .error, handler: SilentLogHandler())
        configuration.engine.maxBytesUnacknowledged = 20_000
        for topic in [Placed.topic, Reserved.topic] { try broker.createTopic(topic.rawValue, partitions: 2) }
        configuration.engine.maxConcurrentHandlers = 1
        let text = String(repeating: "x", count: 2_000)
        let gate = ExecutionTests.Gate()
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            await gate.pass(placed.number)
            return Reserved(order: "\(placed.number)-" + text, number: placed.number)
        }
        let service = EventService("stock", router: router, configuration: configuration)
        let source = try await EventPublisher("source", configuration: configuration)
        for number in 0..<50 { try await source.publish(Placed(order: "k\(number)", number: number)) }
        let admin = try KafkaAdmin(broker.configuration)
        try await withService(service) {
            try await wait(for: "all to be in flight") { service.status.inFlight == 50 && gate.current == 1 }
            let reserved = (0..<2).map { TopicPartition(Reserved.topic.rawValue, $0) }
            for partition in reserved { try broker.setLeader(of: partition, to: nil) }
            gate.open()
            try await wait(for: "some to be handled") { service.status.handled >= 2 }
            // Time for more.
            for _ in 0..<50 { _ = try await admin.describeCluster() }
            // Each takes more than 4,000 bytes, the text being in key and value: the fifth passes the bound at the latest.
            #expect(gate.numbers.count <= 5)
            #expect(service.status.published == 0)
            for partition in reserved { try broker.setLeader(of: partition, to: 1) }
            try await wait(for: "all to be acknowledged") { service.status.published == 50 }
        }
        #expect(service.status.handled == 50)
    }

    @Test func bytesInFlightAreBounded() async throws {
        let space = try await TestSpace(partitions: 1) { $0.engine.maxBytesInFlight = 50_000 }
        let gate = ExecutionTests.Gate()
        var router = EventRouter()
        router.on(Placed.self) { placed, _ in await gate.pass(placed.number) }
        let service = space.service("stock", router: router)
        try await TestCluster.produce(
            (0..<40).map {
                var message = space.placed("k\($0)", number: $0)
                message.headers.append(KafkaHeader("filling", String(repeating: "x", count: 9_500)))
                return message
            })
        try await withService(service) {
            // The sixth, of about 9,700 bytes each, passes the bound.
            try await wait(for: "the bound") { gate.current == 6 && service.status.inFlight == 6 }
            for done in 1...10 {
                gate.release()
                try await wait(for: "the next") { gate.numbers.count == 6 + done && gate.current == 6 }
            }
            gate.open()
            try await wait(for: "all to be handled") { service.status.handled == 40 }
        }
        #expect(gate.most == 6)
    }
}
