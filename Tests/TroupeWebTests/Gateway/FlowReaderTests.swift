// What a gateway reads, and what it learns from the services' declarations.

import EventJSON
import KafkaClient
import Synchronization
import Testing
import Troupe

@testable import TroupeWeb

private final class Log: LogHandler {
    private let recorded = Mutex<[LogLine]>([])
    var warnings: [LogLine] { recorded.withLock { $0.filter { $0.level >= .warning } } }
    func log(_ line: LogLine) { recorded.withLock { $0.append(line) } }
}

/// A reader on an embedded broker.
private struct Reading {
    let broker: EmbeddedBroker
    let producer: KafkaProducer
    let follower = FlowFollower(FlowMemory())
    let reader: FlowReader
    let log = Log()

    init(_ topics: [String: Int], declarations: SystemTopics? = nil, endings: [String: FlowEnding] = [:]) throws {
        broker = try EmbeddedBroker(topics: topics)
        producer = try KafkaProducer(broker.configuration)
        reader = try FlowReader(
            FlowReaderSettings(
                kafka: broker.configuration, topics: Set(topics.keys).subtracting(["troupe.services"]),
                declarations: declarations, endings: endings, lookback: 100,
                logger: Logger(label: "test", level: .warning, handler: log)), follower)
    }

    func publish(_ type: String, _ flow: String, to partition: TopicPartition) async throws {
        try await producer.send(
            KafkaMessage(
                topic: partition.topic, partition: partition.partition, value: Array("{}".utf8),
                headers: [
                    KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "\(type)-\(flow)"),
                    KafkaHeader("ce_type", type), KafkaHeader("ce_source", "/services/a"),
                    KafkaHeader("ce_correlationid", flow), KafkaHeader("content-type", "application/json"),
                ]))
    }

    func declare(_ service: String, version: String, _ endings: [String: FlowEnding?]) async throws {
        let declaration = ServiceDeclaration(
            service: service, version: version, group: service, delivery: "at-least-once", routes: [], starts: [],
            events: endings.keys.sorted().map {
                EventDescription(
                    type: $0, topic: "orders", flowEnding: endings[$0] ?? nil, contentType: "", dataSchema: nil,
                    payloadSchema: nil)
            })
        try await producer.send(
            KafkaMessage(
                topic: "troupe.services",
                key: Array(RegistryKey.declaration(service: service, fingerprint: version).text.utf8),
                value: try EventJSONEncoder().encode(declaration)))
    }

    func end() async {
        await reader.stop()
        await producer.shutdown(within: .seconds(5))
    }
}

@Suite(.timeLimit(.minutes(5))) struct FlowReaderTests {
    @Test func aPartitionWithoutALeaderDoesNotKeepOthersFromBeingRead() async throws {
        let reading = try Reading(["orders": 2])
        let lost = TopicPartition("orders", 1)
        try reading.broker.setLeader(of: lost, to: nil)
        try await reading.reader.start()
        try await reading.publish("step", "a", to: TopicPartition("orders", 0))
        try await eventually { reading.follower.snapshot("a") != nil }
        try await reading.reader.refresh()
        #expect(reading.log.warnings.map { $0.metadata[LogKey.partition] } == ["1"])
        try reading.broker.setLeader(of: lost, to: 1)
        try await eventually {
            try await reading.reader.refresh()
            try await reading.publish("step", "b", to: lost)
            return reading.follower.snapshot("b") != nil
        }
        #expect(reading.log.warnings.count == 1)
        await reading.end()
    }

    @Test func anEndingThatIsNoLongerDeclaredIsUnlearned() async throws {
        let reading = try Reading(
            ["orders": 1, "troupe.services": 1], declarations: SystemTopics(), endings: ["refused": .failed])
        try await reading.declare("payment", version: "1", ["taken": .completed, "shipped": nil])
        try await reading.reader.start()
        // A start waits for no more than five seconds.
        try await eventually { reading.follower.endings == ["refused": .failed, "taken": .completed] }
        let orders = TopicPartition("orders", 0)
        try await reading.publish("taken", "before", to: orders)
        try await eventually { reading.follower.snapshot("before")?.outcome == .completed }
        try await reading.declare("payment", version: "2", ["taken": nil, "shipped": .completed])
        try await eventually { reading.follower.endings == ["refused": .failed, "shipped": .completed] }
        try await reading.publish("taken", "after", to: orders)
        try await eventually { reading.follower.snapshot("after") != nil }
        #expect(reading.follower.snapshot("after")?.outcome == nil)
        try await reading.publish("shipped", "after", to: orders)
        try await eventually { reading.follower.snapshot("after")?.outcome == .completed }
        // What was told stays so.
        #expect(reading.follower.snapshot("before")?.outcome == .completed)
        await reading.end()
    }
}
