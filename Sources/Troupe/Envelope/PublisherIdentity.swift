// What a publisher's records have in common: all of them, and those of one type of event.

import KafkaClient

/// What every record of one publisher has in common.
package final class PublisherIdentity: Sendable {
    /// The service's name, which is hashed into follow-on ids.
    package let service: String
    /// The CloudEvents source of what it publishes.
    package let source: String
    /// What is put before the name of each topic.
    package let namespace: String
    /// The most bytes a published record may have on the wire.
    package let maxMessageBytes: Int
    /// Values with more bytes than this are not put into their records: see `ClaimCheck`.
    package let claimThreshold: Int
    /// What was prepared for the types that routes declare.
    private let prepared: [(type: ObjectIdentifier, stationery: EventStationery)]

    /// The CloudEvents source of what an operator publishes by hand, with `troupe publish`.
    ///
    /// No service has it: what an operator does is declared by nobody, and is nobody's mistake.
    package static let operatorSource = "/troupe/publish"

    /// Describes a publisher.
    ///
    /// - Parameters:
    ///   - source: the CloudEvents source of what it publishes; that of the service where nothing is said.
    ///   - events: the types it is going to publish, as far as they are known: their records cost less then.
    package init(
        service: String, source: String? = nil, namespace: String = "",
        maxMessageBytes: Int = KafkaLimits.maxMessageBytes,
        events: [EventDeclaration] = [], claimThreshold: Int = .max
    ) {
        self.claimThreshold = claimThreshold
        self.service = service
        self.namespace = namespace
        self.maxMessageBytes = maxMessageBytes
        let source = source ?? "/services/\(service)"
        self.source = source
        var prepared: [(type: ObjectIdentifier, stationery: EventStationery)] = []
        for event in events where !prepared.contains(where: { $0.type == event.swiftType }) {
            prepared.append(
                (
                    event.swiftType,
                    EventStationery(
                        service: service, source: source, namespace: namespace, type: event.type, topic: event.topic,
                        contentType: event.contentType, dataSchema: event.dataSchema)
                ))
        }
        self.prepared = prepared
    }

    /// What the records of `event` have in common.
    func stationery<E: Event>(of event: E.Type) -> EventStationery {
        let type = ObjectIdentifier(event)
        for entry in prepared where entry.type == type { return entry.stationery }
        return EventStationery(
            service: service, source: source, namespace: namespace, type: E.type, topic: E.topic,
            contentType: E.coder.contentType, dataSchema: E.dataSchema)
    }
}

/// What the records of one type of event of one publisher have in common.
final class EventStationery: Sendable {
    /// The name of the topic on the broker.
    let topic: String
    /// The event's name on the wire.
    let type: String
    /// The headers whose values are the same in every record.
    let headers: PackedHeaders
    /// What is hashed into a follow-on id behind the parent's source and id: service and type, each led by its length.
    let idTail: [UInt8]

    init(
        service: String, source: String, namespace: String, type: EventType, topic: Topic, contentType: String,
        dataSchema: String?
    ) {
        self.topic = namespace.isEmpty ? topic.rawValue : namespace + topic.rawValue
        self.type = type.rawValue
        var headers: [(name: StaticString, value: String)] = [
            (HeaderName.specVersion, "1.0"), (HeaderName.type, type.rawValue), (HeaderName.source, source),
            (HeaderName.contentType, contentType),
        ]
        if let dataSchema { headers.append((HeaderName.dataSchema, dataSchema)) }
        self.headers = PackedHeaders(headers)
        idTail = EventID.tail(service: service, type: type.rawValue)
    }
}
