// What a gateway reads.

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

    init(_ topics: [String: Int]) throws {
        broker = try EmbeddedBroker(topics: topics)
        producer = try KafkaProducer(broker.configuration)
        reader = try FlowReader(
            FlowReaderSettings(
                kafka: broker.configuration, topics: Set(topics.keys),
                declarations: nil, lookback: 100,
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
}
