// A corner of a cluster with a gateway in it, and the events that its tests publish.

import KafkaClient
import Troupe

@testable import TroupeWeb

struct Placed: Event, Hashable {
    static let type: EventType = "test.order.placed"
    static let topic: Topic = "orders"
    struct Line: Codable, Hashable { var sku: String }
    var orderID: String
    var lines: [Line]
    var key: EventKey { EventKey(orderID) }
}

struct Shipped: Event, Hashable {
    static let type: EventType = "test.order.shipped"
    static let topic: Topic = "shipments"
    static var flowEnding: FlowEnding? { .completed }
    var orderID: String
    var key: EventKey { EventKey(orderID) }
}

struct Refused: Event, Hashable {
    static let type: EventType = "test.order.refused"
    static let topic: Topic = "orders"
    static var flowEnding: FlowEnding? { .failed }
    var orderID: String
    var reason: String
    var key: EventKey { EventKey(orderID) }
}

/// A corner of a cluster, and whoever answers in it.
final class GatewayWorld: Sendable {
    let corner: TestCorner
    let service: EventPublisher
    static let body = #"{"orderID":"o-1","lines":[{"sku":"lamp"}]}"#
    static let json = ["Content-Type: application/json"]

    init(onEmbeddedBroker isEmbedded: Bool = !TestCorner.isKafka) async throws {
        corner = try await TestCorner(
            topics: ["orders": 4, "shipments": 4, "troupe.services": 1], onEmbeddedBroker: isEmbedded)
        service = try await EventPublisher("shipping", configuration: Self.service(corner))
    }

    static func service(_ corner: TestCorner) -> ServiceConfiguration {
        var configuration = ServiceConfiguration(kafka: corner.configuration, environment: [:])
        configuration.namespace = corner.namespace
        configuration.logger = Logger(label: "test", level: .critical, handler: SilentLogHandler())
        // What is declared is up to each test.
        configuration.tracking.isEnabled = false
        return configuration
    }

    /// Starts a gateway, runs `body` and stops it.
    func with(
        endings: Bool = true, _ configure: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: (RunningGateway) async throws -> Void
    ) async throws {
        let gateway = try await start(endings: endings, configure)
        let result: Result<Void, any Error>
        do { result = .success(try await body(gateway)) } catch { result = .failure(error) }
        await gateway.stop()
        try result.get()
    }

    func start(
        endings: Bool = true, _ configure: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> RunningGateway {
        var configuration = GatewayConfiguration(service: Self.service(corner), http: HTTPServerConfiguration())
        configuration.http.limits = .patient
        configuration.publishTimeout = .seconds(60)
        configuration.maxWait = .seconds(100)
        configuration.patienceWithUnknownFlows = .milliseconds(100)
        configure(&configuration)
        var gateway = Gateway("shop-gateway", configuration: configuration)
        gateway.post("/orders", publishes: Placed.self)
        if endings { gateway.endings(Shipped.self, Refused.self) }
        return try await gateway.start()
    }

    func end() async { await service.shutdown(within: .seconds(5)) }

    func post(
        _ gateway: RunningGateway, _ path: String = "/orders", body: String = GatewayWorld.body,
        headers: [String] = GatewayWorld.json
    ) async throws -> RawResponse {
        try await RawClient.ask(gateway.port, "POST \(path)", body: body, headers: headers)
    }

    /// All records of a topic that are there by now.
    func records(_ topic: String) async throws -> [KafkaRecord] {
        let partitions = (0..<4).map { TopicPartition(corner.namespace + topic, Int32($0)) }
        let admin = try KafkaAdmin(corner.configuration)
        let total = try await admin.watermarks(of: partitions).values.reduce(0) { try $0 + Int($1.get().high) }
        let starts = Dictionary(uniqueKeysWithValues: partitions.map { ($0, StartingPoint.earliest) })
        let consumer = try KafkaConsumer(corner.configuration, .partitions(starts))
        var records: [KafkaRecord] = []
        if total > 0 {
            for try await record in consumer.records {
                records.append(record)
                if records.count == total { break }
            }
        }
        await consumer.close()
        return records
    }
}
