// A service's declaration, drawn from its routes.

import EventJSON
import KafkaClient

extension RecordProcessor {
    /// What the service says of itself to others.
    package func declaration(version: String = "", delivery: DeliveryGuarantee = .atLeastOnce) -> ServiceDeclaration {
        var events: [EventDescription] = []
        for event in routes.flatMap({ [$0.input.event] + $0.publishes.events })
        where !events.contains(where: { $0.type == event.type.rawValue }) {
            events.append(EventDescription(event, names))
        }
        return ServiceDeclaration(
            service: service, version: version, group: names.consumerGroup, delivery: delivery.rawValue,
            routes: routes.map(declaration), starts: [], events: events)
    }

    private func declaration(of route: Route) -> RouteDeclaration {
        let input: RouteDeclaration.Input
        var accepted: [String] = []
        switch route.input {
        case .event(_, let types):
            input = .event
            accepted = types.map(\.rawValue) + olderTypes(of: route)
        case .tombstone: input = .tombstone
        case .foreign: input = .foreign
        }
        let topic = route.input.topic
        return RouteDeclaration(
            name: route.name, input: input, type: route.input.event.type.rawValue, acceptedTypes: accepted,
            topic: names.input(topic), retryTopic: names.retry(topic), deadLetterTopic: names.deadLetter(topic),
            cardinality: RouteDeclaration.Cardinality(route.publishes.cardinality),
            publishes: route.publishes.events.map(\.type.rawValue), compensates: route.compensates?.rawValue,
            withinMilliseconds: within(route).milliseconds, maxRetries: (route.retry ?? router.retry).maxRetries)
    }

    /// The types whose events are turned into what the route handles.
    private func olderTypes(of route: Route) -> [String] {
        router.upcasts.map(\.from.type.rawValue).filter { type in
            var name = type
            return name.withUTF8 { plan.types.entry(UnsafeRawBufferPointer($0)) }?.route === route
        }
    }
}

extension Route.Input {
    /// What is known of the event.
    package var event: EventDeclaration {
        switch self {
        case .event(let event, _), .tombstone(let event), .foreign(_, let event): event
        }
    }
}

extension RouteDeclaration.Cardinality {
    init(_ cardinality: PublicationDeclaration.Cardinality) {
        self =
            switch cardinality {
            case .none: .none
            case .one: .one
            case .optional: .optional
            case .many: .many
            case .all: .all
            case .oneOf: .oneOf
            case .manyOf: .manyOf
            }
    }
}

extension EventDescription {
    /// Describes a type as a service knows it, by the broker's name of its topic.
    package init(_ event: EventDeclaration, _ names: ServiceNames) {
        self.init(
            type: event.type.rawValue, topic: names.input(event.topic), flowEnding: event.flowEnding,
            contentType: event.contentType, dataSchema: event.dataSchema, payloadSchema: event.payloadSchema)
    }
}

extension ServiceDeclaration {
    /// The declaration as JSON, its members in the order in which they are declared, and the fingerprint of that: the
    /// first 64 bits of SipHash-2-4-128 with the zero key, as 16 hexadecimal digits.
    package func encoded() throws -> (json: [UInt8], fingerprint: String) {
        let json = try EventJSONEncoder().encode(self)
        var hash = SipHash128()
        json.withUnsafeBytes { hash.update($0) }
        return (json, Hex.text(hash.finish().0.byteSwapped))
    }
}
