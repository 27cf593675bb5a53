// What a consumer's group tells it.

/// A change of the partitions a consumer reads.
public enum Rebalance: Sendable, Hashable {
    /// These partitions are the consumer's from now on.
    case assigned([TopicPartition])
    /// These partitions are asked back.
    ///
    /// Finish what is in hand and acknowledge or commit it: they are given up when the handler returns.
    case revoked([TopicPartition])
    /// These partitions may belong to others by now: drop what is in hand.
    ///
    /// The group went on without this consumer, or no broker was reached for as long as its session lasts.
    case lost([TopicPartition])
}

/// What a consumer reads.
public enum ConsumerSubscription: Sendable, Hashable {
    /// Topics, shared with the other members of a consumer group.
    case topics([String], group: String)
    /// Partitions chosen by hand, from given points on; with a group offsets can be committed for it.
    case partitions([TopicPartition: StartingPoint], group: String? = nil)

    var group: String? {
        switch self {
        case .topics(_, let group): group
        case .partitions(_, let group): group
        }
    }
}
