// Declarations as services write them to the topic of the registry.

import EventJSON
import KafkaClient
import Troupe

/// Declarations for the tool's tests.
enum RegistryFixture {
    static func declaration(
        _ service: String, version: String = "1", from type: String = "order.placed", to answer: String? = nil,
        starts: [String] = []
    ) -> ServiceDeclaration {
        func event(_ type: String) -> EventDescription {
            EventDescription(
                type: type, topic: "orders", flowEnding: type.hasSuffix("completed") ? .completed : nil,
                contentType: "application/json", dataSchema: nil,
                payloadSchema: #"{"type":"object","properties":{"orderID":{"type":"string"}},"required":["orderID"]}"#)
        }
        let route = RouteDeclaration(
            name: type, input: .event, type: type, acceptedTypes: [], topic: "orders",
            retryTopic: "\(service).orders.retry", deadLetterTopic: "\(service).orders.dlt",
            cardinality: answer == nil ? .none : .one, publishes: answer.map { [$0] } ?? [], compensates: nil,
            withinMilliseconds: 30_000, maxRetries: 3)
        return ServiceDeclaration(
            service: service, version: version, group: service, delivery: "at-least-once",
            routes: starts.isEmpty ? [route] : [], starts: starts,
            events: (starts.isEmpty ? [type] + (answer.map { [$0] } ?? []) : starts).map(event))
    }

    /// Writes declarations to the topic of the registry, which must be there.
    static func declare(_ declarations: [ServiceDeclaration], on tool: ToolOnCluster) async throws {
        _ = try await tool.send(
            try declarations.map {
                KafkaMessage(
                    topic: "troupe.services",
                    key: Array(RegistryKey.declaration(service: $0.service, fingerprint: $0.version).text.utf8),
                    value: try bytes($0))
            })
    }

    static func bytes(_ value: some Encodable) throws -> [UInt8] { try EventJSONEncoder().encode(value) }
}
