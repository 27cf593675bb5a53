// Raw librdkafka properties: names and values as text, with credentials hidden from descriptions.

/// Properties of librdkafka by name, such as `["linger.ms": "5"]`.
///
/// Aliases are one property: setting `queue.buffering.max.ms` sets `linger.ms`. Descriptions and dumps show the
/// names, and the values of those that are no credentials. The names are those of librdkafka's `CONFIGURATION.md`.
public struct KafkaProperties: Sendable, Hashable {
    private var values: [String: String] = [:]

    /// Creates an empty set of properties.
    public init() {}

    /// The value of a property; setting `nil` removes it.
    public subscript(name: String) -> String? {
        get { values[PropertyCatalogue.current.preferredName(name)] }
        set { values[PropertyCatalogue.current.preferredName(name)] = newValue }
    }

    /// The names of the properties that are set, sorted.
    public var names: [String] { values.keys.sorted() }

    /// Whether no property is set.
    public var isEmpty: Bool { values.isEmpty }

    /// Takes over all of `other`, which wins where both set a property.
    public mutating func merge(_ other: KafkaProperties) {
        values.merge(other.values) { _, new in new }
    }

    /// Whether a property's value is a credential, by its name.
    package static func isCredential(_ name: String) -> Bool {
        let hidden = [
            "password", "secret", "username", "jaas", "key.pem", "keystore.key", "oauthbearer.config", "private.key",
            "assertion",
        ]
        return hidden.contains { name.contains($0) }
    }

    private var shown: [(name: String, value: String)] {
        names.map { ($0, Self.isCredential($0) ? Secret.placeholder : values[$0] ?? "") }
    }
}

extension KafkaProperties: ExpressibleByDictionaryLiteral {
    /// Creates properties from a literal; the last of several values of one property wins.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { self[name] = value }
    }

    /// Creates properties from a dictionary.
    public init(_ dictionary: [String: String]) {
        for (name, value) in dictionary.sorted(by: { $0.key < $1.key }) { self[name] = value }
    }
}

extension KafkaProperties: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The properties as `name=value`, credentials hidden.
    public var description: String { shown.map { "\($0.name)=\($0.value)" }.joined(separator: " ") }
    /// The same as `description`.
    public var debugDescription: String { description }
    /// The properties, credentials hidden.
    public var customMirror: Mirror {
        Mirror(self, children: shown.map { (label: $0.name, value: $0.value as Any) }, displayStyle: .struct)
    }
}
