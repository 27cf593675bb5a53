// What a service does when it may not write to one of its topics.

import CRDKafka
import KafkaClient
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct SurvivalAccessTests {
    @Test(.enabled(if: LaunchedKafka.isAvailable, LaunchedKafka.needsLauncher))
    func aTopicThatMayNotBeWrittenHoldsTheSourceOffsetUntilItMay() async throws {
        try await LaunchedKafka.with(["--secure"]) { launched in
            let admin = try KafkaAdmin(launched.configuration)
            for topic in ["placed", "reserved", "stock.placed.retry", "stock.placed.dlt"] {
                try await admin.createTopic(NewTopic(topic, partitions: 1))
            }
            let servers = try launched.configuration.bootstrapServers
            // It may see its output topic, but not write to it.
            try grant(
                [
                    .topic("placed", RD_KAFKA_ACL_OPERATION_READ), .topic("placed", RD_KAFKA_ACL_OPERATION_DESCRIBE),
                    .group("stock", RD_KAFKA_ACL_OPERATION_READ),
                    .topic("stock.", RD_KAFKA_ACL_OPERATION_ALL, isPrefix: true),
                    .topic("reserved", RD_KAFKA_ACL_OPERATION_DESCRIBE),
                ], to: "guest", on: servers)

            let log = CapturingLog()
            var configuration = ServiceConfiguration(kafka: try launched.guestConfiguration, environment: [:])
            configuration.tracking = .off
            configuration.provisioning = .verify
            configuration.logger = Logger(label: "test", level: .warning, handler: log)
            var router = EventRouter(retry: .never)
            router.on(Placed.self, publishes: .optional(Reserved.self)) { placed, _ in
                if placed.order == "bad" { throw Failure(description: "never") }
                return placed.order == "silent" ? nil : Reserved(order: placed.order)
            }
            let service = EventService("stock", router: router, configuration: configuration)
            let partition = TopicPartition("placed", 0)
            func committed() async throws -> Int64 {
                try await admin.committedOffsets(ofGroup: "stock", partitions: [partition])[partition]?.offset ?? -1
            }
            var own = ServiceConfiguration(kafka: try launched.configuration, environment: [:])
            own.tracking = .off
            let publisher = try await EventPublisher("shop", configuration: own)
            for order in ["silent", "loud", "bad", "silent"] { try await publisher.publish(Placed(order: order)) }
            await publisher.shutdown()
            try await withService(service) {
                try await wait(for: "all to be handled, and the refusal to be told") {
                    service.status.handled == 3 && service.status.deadLettered == 1
                        && service.status.trouble?.contains("AUTHORIZATION") == true
                }
                #expect(service.status.published == 0)
                #expect(service.status.phase == .running)
                try grant([.topic("reserved", RD_KAFKA_ACL_OPERATION_WRITE)], to: "guest", on: servers)
                try await wait(for: "the event to be published", within: .seconds(120)) {
                    service.status.published == 1
                }
                try await wait(for: "nothing to be under way") { service.status.inFlight == 0 }
            }
            #expect(try await committed() == 4)
            #expect(service.status.handled == 3)
            let refusals = log.lines.filter { $0.message.contains("could not be published") }
            #expect(!refusals.isEmpty)
            // The line names the record whose event it is.
            #expect(refusals.allSatisfy { $0.metadata[LogKey.topic] == "placed" && $0.metadata[LogKey.offset] == "1" })
        }
    }
}
