// Declarations for the tests of graphs: a shop as it should be, and ways to spoil it.

import Troupe

/// Declarations, briefly.
struct Choreography {
    var declarations: [ServiceDeclaration] = []

    /// Adds a service.
    mutating func service(
        _ name: String, version: String = "", starts: [String] = [], _ routes: [RouteDeclaration] = []
    ) {
        let types = Set(starts + routes.flatMap { [$0.type] + $0.publishes }).sorted()
        declarations.append(
            ServiceDeclaration(
                service: name, version: version, group: routes.isEmpty ? "" : name, delivery: "at-least-once",
                routes: routes.map { route in
                    var route = route
                    route.retryTopic = "\(name).\(route.topic).retry"
                    route.deadLetterTopic = "\(name).\(route.topic).dlt"
                    return route
                }, starts: starts, events: types.map { Self.event($0) }))
    }

    /// A route of a type to others.
    static func on(
        _ type: String, _ cardinality: RouteDeclaration.Cardinality = .none, _ publishes: String...,
        compensates: String? = nil
    ) -> RouteDeclaration {
        RouteDeclaration(
            name: type, input: .event, type: type, acceptedTypes: [], topic: event(type).topic, retryTopic: "",
            deadLetterTopic: "", cardinality: cardinality, publishes: publishes, compensates: compensates,
            withinMilliseconds: 30_000, maxRetries: 3)
    }

    /// An event; `order.placed` is on the topic `order`, and the last words say whether it ends its flow.
    static func event(_ type: String, _ schema: String? = nil) -> EventDescription {
        let ending: FlowEnding? =
            type.hasSuffix(".completed") ? .completed : type.hasSuffix(".cancelled") ? .failed : nil
        return EventDescription(
            type: type, topic: type.split(separator: ".").first.map(String.init) ?? "", flowEnding: ending,
            contentType: "application/json", dataSchema: nil, payloadSchema: schema)
    }

    /// A shop whose services fit together.
    static var shop: Choreography {
        var shop = Choreography()
        shop.service(
            "storefront", starts: ["order.placed"],
            [
                on("stock.rejected", .one, "order.cancelled"), on("stock.released", .one, "order.cancelled"),
                on("parcel.dispatched", .one, "order.completed"),
            ])
        shop.service(
            "inventory",
            [
                on("order.placed", .oneOf, "stock.reserved", "stock.rejected"),
                on("payment.declined", .one, "stock.released", compensates: "stock.reserved"),
            ])
        shop.service("payments", [on("stock.reserved", .oneOf, "payment.taken", "payment.declined")])
        shop.service("shipping", [on("payment.taken", .one, "parcel.dispatched")])
        shop.service("notifications", [on("parcel.dispatched"), on("order.cancelled")])
        return shop
    }

    /// Changes the only declaration of a service.
    mutating func change(_ service: String, _ change: (inout ServiceDeclaration) -> Void) {
        for index in declarations.indices where declarations[index].service == service {
            change(&declarations[index])
        }
    }
}
