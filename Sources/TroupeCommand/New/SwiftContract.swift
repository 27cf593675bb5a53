// Swift code for an event of which only the schema is known: the struct a new service reads it by.

import Foundation
import Troupe

/// A struct in Swift that reads an event, made of the event's schema.
struct SwiftContract: Sendable {
    private static let keywords: Set<String> = [
        "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer", "deinit", "do",
        "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard", "if", "import",
        "in",
        "init", "inout", "internal", "is", "let", "nil", "operator", "private", "protocol", "public", "repeat",
        "rethrows",
        "return", "self", "static", "struct", "subscript", "super", "switch", "throw", "throws", "true", "try",
        "typealias",
        "var", "where", "while",
    ]

    private struct Field {
        let json: String
        let swift: String
        let type: String
        let isOptional: Bool
        /// A value for the test.
        let sample: String
        let comment: String?
    }

    private struct Shape {
        let name: String
        let fields: [Field]
        let omitted: [String]
        let nested: [Shape]
    }

    let event: EventDescription
    /// The struct's name.
    let name: String
    private let shape: Shape
    private let keyField: String?

    /// Describes an event; `module` is a name that the struct must not have.
    init(_ event: EventDescription, module: String) {
        self.event = event
        let words = event.type.split { !$0.isASCII || (!$0.isLetter && !$0.isNumber) }.suffix(2).map(String.init)
        var name = Self.typeName(words)
        // A type of the module's own name could not be named from outside.
        if name == module || name == "Event" { name += "Event" }
        self.name = name
        let schema = event.payloadSchema.flatMap { try? JSONTree(parsing: $0) }
        shape = Self.shape(name, schema ?? .object([]))
        let texts = shape.fields.filter { $0.type == "String" && !$0.isOptional }
        keyField = (texts.first { $0.swift.lowercased().hasSuffix("id") } ?? texts.first)?.swift
    }

    /// The file that declares the struct.
    var source: String {
        var lines = ["// The event \(Self.plain(event.type)), as this service reads it.", "", "import Troupe"]
        if [shape].contains(where: Self.needsFoundation) {
            lines += [
                "", "#if canImport(FoundationEssentials)", "    import FoundationEssentials", "#else",
                "    import Foundation",
                "#endif",
            ]
        }
        lines += [
            "",
            "/// A contract of this service's own. All other fields are ignored: take out those that are not needed here, and",
            "/// whoever publishes the event is free to change them.",
            "struct \(name): Event {", "    static let type: EventType = \(Self.literal(event.type))",
            "    static let topic: Topic = \(Self.literal(event.topic))",
        ]
        if let ending = event.flowEnding {
            lines.append("    static var flowEnding: FlowEnding? { .\(ending.rawValue) }")
        }
        lines.append("    var key: EventKey { \(keyField.map { "EventKey(\($0))" } ?? ".none") }")
        lines += [""] + Self.body(shape, indent: "    ") + ["}", ""]
        return lines.joined(separator: "\n")
    }

    /// An expression that makes the event, for a test, a field to a line.
    func sample(indent: String) -> String {
        guard !shape.fields.isEmpty else { return "\(name)()" }
        let fields = shape.fields.map { "\(indent)    \($0.swift): \($0.sample)" }
        return "\(name)(\n\(fields.joined(separator: ",\n")))"
    }

    /// Whether the sample needs Foundation.
    var sampleNeedsFoundation: Bool { Self.needsFoundation(shape) }

    // MARK: From schema to fields

    private static func shape(_ name: String, _ schema: JSONTree) -> Shape {
        let required = Set(schema["required"]?.elements.compactMap(\.text) ?? [])
        var fields: [Field] = []
        var omitted: [String] = []
        var nested: [Shape] = []
        var names: Set<String> = [
            "type", "topic", "key", "coder", "flowEnding", "acceptedTypes", "subject", "dataSchema",
        ]
        for member in schema["properties"]?.members ?? [] {
            guard let form = form(member.value, named: typeName([member.name]), &nested, outer: name) else {
                omitted.append(member.name)
                continue
            }
            var swift = fieldName(member.name)
            while !names.insert(swift).inserted { swift += "Value" }
            let isOptional = !required.contains(member.name) || form.isOptional
            fields.append(
                Field(
                    json: member.name, swift: swift, type: form.type, isOptional: isOptional,
                    sample: isOptional ? "nil" : form.sample, comment: form.comment))
        }
        return Shape(name: name, fields: fields, omitted: omitted, nested: nested)
    }

    private typealias Form = (type: String, sample: String, isOptional: Bool, comment: String?)

    /// The Swift type for a schema; `nil` where it is not known.
    private static func form(_ schema: JSONTree, named name: String, _ nested: inout [Shape], outer: String) -> Form? {
        if let choices = schema["anyOf"]?.elements {
            let others = choices.filter { $0["type"]?.text != "null" }
            guard others.count == 1, others.count < choices.count,
                let form = form(others[0], named: name, &nested, outer: outer)
            else { return nil }
            return (form.type, form.sample, true, form.comment)
        }
        switch schema["type"]?.text {
        case "string":
            switch (schema["format"]?.text, schema["contentEncoding"]?.text) {
            case ("date-time", _): return ("Date", "Date(timeIntervalSince1970: 1_767_225_600)", false, nil)
            case ("uuid", _): return ("UUID", "UUID()", false, nil)
            case ("uri", _): return ("URL", "URL(filePath: \"/\")", false, nil)
            case (_, "base64"): return ("Data", "Data()", false, nil)
            default: break
            }
            let values = schema["enum"]?.elements.compactMap(\.text) ?? []
            let comment = values.isEmpty ? nil : "One of " + values.map { plain($0) }.joined(separator: ", ") + "."
            return ("String", literal(values.first ?? "a-1"), false, comment)
        case "integer": return ("Int", "1", false, nil)
        case "number": return ("Decimal", "1", false, nil)
        case "boolean": return ("Bool", "true", false, nil)
        case "array":
            // One of several lines is a line.
            let single = name.count > 2 && name.hasSuffix("s") && !name.hasSuffix("ss") ? String(name.dropLast()) : name
            guard let items = schema["items"], case .object = items,
                let form = form(items, named: single, &nested, outer: outer)
            else { return nil }
            return ("[\(form.type)\(form.isOptional ? "?" : "")]", "[]", false, nil)
        case "object":
            if let value = schema["additionalProperties"], schema["properties"] == nil {
                guard let form = form(value, named: name, &nested, outer: outer) else { return nil }
                return ("[String: \(form.type)\(form.isOptional ? "?" : "")]", "[:]", false, nil)
            }
            var unique = name
            while unique == outer || nested.contains(where: { $0.name == unique }) { unique += "Value" }
            let shape = shape(unique, schema)
            nested.append(shape)
            return (unique, construction(shape), false, nil)
        default: return nil
        }
    }

    // MARK: Code

    private static func body(_ shape: Shape, indent: String) -> [String] {
        var lines: [String] = []
        for field in shape.fields {
            if let comment = field.comment { lines.append("\(indent)/// \(comment)") }
            lines.append("\(indent)let \(field.swift): \(field.type)\(field.isOptional ? "?" : "")")
        }
        for name in shape.omitted { lines.append("\(indent)// \(plain(name)) is left out: its form is not known.") }
        if shape.fields.contains(where: { $0.json != $0.swift.filter { $0 != "`" } }) {
            lines += ["", "\(indent)enum CodingKeys: String, CodingKey {"]
            for field in shape.fields { lines.append("\(indent)    case \(field.swift) = \(literal(field.json))") }
            lines.append("\(indent)}")
        }
        for nested in shape.nested {
            lines += ["", "\(indent)struct \(nested.name): Codable, Sendable {"]
            lines += body(nested, indent: indent + "    ") + ["\(indent)}"]
        }
        return lines
    }

    private static func construction(_ shape: Shape) -> String {
        let name = shape.name
        return "\(name)(\(shape.fields.map { "\($0.swift): \($0.sample)" }.joined(separator: ", ")))"
    }

    private static func needsFoundation(_ shape: Shape) -> Bool {
        shape.fields.contains { field in
            ["Date", "UUID", "URL", "Data", "Decimal"].contains { field.type.contains($0) }
        } || shape.nested.contains(where: needsFoundation)
    }

    static func typeName(_ words: [String]) -> String {
        let parts = words.flatMap { $0.split { !$0.isASCII || (!$0.isLetter && !$0.isNumber) } }
        let name = parts.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return name.first?.isLetter == true ? name : "Value" + name
    }

    private static func fieldName(_ json: String) -> String {
        let type = typeName([json])
        // A name that is one already stays as it is: orderID, not orderId or OrderID.
        let isName =
            json.first?.isLetter == true && json.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        let name = isName ? json : type.prefix(1).lowercased() + type.dropFirst()
        return keywords.contains(name) ? "`\(name)`" : name
    }

    /// A string in Swift.
    static func literal(_ text: String) -> String {
        var literal = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": literal += "\\" + String(scalar)
            case _ where scalar.value < 0x20 || scalar.value > 0x7e:
                literal += "\\u{\(String(scalar.value, radix: 16))}"
            default: literal.unicodeScalars.append(scalar)
            }
        }
        return literal + "\""
    }

    /// Text for a comment: on one line.
    private static func plain(_ text: String) -> String { text.printable }
}
