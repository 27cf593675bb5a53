// The forms of types that need no asking: scalars, Foundation's values, collections, enumerations.

import EventJSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A type's form, and a value of it for whoever asked.
struct Derived<Value> {
    var node: SchemaNode
    /// A value; `nil` when none could be made.
    var sample: Value?
}

enum SchemaTypes {
    /// The form of a type that JSON has one fixed form for, as Troupe's coders write it.
    static func known<T>(_ type: T.Type) -> Derived<T>? {
        func derived(_ node: SchemaNode, _ sample: Any) -> Derived<T> { Derived(node: node, sample: sample as? T) }
        switch type {
        case is Bool.Type: return derived(.scalar("boolean"), false)
        case is String.Type: return derived(.scalar("string"), "")
        case is Double.Type: return derived(.scalar("number"), 0.0)
        case is Float.Type: return derived(.scalar("number"), Float(0))
        case is Decimal.Type: return derived(.scalar("number"), Decimal(0))
        case is Date.Type:
            return derived(.scalar("string", .init("format", "date-time")), Date(timeIntervalSince1970: 0))
        case is Data.Type: return derived(.scalar("string", .init("contentEncoding", "base64")), Data())
        case is UUID.Type: return derived(.scalar("string", .init("format", "uuid")), UUID())
        case is URL.Type:
            guard let url = URL(string: "https://example.com/") else { return nil }
            return derived(.scalar("string", .init("format", "uri")), url)
        default: break
        }
        guard let integer = type as? any FixedWidthInteger.Type else { return nil }
        return Derived(node: integer.schemaNode, sample: integer.zero as? T)
    }

    /// The form of an enumeration whose cases are coded as plain values.
    static func enumeration<T>(_ type: T.Type) -> Derived<T>? {
        let cases: [T]
        if let iterable = type as? any CaseIterable.Type {
            cases = iterable.firstCases(257).compactMap { $0 as? T }
        } else {
            cases = EnumerationLayout.cases(of: type) ?? []
        }
        guard (1...256).contains(cases.count) else { return nil }
        var values: [JSONTree] = []
        for value in cases {
            guard let encodable = value as? any Encodable, let json = try? EventJSONEncoder().encode(encodable),
                let tree = try? JSONTree(parsing: String(decoding: json, as: UTF8.self))
            else { return nil }
            switch tree {
            case .string, .integer: values.append(tree)
            default: return nil
            }
        }
        return Derived(node: .enumeration(values), sample: cases[0])
    }
}

extension FixedWidthInteger {
    fileprivate static var schemaNode: SchemaNode {
        isSigned ? .scalar("integer") : .scalar("integer", .init("minimum", .integer(0)))
    }
}

extension CaseIterable {
    fileprivate static func firstCases(_ limit: Int) -> [Any] { allCases.prefix(limit).map { $0 } }
}

/// A type whose form follows from those of its parts.
protocol SchemaComposite {
    /// The form, and a sample as `Any`.
    static func derive(by derivation: SchemaDerivation) -> Derived<Any>
}

extension Optional: SchemaComposite where Wrapped: Decodable {
    static func derive(by derivation: SchemaDerivation) -> Derived<Any> {
        let derived = derivation.derive(Wrapped.self)
        return Derived(node: .nullable(derived.node), sample: derived.sample as Wrapped?)
    }
}

extension Array: SchemaComposite where Element: Decodable {
    static func derive(by derivation: SchemaDerivation) -> Derived<Any> {
        let derived = derivation.derive(Element.self)
        return Derived(node: .array(derived.node, isUnique: false), sample: derived.sample.map { [$0] } ?? [])
    }
}

extension Set: SchemaComposite where Element: Decodable {
    static func derive(by derivation: SchemaDerivation) -> Derived<Any> {
        let derived = derivation.derive(Element.self)
        return Derived(node: .array(derived.node, isUnique: true), sample: Set(derived.sample.map { [$0] } ?? []))
    }
}

extension Dictionary: SchemaComposite where Key: Decodable, Value: Decodable {
    static func derive(by derivation: SchemaDerivation) -> Derived<Any> {
        let value = derivation.derive(Value.self).node
        let isObject = Key.self is String.Type || Key.self is Int.Type || Key.self is any CodingKeyRepresentable.Type
        // Keys that are no text make Swift code a dictionary as an array of keys and values in turn.
        let node: SchemaNode =
            isObject ? .map(value) : .array(.any(of: [derivation.derive(Key.self).node, value]), isUnique: false)
        return Derived(node: node, sample: Self())
    }
}
