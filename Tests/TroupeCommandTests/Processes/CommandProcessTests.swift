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

    @Test func aServiceTellsWhatItsEnvironmentSaysAndCannotBeFollowed() async throws {
        let state = NSTemporaryDirectory() + "troupe-environment-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: state) }
        let service = try ToolProcess(
            demoService: "notifications",
            environment: environment.merging([
                "TROUPE_DELIVERY": "sometimes", "TROUPE_DELIVRY": "hunter2", "LOG_LEVEL": "verbose", "LOG_FORMAT": nil,
                "DEMO_STATE_DIR": state,
            ]) { $1 })
        let end = await service.finish()
        #expect(end.code == 1)
        let lines = try end.err.split(separator: "\n").map {
            try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
        }
        #expect(lines.map { $0["level"] } == ["warning", "warning", "critical"])
        #expect(lines.first?["message"]?.hasPrefix(#"LOG_LEVEL is "verbose"; it takes trace,"#) == true)
        #expect(lines.dropFirst().first?["message"]?.hasSuffix("Did you mean TROUPE_DELIVERY?") == true)
        #expect(lines.last?["error"]?.contains(#"TROUPE_DELIVERY is "sometimes""#) == true)
        #expect(!end.err.contains("hunter2"))
    }

    @Test func theToolTellsVariablesThatNobodyReads() async throws {
        let variables = environment.merging(["TROUPE_NAMESPAC": "hunter2"]) { $1 }
        let end = await (try ToolProcess("lag", environment: variables)).finish()
        #expect(
            end.err.hasPrefix("The environment variable TROUPE_NAMESPAC is not one that Troupe reads. Did you mean"))
        let doctor = await (try ToolProcess("doctor", environment: variables)).finish()
        #expect(doctor.out.contains("-> Did you mean TROUPE_NAMESPACE?") && doctor.err.hasPrefix("troupe: "))
    }

    @Test func withoutABrokerOtherCommandsAreWrongUse() async throws {
        let end = await (try ToolProcess("lag", environment: environment)).finish()
        #expect(end.code == 64)
        #expect(end.out == "")
    }
}
