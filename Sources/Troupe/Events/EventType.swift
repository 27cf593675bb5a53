// The names of events and topics on the wire.

/// An event's name on the wire, such as `shop.order.placed`: the CloudEvents attribute `type`.
public struct EventType: Sendable, Hashable, Codable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name as it stands on the wire.
    public let rawValue: String

    /// Names a type of event.
    ///
    /// The name is checked when a service starts.
    public init(_ rawValue: String) { self.rawValue = rawValue }

    /// Names a type of event by a literal.
    public init(stringLiteral value: String) { rawValue = value }

    /// Reads the name from a plain string.
    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes the name as a plain string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    /// The name as it stands on the wire.
    public var description: String { rawValue }

    /// What is wrong with the name, or `nil` when it is usable.
    var defect: String? {
        if rawValue.isEmpty { return "it is empty" }
        if rawValue.utf8.count > RawEnvelope.maxAttributeBytes {
            return "it is longer than \(RawEnvelope.maxAttributeBytes) bytes"
        }
        if rawValue.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) {
            return "it has a control character"
        }
        return nil
    }
}

/// The name of a Kafka topic, without the service's namespace.
public struct Topic: Sendable, Hashable, Codable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name.
    public let rawValue: String

    /// Names a topic.
    ///
    /// The name is checked when a service starts.
    public init(_ rawValue: String) { self.rawValue = rawValue }

    /// Names a topic by a literal.
    public init(stringLiteral value: String) { rawValue = value }

    /// Reads the name from a plain string.
    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes the name as a plain string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    /// The name.
    public var description: String { rawValue }
}
