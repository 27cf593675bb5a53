// Names of places in Kafka: a partition of a topic, and an offset within it.

/// One partition of one topic.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The topic's name.
    public var topic: String
    /// The partition's number, from 0.
    public var partition: Int32

    /// Names partition `partition` of `topic`.
    public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// `topic[partition]`.
    public var description: String { "\(topic)[\(partition)]" }

    /// Orders by topic, then partition.
    public static func < (a: TopicPartition, b: TopicPartition) -> Bool {
        (a.topic, a.partition) < (b.topic, b.partition)
    }
}

/// An offset to commit or one that was committed: the next offset to read, with its metadata.
public struct CommittedOffset: Sendable, Hashable {
    /// The partition the offset belongs to.
    public var topicPartition: TopicPartition
    /// The offset of the next record to read.
    public var offset: Int64
    /// The commit's metadata, at most 4,096 bytes by Kafka's default; `nil` when there is none.
    public var metadata: String?

    /// Names `offset` as the next one to read of `topicPartition`.
    public init(_ topicPartition: TopicPartition, offset: Int64, metadata: String? = nil) {
        self.topicPartition = topicPartition
        self.offset = offset
        self.metadata = metadata
    }
}
