// The consumer beneath everything: polled by one owner, woken by librdkafka, no threads of its own.

import CRDKafka

/// What a client's own queue delivers: everything but records and their reports.
public enum ConsumerEvent: Sendable {
    /// Partitions were assigned. Answer with `answerAssignment`.
    case assigned([TopicPartition])
    /// Partitions are asked back: finish and commit, then answer with `answerRevocation`. Until then nothing is
    /// delivered, so bound the time.
    case revoked([TopicPartition])
    /// Partitions are owned by others already: drop the work, do not commit, answer with `answerRevocation`.
    case lost([TopicPartition])
    /// A commit made by `commit` ended, with the offsets it held.
    case committed([CommittedOffset], KafkaError?)
    /// Something is wrong; only a fatal error ends the consumer.
    case error(KafkaError)
    /// A log line of the client's.
    case log(ClientLog)
    /// librdkafka's statistics as JSON, when `statistics.interval.ms` is set.
    case statistics(String)
    /// A call about a transaction ended; only from a transactional producer.
    case transaction(TransactionEvent)
}

/// A consumer that its one owner polls: the rebalance is answered by hand and each partition has its own queue.
///
/// It has no thread and never waits. Let go of, it leaves its group and ends in the background. Librdkafka signals the owner's waker when a queue has something new; the owner
/// drains `nextEvent` and the partition queues until they are empty, then sleeps. Poll at least once a second, else
/// the broker takes the member for dead after `max.poll.interval.ms`.
public final class PolledConsumer {
    let client: ClientHandle
    let waker: Waker
    private let queue: EventQueue
    private var membership: GroupMembership
    private var pendingRebalance: RebalanceRequest?

    /// Creates a consumer from librdkafka properties, which must hold `group.id` for a subscription.
    package init(properties: [(String, String)], waker: Waker) throws {
        self.waker = waker
        client = try ClientHandle(
            .consumer, properties: properties,
            events: RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_ERROR
                | RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_FETCH)
        guard let pointer = rd_kafka_queue_get_consumer(client.pointer) else {
            throw KafkaError(
                .invalidConfiguration, "A consumer needs a group",
                advice: "Set the property group.id, also where partitions are assigned by hand")
        }
        queue = EventQueue(owning: pointer, of: client, waker: waker)
        membership = GroupMembership(properties)
    }

    /// Leaves the group and ends the client, on a thread of its own, however long that takes.
    deinit { ConsumerEnd.start(client, membership, pendingRebalance) }

    /// Subscribes the group member to `topics`; partitions arrive as `.assigned` events.
    public func subscribe(to topics: [String]) throws {
        let list = PartitionList(topics: topics)
        membership.isSubscribed = true
        let error = rd_kafka_subscribe(client.pointer, list.pointer)
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "Subscribing to \(topics) failed") }
    }

    /// Whether the consumer's own queue has nothing waiting.
    public var isEmpty: Bool { queue.isEmpty }

    /// Takes the next event without waiting; `nil` when there is none now.
    public func nextEvent() -> ConsumerEvent? {
        while let event = queue.poll() {
            defer { rd_kafka_event_destroy(event) }
            if let translated = translate(event) { return translated }
        }
        return nil
    }

    private func translate(_ event: OpaquePointer) -> ConsumerEvent? {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_REBALANCE:
            guard let request = RebalanceRequest(event) else { return nil }
            let partitions = request.list.partitions
            membership.hasRebalanced = true
            pendingRebalance = request
            if request.isAssignment { return .assigned(partitions) }
            return rd_kafka_assignment_lost(client.pointer) != 0 ? .lost(partitions) : .revoked(partitions)
        case RD_KAFKA_EVENT_OFFSET_COMMIT:
            var offsets: [CommittedOffset] = []
            var failure: KafkaError?
            if let pointer = rd_kafka_event_topic_partition_list(event) {
                let list = PartitionList(copying: pointer)
                offsets = list.offsets
                failure = list.firstError
            }
            let error = rd_kafka_event_error(event)
            if error != RD_KAFKA_RESP_ERR_NO_ERROR { failure = failure ?? KafkaError(error, "Committing failed") }
            return .committed(offsets, failure)
        case RD_KAFKA_EVENT_ERROR: return .error(KafkaError(event: event, client: client.pointer))
        case RD_KAFKA_EVENT_LOG: return ClientLog(event).map { .log($0) }
        case RD_KAFKA_EVENT_STATS:
            return rd_kafka_event_stats(event).map { .statistics(String(cString: $0)) }
        case RD_KAFKA_EVENT_FETCH:
            // Only errors that belong to no partition queue come here, such as a topic that does not exist.
            guard let message = rd_kafka_event_message_next(event), message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR,
                message.pointee.err != RD_KAFKA_RESP_ERR__PARTITION_EOF
            else { return nil }
            let topic = message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) }
            return .error(KafkaError(message.pointee.err, "Reading failed", topic: topic))
        default: return nil
        }
    }

    /// Accepts the assignment of the last `.assigned` event and returns a queue for each new partition.
    ///
    /// Each partition starts at its committed offset, else as `auto.offset.reset` says.
    public func answerAssignment() throws -> [PartitionQueue] {
        guard let request = pendingRebalance.take() else {
            throw KafkaError(.invalidState, "There is no assignment to answer")
        }
        // The queues are cut loose before assigning, so that no record ever goes to the common queue.
        let queues = request.list.partitions.compactMap { partitionQueue($0) }
        try request.answer(by: client)
        return queues
    }

    /// Gives up the partitions of the last `.revoked` or `.lost` event.
    ///
    /// Drop their queues first.
    public func answerRevocation() throws {
        guard let request = pendingRebalance.take() else {
            throw KafkaError(.invalidState, "There is no revocation to answer")
        }
        try request.answer(by: client)
    }

    /// Whether a rebalance waits for its answer.
    public var awaitsAnswer: Bool { pendingRebalance != nil }

    /// Assigns partitions by hand, each from the offset given (or the committed one below zero), in place of all others.
    ///
    /// Drop the queues of those first.
    public func assign(_ offsets: [CommittedOffset]) throws -> [PartitionQueue] {
        let list = PartitionList(offsets)
        for index in 0..<list.count where list.pointer.pointee.elems[index].offset < 0 {
            list.pointer.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_STORED)
        }
        return try assign(list)
    }

    /// Assigns the partitions of a list, each from its offset, in place of all others, and returns a queue for each.
    ///
    /// Those that are read are given up in a step of its own, for two reasons (seen with librdkafka 2.0.2). A partition
    /// whose topic the client does not know yet is forgotten when it is given up, and its queue with it: a queue that was
    /// asked for before stays empty, and the records go to the common queue. And a partition that is given up twice before
    /// the first time has come about is stopped twice, on which librdkafka ends the process by an assertion: the
    /// answer to the second step is a sign that what the first one set off is over.
    func assign(_ list: borrowing PartitionList) throws -> [PartitionQueue] {
        var error = rd_kafka_assign(client.pointer, nil)
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "Giving up partitions failed") }
        let queues = list.partitions.compactMap { partitionQueue($0) }
        error = rd_kafka_assign(client.pointer, list.pointer)
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "Assigning partitions failed") }
        return queues
    }

    func partitionQueue(_ partition: TopicPartition) -> PartitionQueue? {
        guard let pointer = rd_kafka_queue_get_partition(client.pointer, partition.topic, partition.partition) else {
            return nil
        }
        rd_kafka_queue_forward(pointer, nil)
        return PartitionQueue(partition, queue: EventQueue(owning: pointer, of: client, waker: waker))
    }

    /// Starts committing `offsets`; the outcome arrives as a `.committed` event.
    public func commit(_ offsets: [CommittedOffset]) throws {
        let list = PartitionList(offsets)
        let error = rd_kafka_commit_queue(client.pointer, list.pointer, queue.pointer, nil, nil)
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, "Committing failed") }
    }

    /// How the group moves partitions: all at once, or a few at a time.
    public enum RebalanceProtocol: Sendable {
        /// Not known before the group is joined.
        case none
        /// Every rebalance takes all partitions back first.
        case eager
        /// A rebalance moves only the partitions that change their owner (KIP-429).
        case cooperative
    }

    /// How the group moves partitions.
    public var rebalanceProtocol: RebalanceProtocol { client.rebalanceProtocol }

    /// The id the group's coordinator gave this member; `nil` before it joined.
    public var memberID: String? { client.memberID }

    /// Starts leaving the group.
    ///
    /// Go on polling, and answering, until `isClosed`.
    public func beginClose() throws {
        if let error = rd_kafka_consumer_close_queue(client.pointer, queue.pointer) {
            throw KafkaError(consuming: error, "Closing the consumer failed")
        }
        membership.isClosing = true
    }

    /// Whether the group was left and nothing more will arrive.
    public var isClosed: Bool { client.isClosed }
}

extension PolledConsumer {
    /// The offsets of a partition's first record and behind its last one, as the last fetch told them; `nil` before the
    /// first fetch.
    ///
    /// Asks nothing of the broker.
    public func knownRange(of partition: TopicPartition) -> Range<Int64>? {
        var low: Int64 = 0
        var high: Int64 = 0
        let error = rd_kafka_get_watermark_offsets(
            client.pointer, partition.topic, partition.partition, &low, &high)
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 else { return nil }
        return min(max(low, 0), high)..<high
    }

    /// Whether the group can be left in order: before 2.3, leaving before the first assignment can crash.
    package func mayClose(everAssigned: Bool) -> Bool { everAssigned || rd_kafka_version() >= 0x0203_0000 }
}
