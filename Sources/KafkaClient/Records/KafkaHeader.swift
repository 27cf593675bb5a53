// One header of a record.

/// One header of a record: a name and a value that may be null.
///
/// Names may repeat within a record and the order of headers is kept.
public struct KafkaHeader: Sendable, Hashable {
    /// The header's name.
    public var name: String
    /// The header's value; `nil` is Kafka's null, which differs from an empty value.
    public var value: [UInt8]?

    /// Creates a header with a value of bytes, or a null value.
    public init(_ name: String, bytes value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    /// Creates a header whose value is the UTF-8 of `value`.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = Array(value.utf8)
    }

    /// The value as text, with invalid UTF-8 repaired; `nil` for a null value.
    public var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}
