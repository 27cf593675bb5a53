// Who answers in the gateway's benchmark: every order that is placed is completed, after a while.

import DemoEvents
import Foundation
import KafkaClient
import Synchronization
import Troupe

/// Reads the orders and publishes for each that it is completed.
///
/// `GatewayAnswers --after SECONDS [--at-once N] [--embedded]`: an order is completed when it is that old, or as soon as
/// N orders wait; `--embedded` hosts a broker and prints its address first.
@main
enum Main {
    static func main() async {
        do {
            try await run()
        } catch {
            FileHandle.standardError.write(Data("GatewayAnswers: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run() async throws {
        let options = try Options(Array(CommandLine.arguments.dropFirst()))
        var configuration = ServiceConfiguration()
        let broker = options.isEmbedded ? try EmbeddedBroker(topics: ["orders": 8]) : nil
        if let broker { configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:]) }
        let kafka = try await KafkaConfiguration(environment: configuration.environment, over: configuration.kafka)
            .detectingEmbeddedBroker()
        let admin = try KafkaAdmin(kafka)
        _ = try await admin.createTopics([NewTopic("orders", partitions: 8)])
        let description = try await admin.describeTopics(["orders"])["orders"]?.get()
        // From the present end, looked up now: "latest" would be whenever the first fetch is answered.
        let ends = try await admin.watermarks(of: description?.topicPartitions ?? [])
        let consumer = try KafkaConsumer(kafka, .partitions(try ends.mapValues { .offset(try $0.get().high) }))
        let publisher = try await EventPublisher("answers", configuration: configuration)
        print("ready \(broker?.bootstrapServers ?? kafka.bootstrapServers)")
        fflush(nil)
        let waiting = Waiting()
        async let completing: Void = complete(waiting, publisher, options)
        for try await batch in consumer.batches {
            for record in batch {
                guard let envelope = try? EventEnvelope(record), envelope.type == OrderPlaced.type,
                    let flow = envelope.correlationID
                else { continue }
                waiting.add(Waiting.Order(id: record.key?.text ?? "", flow: flow, placed: .now))
            }
        }
        try await completing
        withExtendedLifetime(broker) {}
    }

    /// Completes orders as they come of age; the acknowledgements are not waited for one by one.
    private static func complete(_ waiting: Waiting, _ publisher: EventPublisher, _ options: Options) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                for order in waiting.take(after: options.after, atOnce: options.atOnce) {
                    group.addTask {
                        try await publisher.publish(OrderCompleted(orderID: order.id), correlationID: order.flow)
                    }
                }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}

/// The command line.
private struct Options {
    var after = Duration.zero
    var atOnce = Int.max
    var isEmbedded = false

    struct Invalid: Error, CustomStringConvertible {
        let description = "expected --after SECONDS [--at-once N] [--embedded]"
    }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            switch name {
            case "--embedded": isEmbedded = true
            case "--after":
                guard let seconds = rest.popFirst().flatMap({ Double($0) }) else { throw Invalid() }
                after = .seconds(seconds)
            case "--at-once":
                guard let count = rest.popFirst().flatMap({ Int($0) }) else { throw Invalid() }
                atOnce = count
            default: throw Invalid()
            }
        }
    }
}

/// The orders that wait to be completed.
private final class Waiting: Sendable {
    struct Order: Sendable {
        var id: String
        var flow: String
        var placed: ContinuousClock.Instant
    }

    private let orders = Mutex<[Order]>([])

    func add(_ order: Order) { orders.withLock { $0.append(order) } }

    /// Takes out those that are old enough, a hundred at most, so that they spread over some time; or all of them once
    /// there are so many.
    func take(after age: Duration, atOnce: Int) -> [Order] {
        let now = ContinuousClock.now
        return orders.withLock { orders in
            let due = orders.prefix(100).prefix { now - $0.placed >= age }
            let count = orders.count >= atOnce ? orders.count : due.count
            defer { orders.removeFirst(count) }
            return Array(orders.prefix(count))
        }
    }
}
