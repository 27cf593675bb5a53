// What a producer gets back for a record: a receipt at once, and its place in the log later.

/// Where an acknowledged record stands in the log.
public struct Delivery: Sendable, Hashable {
    /// The record's topic.
    public var topic: String
    /// The partition the record went to.
    public var partition: Int32
    /// The record's offset.
    ///
    /// It is negative where the broker does not tell, as with `acks=0`.
    public var offset: Int64
    /// The record's timestamp.
    public var timestamp: KafkaTimestamp
    /// The record's topic and partition.
    public var topicPartition: TopicPartition { TopicPartition(topic, partition) }
}

/// The promise of a record's outcome.
///
/// It is always kept: the record is acknowledged, or fails, or the producer is shut down.
public struct DeliveryReceipt: Sendable {
    /// The record's topic.
    public let topic: String
    let ticket: PendingSends.Ticket

    init(topic: String, _ ticket: PendingSends.Ticket) {
        self.topic = topic
        self.ticket = ticket
    }

    /// Waits until the record is acknowledged.
    ///
    /// - Throws: `KafkaError` when the record was not acknowledged; its `mayBePersisted` says whether it may have
    ///   reached the log all the same. `CancellationError` when the task is cancelled, which does not take the record
    ///   back.
    public nonisolated(nonsending) func delivery() async throws -> Delivery {
        switch try ticket.block.look(at: ticket.number.slot) {
        case .delivered(let place): return delivery(at: place)
        case .pending(let waiter): return delivery(at: try await waiter.value())
        }
    }

    private func delivery(at place: DeliveredPlace) -> Delivery {
        Delivery(topic: topic, partition: place.partition, offset: place.offset, timestamp: place.timestamp)
    }
}

/// A `Delivery` without its topic.
struct DeliveredPlace: Sendable {
    var partition: Int32
    var offset: Int64
    var timestamp: KafkaTimestamp
}
