// Events of the integration tests. Each test runs in a namespace of its own.

import Foundation
import KafkaClient
import Testing
import Troupe

struct Placed: Event {
    static let type: EventType = "test.placed"
    static let topic: Topic = "placed"
    var key: EventKey { EventKey(order) }
    var order: String
    var number = 0
}

struct Reserved: Event {
    static let type: EventType = "test.reserved"
    static let topic: Topic = "reserved"
    var key: EventKey { EventKey(order) }
    var order: String
    var number = 0
}

struct Failure: Error, CustomStringConvertible {
    var description: String
}

/// A namespace, its topics and the configuration of services in it.
struct TestSpace: Sendable {
    let namespace: String
    let configuration: ServiceConfiguration

    /// Makes the topics of the test events in a new namespace.
    init(partitions: Int = 4, _ change: (inout ServiceConfiguration) -> Void = { _ in }) async throws {
        namespace = "t\(TestCluster.uniquePart())."
        var configuration = ServiceConfiguration(kafka: try TestCluster.configuration, environment: [:])
        configuration.namespace = namespace
        configuration.bearHoldUps()
        // Tests that look at it ask for it; TEST_TRACKING=on has all of them run with it.
        configuration.tracking.isEnabled = ProcessInfo.processInfo.environment["TEST_TRACKING"] == "on"
        if ProcessInfo.processInfo.environment["TEST_LOG"] == nil {
            configuration.logger = Logger(label: "test", level: .error, handler: SilentLogHandler())
        }
        change(&configuration)
        self.configuration = configuration
        for topic in [Placed.topic, Reserved.topic] {
            try await TestCluster.makeTopic(namespace + topic.rawValue, partitions: partitions)
        }
    }

    /// The broker's name of an event's topic.
    func name(_ topic: Topic) -> String { namespace + topic.rawValue }

    /// Waits until the service's group has committed as many records of an event's topic as done.
    func waitForCommit(of count: Int64, in topic: Topic, by service: String) async throws {
        let admin = try KafkaAdmin(TestCluster.configuration)
        let partitions = try #require(try await admin.describeTopics([name(topic)])[name(topic)]).get().topicPartitions
        let deadline = ContinuousClock.now + TestCluster.patience
        while true {
            let offsets = try await admin.committedOffsets(ofGroup: namespace + service, partitions: partitions)
            let sum = partitions.reduce(0) { $0 + max(offsets[$1]?.offset ?? 0, 0) }
            if sum >= count { return }
            try #require(ContinuousClock.now < deadline, "only \(sum) are committed")
        }
    }

    /// A producer in the namespace that is ready for its first transaction.
    func transactionalProducer(_ id: String) async throws -> KafkaProducer {
        var kafka = try TestCluster.configuration
        kafka.transactionalID = namespace + id
        let producer = try KafkaProducer(kafka)
        try await producer.initializeTransactions()
        return producer
    }

    /// A service in the namespace.
    func service(_ name: String, router: EventRouter) -> EventService {
        EventService(name, router: router, configuration: configuration)
    }

    /// A record of a `Placed` event as another service would publish it.
    func placed(_ order: String, number: Int = 0, id: String? = nil) -> KafkaMessage {
        KafkaMessage(
            topic: name(Placed.topic), key: Array(order.utf8),
            value: Array(#"{"order":"\#(order)","number":\#(number)}"#.utf8),
            headers: [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", id ?? "\(order)-\(number)"),
                KafkaHeader("ce_type", Placed.type.rawValue), KafkaHeader("ce_source", "/test"),
                KafkaHeader("content-type", "application/json"), KafkaHeader("ce_correlationid", "flow-\(order)"),
            ])
    }
}
