// A record to be produced.

/// A record to be produced.
public struct KafkaMessage: Sendable, Hashable {
    /// The topic to produce to.
    public var topic: String
    /// The partition to produce to; `nil` lets the partitioner choose by key.
    public var partition: Int32?
    /// The record's key; `nil` for none.
    public var key: [UInt8]?
    /// The record's value; `nil` makes a tombstone.
    public var value: [UInt8]?
    /// The headers, in order.
    public var headers: [KafkaHeader]
    /// Milliseconds since 1970; `nil` lets the client stamp the record.
    public var timestamp: Int64?

    /// Creates a record to be produced.
    public init(
        topic: String, partition: Int32? = nil, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = [],
        timestamp: Int64? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}
