// What is special about worlds on a broker: time-outs that say why, and nothing left behind.

import Foundation
import KafkaClient
import Testing
import Troupe
import TroupeTesting

@Suite(.timeLimit(.minutes(5))) struct BrokerWorldTests {
    private static let kafkaServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""

    @Test func aTimeOutSaysWhatIsUnderWay() async throws {
        let service = inventory { order, _ in
            try await Task.sleep(for: .seconds(3_600))
            return StockReserved(order: order.order, quantity: 0)
        }
        let error = await #expect(throws: TestTimedOut.self) {
            try await service.test(.embedded.timeout(.seconds(40))) { world in
                try await world.give(OrderPlaced(order: "1"))
                try await world.settled()
            }
        }
        #expect(error?.underWay.count == 1)
        #expect(error?.description.contains("the handler of shop.order.placed has run for") == true)
    }

    @Test func aCrashCanBeSimulatedOnly() async throws {
        await #expect(throws: NotSimulated.self) {
            try await inventory().test(.embedded) { world in try await world.crash() }
        }
    }

    @Test func anEventThatWaitsInPlaceHoldsItsKeyOnABrokerToo() async throws {
        // The delay is longer than a busy machine takes from the failure to the look at what waits.
        let delay = Duration.seconds(20)
        let patient = configuration { $0.inPlaceRetryLimit = .seconds(60) }
        let service = inventory(retry: .fixed(delay, maxRetries: 1), configuration: patient) { order, context in
            if context.attempt == 1 { throw Outage() }
            return StockReserved(order: order.order, quantity: order.quantity)
        }
        try await service.test(.embedded.partitions(1).timeout(.seconds(60))) { world in
            try await world.give([OrderPlaced(order: "a", quantity: 1), OrderPlaced(order: "a", quantity: 2)])
            #expect(try await world.retrying().map(\.isInRetryTopic) == [false])
            try await world.advance(by: delay)
            // On a slow machine the second may have had its time already; the first went before it.
            #expect(try await world.published(StockReserved.self).map(\.quantity).first == 1)
            try await world.advance(by: delay)
            #expect(try await world.published(StockReserved.self).map(\.quantity) == [1, 2])
            #expect(try await world.attempts(at: OrderPlaced.self).map(\.number) == [1, 2, 1, 2])
        }
    }

    @Test(.enabled(if: !kafkaServers.isEmpty, "needs a real Kafka: set KAFKA_BOOTSTRAP_SERVERS"))
    func nothingIsLeftOnKafka() async throws {
        let admin = try KafkaAdmin(KafkaConfiguration(bootstrapServers: Self.kafkaServers))
        let (count, namespace) = try await inventory().test(.kafka(bootstrapServers: Self.kafkaServers)) { world in
            try await world.give(OrderPlaced(order: "1"))
            return (try await world.published(StockReserved.self).count, world.namespace)
        }
        #expect(count == 1)
        #expect(!namespace.isEmpty)
        let names = ["orders", "stock", "inventory.orders.retry", "inventory.orders.dlt"].map { namespace + $0 }
        // Kafka answers a deletion before every broker has carried it out.
        let deadline = ContinuousClock.now + .seconds(20)
        var left = names
        while !left.isEmpty, ContinuousClock.now < deadline {
            left = try await admin.describeTopics(names).compactMap { (try? $0.value.get()) == nil ? nil : $0.key }
        }
        #expect(left == [])
        #expect(try await admin.listGroups().filter { $0.group.hasPrefix(namespace) }.isEmpty)
    }
}
