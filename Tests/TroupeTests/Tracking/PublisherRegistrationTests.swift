// A publisher that is announced late, because the registry's topic was not there at first.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct PublisherRegistrationTests {
    @Test func aLookThatFailedIsTakenAgain() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let log = LogRecorder()
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.provisioning = .verify
        configuration.logger = Logger(label: "test", level: .warning, handler: log)
        let producer = try KafkaProducer(broker.configuration)
        let registration = PublisherRegistration(
            "storefront", configuration, broker.configuration, producer, publishes: [OrderPlaced.self],
            retryInterval: .zero)
        await registration.settle(within: .seconds(30))
        registration.note(OrderPlaced.self)
        await registration.settle(within: .seconds(30))
        // What is missing is told once.
        #expect(log.lines.count == 1)
        try broker.createTopic("troupe.services", partitions: 1)
        try broker.createTopic("troupe.tasks", partitions: 1)
        registration.note(OrderPlaced.self)
        await registration.settle(within: .seconds(30))
        let place = TopicPartition("troupe.services", 0)
        let marks = try await KafkaAdmin(broker.configuration).watermarks(of: [place])
        #expect(try marks[place]?.get().high == 1)
        // It was said: the next event is no reason to say it again.
        registration.note(OrderPlaced.self)
        await registration.settle(within: .seconds(30))
        #expect(try await KafkaAdmin(broker.configuration).watermarks(of: [place])[place]?.get().high == 1)
        await producer.shutdown(within: .seconds(5))
    }

    @Test func aPublisherThatPublishesNothingIsAnnouncedAgainWhenItIsTime() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1, "troupe.services": 1, "troupe.tasks": 1])
        let configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        let producer = try KafkaProducer(broker.configuration)
        let place = TopicPartition("troupe.services", 0)
        func announcements() async throws -> Int64? {
            try await KafkaAdmin(broker.configuration).watermarks(of: [place])[place]?.get().high
        }
        let patient = PublisherRegistration(
            "storefront", configuration, broker.configuration, producer, publishes: [OrderPlaced.self])
        await patient.settle(within: .seconds(30))
        patient.noteLife()
        await patient.settle(within: .seconds(30))
        #expect(try await announcements() == 1, "an hour has not passed")
        let prompt = PublisherRegistration(
            "till", configuration, broker.configuration, producer, publishes: [OrderPlaced.self], interval: .zero)
        await prompt.settle(within: .seconds(30))
        prompt.noteLife()
        await prompt.settle(within: .seconds(30))
        #expect(try await announcements() == 3)
        await producer.shutdown(within: .seconds(5))
    }
}
