// One test, every world: the same closure gives equal results in the simulation and on a broker.

import Foundation
import KafkaClient
import Testing
import Troupe
import TroupeTesting

@Suite(.timeLimit(.minutes(10))) struct EveryWorldTests {
    private static let kafkaServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""
    @Test func simulationAndEmbeddedBrokerAgree() async throws {
        async let embedded = results(.embedded.timeout(.seconds(120)))
        let simulated = try await results(.simulated)
        #expect(simulated.count == 12)
        let onBroker = try await embedded
        #expect(onBroker == simulated)
    }

    @Test(.enabled(if: !kafkaServers.isEmpty, "needs a real Kafka: set KAFKA_BOOTSTRAP_SERVERS"))
    func simulationAndKafkaAgree() async throws {
        let simulated = try await results(.simulated)
        #expect(try await results(.kafka(bootstrapServers: Self.kafkaServers).timeout(.seconds(120))) == simulated)
    }

    /// Runs one story twice and tells everything that can be seen of it, sorted where no order is promised.
    ///
    /// What waits is looked at where it waits for longer than a machine may take to look, and what becomes of it where the
    /// delay is short.
    private func results(_ environment: TestEnvironment) async throws -> [String] {
        try await waiting(environment, delay: .seconds(3_600)) + settled(environment, delay: .milliseconds(2_500))
    }

    private func services(delay: Duration) -> [EventService] {
        var router = EventRouter(retry: .never)
        router.on(
            OrderPlaced.self, publishes: .one(StockReserved.self),
            retry: .fixed(delay, maxRetries: 1).notRetrying(InvalidOrder.self)
        ) { order, context in
            if order.quantity < 0 { throw InvalidOrder() }
            if order.quantity == 5, context.attempt == 1 { throw Outage() }
            if order.quantity == 6 { throw Outage() }
            return StockReserved(order: order.order, quantity: order.quantity)
        }
        return [EventService("inventory", router: router, configuration: configuration()), payments()]
    }

    private func waiting(_ environment: TestEnvironment, delay: Duration) async throws -> [String] {
        try await services(delay: delay).test(environment) { world in
            let names = try await give(world)
            return try await world.retrying().map {
                let name = ($0.envelope?.id).flatMap { names[$0] } ?? "another"
                return "waiting: \(name) \($0.attempts) \($0.topic)[\($0.partition)] \($0.isInRetryTopic)"
            }.sorted()
        }
    }

    private func settled(_ environment: TestEnvironment, delay: Duration) async throws -> [String] {
        try await services(delay: delay).test(environment) { world in
            var seen: [String] = []
            let names = try await give(world)
            func name(_ id: String?) -> String { id.flatMap { names[$0] } ?? "another" }

            let skipped = try await world.skipped()
            seen += skipped.map { "skipped: \($0.service) \($0.type?.rawValue ?? "")" }
            try await world.advance(by: delay)
            #expect(try await world.retrying().isEmpty)
            let reserved = try await world.published(StockReserved.self)
            seen += reserved.map {
                "reserved: \($0.order) for \(name($0.envelope.causationID)) in \(name($0.envelope.correlationID))"
                    + " at [\($0.record.partition)]"
            }.sorted()
            let letters = try await world.deadLetters()
            seen += letters.map {
                "letter: \($0.service) \($0.topic)[\($0.partition)] \($0.offset) \($0.reason) \($0.attempts)"
                    + " \($0.errorMessage) \($0.value?.count ?? -1) \((try? $0.event(OrderPlaced.self))?.order ?? "") \($0.headers.count)"
            }.sorted()
            let declined = try await world.published(PaymentDeclined.self).map(\.order)
            let taken = try await world.published(PaymentTaken.self).map(\.order)
            seen.append("declined: \(declined) taken: \(taken.sorted())")
            return seen
        }
    }

    /// Gives the story's events.
    ///
    /// Returns their names by id.
    private func give(_ world: TestWorld) async throws -> [String: String] {
        var names: [String: String] = [:]
        // The last one follows an earlier one of its key into the retry topic.
        for (order, quantity) in [("a", 1), ("b", 11), ("c", 5), ("d", 6), ("e", -1), ("c", 7)] {
            let given = try await world.give(
                OrderPlaced(order: order, quantity: quantity), idempotencyKey: "\(order)\(quantity)")
            names[given.id] = "\(order)\(quantity)"
            names[given.correlationID ?? ""] = "flow of \(order)\(quantity)"
        }
        try await world.give(OrderNoted(order: "a"))
        try await world.give(tombstoneOf: OrderPlaced.self, key: "f")
        try await world.give(KafkaMessage(topic: "orders", key: [7], value: [0xff], headers: [KafkaHeader("x", "y")]))
        return names
    }
}
