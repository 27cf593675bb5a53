// The commands as processes: exit codes, streams and Ctrl-C as scripts see them.

import Foundation
import KafkaClient
import Testing

@Suite struct CommandProcessTests {
    private let environment: [String: String?] = [
        "KAFKA_BOOTSTRAP_SERVERS": nil, "KAFKA_CLIENT_PROPERTIES": nil, "TROUPE_NAMESPACE": nil,
    ]

    @Test func ctrlCEndsAFollowingTailWith130() async throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1])
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(KafkaMessage(topic: "orders", value: Array("hello".utf8)))
        await producer.shutdown()
        let tail = try ToolProcess(
            "tail", "orders", "-f", "-b", broker.bootstrapServers, "--format=json", environment: environment)
        try await wait { tail.out.hasSuffix("\n") }
        tail.send(SIGINT)
        let end = await tail.finish()
        #expect(end.code == 130)
        #expect(end.err == "")
        #expect(end.out.split(separator: "\n").count == 1)
        withExtendedLifetime(broker) {}
    }

    @Test func whatIsNotThereEndsWith3AndLeavesStandardOutputEmpty() async throws {
        let broker = try EmbeddedBroker()
        let describe = try ToolProcess(
            "topics", "describe", "orders", "-b", broker.bootstrapServers, environment: environment)
        let end = await describe.finish()
        #expect(end.code == 3)
        #expect(end.out == "")
        #expect(end.err.hasPrefix("troupe: There is no topic orders."))
        withExtendedLifetime(broker) {}
    }

    @Test func theDoctorEndsWith1WhenNoBrokerIsNamed() async throws {
        let end = await (try ToolProcess("doctor", environment: environment)).finish()
        #expect(end.code == 1)
        #expect(end.out.contains("No Kafka is named"))
        #expect(end.err == "troupe: Something is broken\n")
    }

    @Test func withoutABrokerOtherCommandsAreWrongUse() async throws {
        let end = await (try ToolProcess("lag", environment: environment)).finish()
        #expect(end.code == 64)
        #expect(end.out == "")
    }
}
