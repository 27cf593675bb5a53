// Where Kafka is: options over the environment.

import KafkaClient
import Testing

@testable import TroupeCommand

@Suite struct KafkaOptionsTests {
    private func options(_ words: [String], environment: [String: String] = [:]) throws -> KafkaOptions {
        let spec = CommandSpec("x", summary: "", options: KafkaOptions.all, examples: [])
        return try KafkaOptions(try ArgumentParser.parse(words, for: spec), environment: environment)
    }

    @Test func anOptionGoesOverTheEnvironment() throws {
        let environment = ["KAFKA_BOOTSTRAP_SERVERS": "env:1", "TROUPE_NAMESPACE": "env."]
        let fromEnvironment = try options([], environment: environment)
        #expect(fromEnvironment.configuration.bootstrapServers == "env:1")
        #expect(fromEnvironment.namespace == "env.")
        let given = try options(["-b", "flag:2", "--namespace=flag."], environment: environment)
        #expect(given.configuration.bootstrapServers == "flag:2")
        #expect(given.namespace == "flag.")
    }

    @Test func withoutBrokersTheHintSaysWhatToDo() {
        let error = #expect(throws: UsageError.self) { try options([]) }
        #expect(error?.hint?.contains("KAFKA_BOOTSTRAP_SERVERS") == true)
    }

    @Test(.timeLimit(.minutes(5)), arguments: [["topics", "list"], ["flow", "list"], ["publish", "a", "-tb", "{}"]])
    func whereNobodyListensEveryCommandSaysSo(_ words: [String]) async {
        let recorder = Recorder()
        #expect(await Tool.troupe.run(words + ["-b", "127.0.0.1:1"], recorder.console()) == .failure)
        #expect(
            recorder.err.hasPrefix(
                "troupe: No broker can be reached: 127.0.0.1:1 refuses connections: nobody listens there "
                    + "[_ALL_BROKERS_DOWN]. Start the broker, or give another address by --bootstrap-servers"),
            "\(recorder.err)")
    }

    @Test func propertiesAreSetAndAPasswordIsInNoMessage() throws {
        let given = try options(["-b", "x:1", "-X", "linger.ms=5"])
        #expect(given.configuration.properties["linger.ms"] == "5")
        let error = #expect(throws: UsageError.self) { try options(["-b", "x:1", "-X", "sasl.password hunter2"]) }
        #expect(error?.message.contains("hunter2") == false)
    }
}
