// What a service says of topics that are missing when it starts.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct TopicProvisioningTests {
    private func provisioner(
        _ broker: EmbeddedBroker, _ mode: TopicProvisioning, _ log: LogRecorder = LogRecorder()
    ) throws -> TopicProvisioner {
        try TopicProvisioner(
            broker.configuration, mode: mode, logger: Logger(label: "test", level: .info, handler: log))
    }

    /// A mistyped name becomes a topic: whoever looks for it finds it in the log.
    @Test func everyTopicThatIsCreatedIsNamedInTheLog() async throws {
        let log = LogRecorder()
        let broker = try EmbeddedBroker()
        let provisioner = try provisioner(broker, .create, log)
        _ = try await provisioner.provision(try orderProcessor())
        _ = await provisioner.provision(SystemTopics())
        #expect(
            log.lines.map { $0.metadata[LogKey.topic] } == [
                "orders", "inventory.orders.dlt inventory.orders.retry", "troupe.services troupe.tasks",
            ])
        #expect(log.lines.map(\.level) == [.notice, .info, .info])
        #expect(log.lines.first?.message.contains("check their names") == true)

        _ = try await provisioner.provision(try orderProcessor())
        _ = await provisioner.provision(SystemTopics())
        #expect(log.lines.count == 3)
    }

    @Test func aMissingTopicUnderVerifyIsToldWithTheCommandThatMakesIt() async throws {
        let broker = try EmbeddedBroker()
        func problems(_ processor: RecordProcessor) async throws -> [String] {
            let error = await #expect(throws: StartupError.self) {
                try await provisioner(broker, .verify).provision(processor)
            }
            return error?.problems ?? []
        }
        #expect(
            try await problems(orderProcessor()) == [
                "The topic orders does not exist, and the route shop.order.placed reads it. Create it with `troupe topics "
                    + "apply --service=inventory --input=orders`, or let the service make its topics (`.create`)"
            ])
        try broker.createTopic("orders", partitions: 2)
        let companions = try await problems(orderProcessor())
        #expect(companions.count == 2)
        for problem in companions {
            #expect(problem.contains("`troupe topics apply --service=inventory --input=orders`"), "\(problem)")
        }
        let elsewhere = try await problems(
            orderProcessor {
                $0.namespace = "staging."
                $0.consumerGroup = "stock"
            })
        #expect(
            elsewhere.first?.contains(
                "apply --service=inventory --input=orders --group=stock --namespace=staging.`") == true)
    }
}
