// An AsyncAPI document of a system, from what its services declare.

public import Troupe

/// An AsyncAPI 3.0.0 document made of declarations (https://www.asyncapi.com/docs/reference/specification/v3.0.0).
///
/// A channel for each topic, a message for each type of event, and an operation for each route's input and for each topic a
/// service publishes to, with the Kafka bindings 0.5.0. The same declarations give the same document, in any order.
public struct AsyncAPIDocument: Sendable {
    private let tree: JSONTree

    /// Makes the document.
    ///
    /// - Parameters:
    ///   - declarations: What the services say of themselves.
    ///   - title: What the system is called.
    ///   - version: The version of what it offers.
    public init(_ declarations: [ServiceDeclaration], title: String, version: String) {
        tree = AsyncAPIWriter(declarations).document(title: title, version: version)
    }

    /// The document as JSON, over several lines.
    public var json: String { tree.pretty }
}

private struct AsyncAPIWriter {
    /// What is said of one message by whom it concerns most.
    private struct Message {
        var description: EventDescription
        var weight: Int
    }

    private struct Send: Hashable {
        let service: String
        let topic: String
    }

    private let declarations: [ServiceDeclaration]
    private var messages: [String: Message] = [:]
    /// The ids of the messages on each topic.
    private var channels: [String: Set<String>] = [:]
    /// The types that each service publishes to a topic.
    private var sends: [Send: Set<String>] = [:]
    private var routes: [(service: String, group: String, route: RouteDeclaration)] = []

    init(_ declarations: [ServiceDeclaration]) {
        self.declarations = declarations.sorted {
            ($0.service, $0.version, $0.group) < ($1.service, $1.version, $1.group)
        }
        for declaration in self.declarations { add(declaration) }
    }

    private mutating func add(_ declaration: ServiceDeclaration) {
        let published = Set(declaration.routes.flatMap(\.publishes) + declaration.starts)
        for event in declaration.events {
            // A description with a schema says more than one without; of two, the publisher knows its event best.
            let weight = (event.payloadSchema == nil ? 0 : 2) + (published.contains(event.type) ? 1 : 0)
            if weight > messages[event.type]?.weight ?? -1 {
                messages[event.type] = Message(description: event, weight: weight)
            }
            guard published.contains(event.type) else { continue }
            channels[event.topic, default: []].insert(event.type)
            sends[Send(service: declaration.service, topic: event.topic), default: []].insert(event.type)
        }
        for route in declaration.routes {
            channels[route.topic, default: []].formUnion(Self.inputs(of: route))
            routes.append((declaration.service, declaration.group, route))
        }
    }

    /// The ids of the messages a route takes.
    private static func inputs(of route: RouteDeclaration) -> [String] {
        switch route.input {
        case .event: [route.type] + route.acceptedTypes
        case .tombstone: [route.type + ".tombstone"]
        case .foreign: [route.topic + ".foreign"]
        }
    }

    // MARK: The document

    func document(title: String, version: String) -> JSONTree {
        [
            "asyncapi": "3.0.0",
            "info": [
                "title": .string(title), "version": .string(version),
                "description":
                    "Events over Apache Kafka: CloudEvents 1.0 in the binary mode of the Kafka protocol binding. Made of what the services declare.",
            ],
            "defaultContentType": "application/json",
            "channels": object(channels) { topic, messages in
                [
                    "address": .string(topic),
                    "messages": .object(
                        messages.sorted().map {
                            .init(Self.key($0), reference("components", "messages", Self.key($0)))
                        }),
                    "bindings": ["kafka": ["topic": .string(topic), "bindingVersion": "0.5.0"]],
                ]
            },
            "operations": .object(operations),
            "components": ["messages": .object(messageMembers), "schemas": ["cloudEventsHeaders": Self.headers]],
        ]
    }

    private var operations: [JSONTree.Member] {
        var all: [JSONTree.Member] = []
        var received: [[String]: Set<String>] = [:]
        for (service, group, route) in routes {
            received[[service, group, route.topic], default: []].formUnion(Self.inputs(of: route))
        }
        for (place, inputs) in received {
            all.append(operation("receive", service: place[0], group: place[1], topic: place[2], inputs))
        }
        for (send, types) in sends {
            all.append(operation("send", service: send.service, group: "", topic: send.topic, types))
        }
        // Versions of a service that differ in their group are rare; the first of one name is kept.
        var names: Set<String> = []
        return all.sorted { ($0.name, $0.value.line) < ($1.name, $1.value.line) }
            .filter { names.insert($0.name).inserted }
    }

    private func operation(
        _ action: String, service: String, group: String, topic: String, _ messages: Set<String>
    ) -> JSONTree.Member {
        let words = action == "send" ? "publishes to" : "handles events of"
        var members: [JSONTree.Member] = [
            .init("action", .string(action)),
            .init("channel", reference("channels", Self.key(topic))),
            .init("title", .string("\(service) \(words) \(topic)")),
            .init("tags", [["name": .string(service)]]),
            .init(
                "messages",
                .array(messages.sorted().map { reference("channels", Self.key(topic), "messages", Self.key($0)) })),
        ]
        if !group.isEmpty {
            let binding: JSONTree = [
                "groupId": ["type": "string", "enum": [.string(group)]], "bindingVersion": "0.5.0",
            ]
            members.append(.init("bindings", ["kafka": binding]))
        }
        return .init(Self.key("\(service).\(action).\(topic)"), .object(members))
    }

    private var messageMembers: [JSONTree.Member] {
        var all = messages.map { JSONTree.Member(Self.key($0), message($1.description)) }
        for (_, _, route) in routes {
            for id in Self.inputs(of: route) where !all.contains(where: { $0.name == Self.key(id) }) {
                switch route.input {
                case .event:
                    all.append(.init(Self.key(id), olderMessage(id, route)))
                case .tombstone:
                    all.append(.init(Self.key(id), tombstone(id, route)))
                case .foreign:
                    all.append(
                        .init(
                            Self.key(id),
                            [
                                "name": .string(id),
                                "title": .string("A record of \(route.topic) without CloudEvents headers"),
                                "contentType": "application/octet-stream",
                            ]))
                }
            }
        }
        return all.sorted { $0.name < $1.name }
    }

    private func message(_ event: EventDescription) -> JSONTree {
        var members: [JSONTree.Member] = [
            .init("name", .string(event.type)),
            .init("title", .string(event.type)),
        ]
        if let ending = event.flowEnding {
            members.append(.init("summary", .string("Ends its flow: \(ending.rawValue)")))
        }
        members.append(.init("contentType", .string(event.contentType)))
        members += envelope(of: event.type)
        if let payload = event.payloadSchema.flatMap({ try? JSONTree(parsing: $0) }) {
            members.append(.init("payload", payload))
        }
        if let schema = event.dataSchema {
            members.append(.init("externalDocs", ["description": "The schema of the payload", "url": .string(schema)]))
        }
        return .object(members)
    }

    private func olderMessage(_ type: String, _ route: RouteDeclaration) -> JSONTree {
        .object(
            [
                .init("name", .string(type)), .init("title", .string(type)),
                .init("summary", .string("An older form of \(route.type)")),
            ] + envelope(of: type))
    }

    private func tombstone(_ id: String, _ route: RouteDeclaration) -> JSONTree {
        .object(
            [
                .init("name", .string(id)), .init("title", .string("Tombstone of \(route.type)")),
                .init("summary", "What the key names was deleted: the value is null"),
            ] + envelope(of: route.type) + [.init("payload", ["type": "null"])])
    }

    /// The headers, where the correlation id is found in them, and the key.
    private func envelope(of type: String) -> [JSONTree.Member] {
        [
            .init(
                "headers",
                [
                    "allOf": [
                        reference("components", "schemas", "cloudEventsHeaders"),
                        ["type": "object", "properties": ["ce_type": ["type": "string", "const": .string(type)]]],
                    ]
                ]),
            .init("correlationId", ["location": "$message.header#/ce_correlationid"]),
            .init("bindings", ["kafka": ["key": ["type": "string"], "bindingVersion": "0.5.0"]]),
        ]
    }

    /// The headers of CloudEvents' Kafka binding, binary mode, with the correlation extension and W3C trace context.
    private static var headers: JSONTree {
        func header(_ description: String, _ more: JSONTree.Member...) -> JSONTree {
            .object([.init("type", "string")] + more + [.init("description", .string(description))])
        }
        return [
            "type": "object",
            "properties": [
                "ce_specversion": header("The version of CloudEvents", .init("const", "1.0")),
                "ce_id": header("The event's id, the same whenever the same handling is repeated"),
                "ce_type": header("The type of event"),
                "ce_source": header("The service that published it", .init("format", "uri-reference")),
                "ce_time": header("When it was published", .init("format", "date-time")),
                "ce_subject": header("What the event is about, as people search for it"),
                "ce_correlationid": header("The flow it belongs to"),
                "ce_causationid": header("The id of the event that caused it"),
                "ce_dataschema": header("Where the schema of the payload is found", .init("format", "uri")),
                "content-type": header("The media type of the payload"),
                "traceparent": header("W3C trace context"),
                "tracestate": header("W3C trace context"),
            ],
            "required": ["ce_specversion", "ce_id", "ce_type", "ce_source"],
        ]
    }

    // MARK: Names

    /// A name that AsyncAPI allows as a key of components.
    private static func key(_ name: String) -> String {
        var key = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_": key.unicodeScalars.append(scalar)
            // Written as its number, so that different names stay different.
            default: key += "_x\(String(scalar.value, radix: 16))_"
            }
        }
        return key
    }

    private func reference(_ path: String...) -> JSONTree {
        ["$ref": .string("#/" + path.joined(separator: "/"))]
    }

    private func object<Value>(_ values: [String: Value], _ make: (String, Value) -> JSONTree) -> JSONTree {
        .object(values.sorted { $0.key < $1.key }.map { .init(Self.key($0), make($0, $1)) })
    }
}
