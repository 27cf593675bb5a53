// What is known of a value's form, and how JSON Schema says it.

/// What is known of a value's form.
indirect enum SchemaNode: Sendable, Hashable {
    /// A member of an object.
    struct Property: Sendable, Hashable {
        var name: String
        var node: SchemaNode
        var isRequired: Bool
    }

    /// Anything, and why no more is known.
    case unknown(String)
    /// A boolean, number or string; the members of its schema.
    case scalar([JSONTree.Member])
    /// One of some values.
    case enumeration([JSONTree])
    /// Any number of elements of one form.
    case array(SchemaNode, isUnique: Bool)
    /// Elements of different forms, in order.
    case tuple([SchemaNode])
    /// Members of any name and one form.
    case map(SchemaNode)
    /// Members of certain names; the comment says what could not be found out.
    case object([Property], comment: String?)
    /// One of several forms.
    case anyOf([SchemaNode])
    /// A form, or null.
    case nullable(SchemaNode)

    static func scalar(_ type: String, _ more: JSONTree.Member...) -> SchemaNode {
        .scalar([.init("type", .string(type))] + more)
    }

    /// One form out of several, each named once.
    static func any(of nodes: [SchemaNode]) -> SchemaNode {
        var distinct: [SchemaNode] = []
        for node in nodes where !distinct.contains(node) { distinct.append(node) }
        return distinct.count == 1 ? distinct[0] : .anyOf(distinct)
    }

    /// The schema.
    var json: JSONTree {
        switch self {
        case .unknown(let comment): return ["$comment": .string(comment)]
        case .scalar(let members): return .object(members)
        case .enumeration(let values):
            let types = Set(values.map { $0.text == nil ? "integer" : "string" })
            let type = types.count == 1 ? types.first : nil
            return .object((type.map { [.init("type", .string($0))] } ?? []) + [.init("enum", .array(values))])
        case .array(let element, let isUnique):
            return .object(
                [.init("type", "array"), .init("items", element.json)]
                    + (isUnique ? [.init("uniqueItems", .bool(true))] : []))
        case .tuple(let elements): return ["type": "array", "items": .array(elements.map(\.json))]
        case .map(let value): return ["type": "object", "additionalProperties": value.json]
        case .object(let properties, let comment):
            var members: [JSONTree.Member] = [
                .init("type", "object"),
                .init("properties", .object(properties.map { .init($0.name, $0.node.json) })),
            ]
            let required = properties.filter(\.isRequired).map { JSONTree.string($0.name) }
            if !required.isEmpty { members.append(.init("required", .array(required))) }
            if let comment { members.append(.init("$comment", .string(comment))) }
            return .object(members)
        case .anyOf(let nodes): return ["anyOf": .array(nodes.map(\.json))]
        case .nullable(let node): return ["anyOf": [node.json, ["type": "null"]]]
        }
    }
}
