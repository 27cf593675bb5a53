// `troupe topics ...` on a cluster.

import KafkaClient
import Testing

@testable import TroupeCommand

@Suite struct TopicsCommandsTests {
    @Test(arguments: TestCluster.available)
    func aCreatedTopicIsListedAndDescribed(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        #expect(await tool.run("topics", "create", "orders", "--partitions=4").code == .ok)
        let again = await tool.run("topics", "create", "orders", "--partitions=4")
        #expect(again.code == .failure)
        #expect(await tool.run("topics", "create", "orders", "--partitions=4", "--if-missing").code == .ok)
        _ = try await tool.send((0..<3).map { KafkaMessage(topic: "orders", partition: Int32($0), value: []) })

        let list = await tool.run("topics", "list")
        #expect(list.code == .ok)
        #expect(list.lines.count == 2)
        #expect(list.lines.last?.split(separator: " ") == ["\(tool.namespace)orders", "4", "1", "3", "events"])

        let details = try await tool.run("topics", "describe", "orders", "--format=json").json()
        #expect(details["partitions", "2", "nextOffset"] == .integer(1))
        #expect(details["partitions", "3", "nextOffset"] == .integer(0))
        #expect(details["partitions", "4"] == nil)
    }

    @Test(arguments: TestCluster.available)
    func anUnknownTopicIsNotFoundAndTheNearestSuggested(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("orders")
        let outcome = await tool.run("topics", "describe", "ordrs")
        #expect(outcome.code == .notFound)
        #expect(outcome.out == "")
        #expect(outcome.err.contains("Did you mean \(tool.namespace)orders?"))
        try await tool.makeTopic("eu.payments")
        #expect(await tool.run("tail", "payments").err.contains("Did you mean \(tool.namespace)eu.payments?"))
    }

    @Test(arguments: TestCluster.available)
    func applyMakesWhatIsMissingAndDoesItOnce(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("payments")
        let service = ["--service=shipping", "--input=payments", "--output=shipments"]

        let check = await tool.run("topics", "plan", service[0], service[1], service[2], "--check")
        #expect(check.code == .failure)
        #expect(check.lines.last == "5 to create, 0 to alter, 1 as planned.")

        let applied = await tool.run("topics", "apply", service[0], service[1], service[2])
        #expect(applied.code == .ok)
        #expect(applied.lines.last == "5 created, 0 altered, 1 as planned.")

        let again = await tool.run("topics", "apply", service[0], service[1], service[2])
        #expect(again.lines.last == "0 created, 0 altered, 6 as planned.")
        #expect(await tool.run("topics", "plan", service[0], service[1], service[2], "--check").code == .ok)
        let topics = try await Cluster(tool.configuration, namespace: tool.namespace).topics()
        #expect(
            topics.keys.map { $0.dropFirst(tool.namespace.count) }.sorted() == [
                "payments", "shipments", "shipping.payments.dlt", "shipping.payments.retry", "troupe.services",
                "troupe.tasks",
            ])
        #expect(topics["\(tool.namespace)shipping.payments.dlt"]?.partitions.count == 4)
    }

    @Test(.enabled(if: TestCluster.isKafkaNamed, TestCluster.needsKafka))
    func applyRaisesARetentionThatIsTooShort() async throws {
        let tool = try ToolOnCluster(.kafka)
        #expect(await tool.run("topics", "create", "payments", "--partitions=6").code == .ok)
        #expect(
            await tool.run(
                "topics", "create", "shipping.payments.dlt", "--partitions=6", "--config=retention.ms=1000",
                "--config=max.message.bytes=9000000"
            ).code == .ok)
        let applied = await tool.run("topics", "apply", "--service=shipping", "--input=payments")
        #expect(applied.lines.last == "3 created, 1 altered, 1 as planned.")
        let details = try await tool.run("topics", "describe", "shipping.payments.dlt", "--format=json").json()
        #expect(details["configuration", "retention.ms"] == .string("-1"))
        #expect(details["configuration", "max.message.bytes"] == .string("9000000"))
        let retry = try await tool.run("topics", "describe", "shipping.payments.retry", "--format=json").json()
        #expect(retry["configuration", "retention.ms"] == .string("86400000"))
        #expect(retry["partitions", "5", "nextOffset"] == .integer(0))
    }

    @Test(.enabled(if: TestCluster.isKafkaNamed, TestCluster.needsKafka))
    func deletingTakesAYes() async throws {
        let tool = try ToolOnCluster(.kafka)
        try await tool.makeTopic("old")
        let asked = await tool.run("topics", "delete", "old")
        #expect(asked.code == .ok)
        #expect(asked.err.contains("Nothing was deleted"))
        #expect(await tool.run("topics", "describe", "old").code == .ok)
        #expect(await tool.run("topics", "delete", "old", "--yes").out == "Deleted \(tool.namespace)old\n")
        try await wait { await tool.run("topics", "describe", "old").code == .notFound }
    }

    @Test func theEmbeddedBrokerSaysWhatItCannotDo() async throws {
        let tool = try ToolOnCluster(.embedded)
        try await tool.makeTopic("old")
        let outcome = await tool.run("topics", "delete", "old", "--yes")
        #expect(outcome.code == .failure)
        #expect(outcome.err.contains("The embedded broker cannot delete topics"))
        #expect(await tool.run("topics", "create", "x", "--config=retention.ms=1").code == .failure)
        #expect(await tool.run("topics", "describe", "x").code == .notFound)
    }

    @Test(arguments: [
        ["topics", "create", "a b"], ["topics", "create"], ["topics", "plan"],
        ["topics", "plan", "--service=shipping"],
        ["topics", "plan", "--service=Shipping", "--input=a"], ["topics", "plan", "--service=troupe", "--input=a"],
        ["topics", "apply", "--service=a", "--input=a/b"], ["topics", "create", "a", "--partitions=0"],
    ])
    func wrongUseIsTold(_ words: [String]) async {
        let recorder = Recorder()
        #expect(await Tool.troupe.run(words + ["-b", "127.0.0.1:1"], recorder.console()) == .usage)
        #expect(recorder.out == "")
    }
}
