// A small shop to judge: its declarations, instances, events and reports, made by hand.

import Troupe

@testable import TroupeFlow

/// A shop of three services: inventory reserves, payments charge, shipping ships.
enum Shop {
    static let placed = "shop.order.placed"
    static let reserved = "shop.stock.reserved"
    static let rejected = "shop.stock.rejected"
    static let paid = "shop.payment.taken"
    static let declined = "shop.payment.declined"
    static let released = "shop.stock.released"
    static let shipped = "shop.order.shipped"
    static let cancelled = "shop.order.cancelled"

    static let topics = [
        placed: "orders", shipped: "orders", cancelled: "orders", reserved: "stock", rejected: "stock",
        released: "stock", paid: "payments", declined: "payments",
    ]

    static func route(
        _ service: String, _ type: String, _ cardinality: RouteDeclaration.Cardinality = .none,
        publishes: [String] = [], compensates: String? = nil, within: Int64 = 30_000,
        input: RouteDeclaration.Input = .event, acceptedTypes: [String] = []
    ) -> RouteDeclaration {
        let topic = topics[type] ?? "orders"
        return RouteDeclaration(
            name: type, input: input, type: type, acceptedTypes: acceptedTypes, topic: topic,
            retryTopic: "\(service).\(topic).retry", deadLetterTopic: "\(service).\(topic).dlt",
            cardinality: cardinality, publishes: publishes, compensates: compensates, withinMilliseconds: within,
            maxRetries: 3)
    }

    static func declaration(
        _ service: String, _ routes: [RouteDeclaration], starts: [String] = [], version: String = "1"
    ) -> ServiceDeclaration {
        let types = Set(routes.flatMap { [$0.type] + $0.publishes } + starts).sorted()
        return ServiceDeclaration(
            service: service, version: version, group: service, delivery: "at-least-once", routes: routes,
            starts: starts,
            events: types.map { type in
                EventDescription(
                    type: type, topic: topics[type] ?? "orders",
                    flowEnding: type == shipped ? .completed : type == cancelled ? .failed : nil,
                    contentType: "application/json", dataSchema: nil, payloadSchema: nil)
            })
    }

    static let declarations = [
        declaration(
            "inventory",
            [
                route("inventory", placed, .oneOf, publishes: [reserved, rejected]),
                route("inventory", declined, .one, publishes: [released], compensates: reserved),
            ]),
        declaration("payments", [route("payments", reserved, .oneOf, publishes: [paid, declined])]),
        declaration(
            "shipping",
            [
                route("shipping", paid, .one, publishes: [shipped]),
                route("shipping", released, .one, publishes: [cancelled]),
            ]),
    ]

    /// A heartbeat of an instance that owns partition 0 of every topic.
    static func heartbeat(
        _ service: String, at time: Int64 = 0, declaration: String = "v1", instance: String? = nil,
        _ change: (inout InstanceHeartbeat) -> Void = { _ in }
    ) -> InstanceHeartbeat {
        var status = ServiceStatus()
        status.service = service
        status.phase = .running
        var heartbeat = InstanceHeartbeat(
            service: service, instance: instance ?? "\(service)-1", version: "1", declaration: declaration,
            host: "localhost", processID: 1, endpoint: nil, startedAt: 0, time: time, intervalMilliseconds: 5_000,
            assignment: Dictionary(uniqueKeysWithValues: Set(topics.values).map { ($0, [Int32(0)]) }), status: status)
        change(&heartbeat)
        return heartbeat
    }

    /// The registry of the shop with these heartbeats.
    static func registry(
        _ heartbeats: [InstanceHeartbeat] = [], declarations: [ServiceDeclaration] = declarations,
        since: [ServiceRegistry.RouteKey: Int64] = [:], lags: [String: Int] = [:]
    ) -> ServiceRegistry {
        var registry = ServiceRegistry()
        for declaration in declarations {
            registry.declarations[declaration.service, default: []].append(
                DeclarationEntry(fingerprint: "v1", declaration: declaration, lastSeen: 0))
        }
        for heartbeat in heartbeats { registry.heartbeats[heartbeat.service, default: []].append(heartbeat) }
        registry.since = since
        registry.lags = lags
        return registry
    }

    static func event(_ id: String, _ type: String, at time: Int64, cause: String? = nil) -> FlowEvent {
        FlowEvent(
            id: id, type: type, source: "/services/test", topic: topics[type] ?? "orders", partition: 0, offset: 0,
            time: time, subject: "order-42", causationID: cause)
    }

    static func attempt(
        _ service: String, _ event: FlowEvent, at time: Int64, _ outcome: TaskReport.Outcome = .handled,
        number: Int = 1, replays: Int = 0, published: [String] = [], notBefore: Int64? = nil,
        failure: TaskReport.Failure? = nil, sentTo: String? = nil
    ) -> FlowFacts.Attempt {
        FlowFacts.Attempt(
            service: service, event: event.id, type: event.type, topic: event.topic, partition: event.partition,
            attempt: FlowAttempt(
                number: number, replays: replays, instance: "\(service)-1", outcome: outcome, startedAt: time,
                microseconds: 2_000, notBefore: notBefore, failure: failure, published: published, sentTo: sentTo))
    }
}
