// The time of a record, as the broker keeps it.

/// The timestamp of a record and who set it.
public struct KafkaTimestamp: Sendable, Hashable {
    /// Who set a record's timestamp (Kafka's `message.timestamp.type`).
    public enum Kind: Sendable, Hashable {
        /// The record carries no timestamp.
        case none
        /// The producer set it when the record was created.
        case createTime
        /// The broker set it when the record was appended.
        case logAppendTime
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, or -1 when `kind` is `.none`.
    public var milliseconds: Int64
    /// Who set the timestamp.
    public var kind: Kind

    /// Creates a timestamp of `milliseconds` since 1970-01-01T00:00:00Z.
    public init(milliseconds: Int64, kind: Kind = .createTime) {
        self.milliseconds = milliseconds
        self.kind = kind
    }

    /// The timestamp of a record that carries none.
    public static let none = KafkaTimestamp(milliseconds: -1, kind: .none)
}
