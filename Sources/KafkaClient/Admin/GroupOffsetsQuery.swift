// Asks for a group's committed offsets without waiting, for an owner that polls.

import CRDKafka

/// Asks for a group's committed offsets without waiting, for an owner that polls.
///
/// It shares a consumer's client and waker: no connection and no thread of its own. Only when the group's coordinator has
/// moved does it make a consumer of its own, which joins no group: librdkafka goes on asking the old coordinator for as
/// long as it is asked (seen in 2.0.2). Not thread-safe: one owner at a time.
package final class GroupOffsetsQuery {
    /// The answer to one question.
    package struct Answer {
        /// The number given with the question.
        package let tag: UInt
        /// The group's offsets with their metadata, of the partitions that have one; or why they are not known.
        ///
        /// With `requireStable` the error is `.unstableOffsetCommit`, which is retriable, while a transaction holds
        /// offsets of one of the partitions: ask again (KIP-447).
        package let offsets: Result<[CommittedOffset], KafkaError>
    }

    private var client: ClientHandle
    private var results: EventQueue
    private let makeConsumer: () throws -> PolledConsumer
    /// The consumer that took the place of the shared one, if one did.
    private var ownConsumer: PolledConsumer?
    /// Whether the client asks a broker that is not the group's coordinator any more.
    private var isMisled = false
    /// The questions that wait for their answer, by tag.
    private var groups: [UInt: String] = [:]

    /// Creates a query that shares a consumer's client and waker.
    ///
    /// - Parameters:
    ///   - consumer: The consumer.
    ///   - makeConsumer: Makes another one with the same waker, for the case that the first has to be replaced.
    package init(sharing consumer: PolledConsumer, replacingBy makeConsumer: @escaping () throws -> PolledConsumer)
        throws
    {
        client = consumer.client
        results = try Self.queue(of: consumer)
        self.makeConsumer = makeConsumer
    }

    private static func queue(of consumer: PolledConsumer) throws -> EventQueue {
        guard let queue = rd_kafka_queue_new(consumer.client.pointer) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "The client has no queue")
        }
        return EventQueue(owning: queue, of: consumer.client, waker: consumer.waker)
    }

    /// Asks by a client that has not learned yet who the coordinator is.
    private func replaceClient() throws {
        let consumer = try makeConsumer()
        results = try Self.queue(of: consumer)
        client = consumer.client
        ownConsumer = consumer
        isMisled = false
    }

    /// Whether no answer waits.
    package var isEmpty: Bool { results.isEmpty }

    /// How many questions wait for their answer.
    package var pendingCount: Int { groups.count }

    /// Asks for the offsets a group has committed of partitions; the answer comes from `nextAnswer`.
    ///
    /// - Parameters:
    ///   - group: The group.
    ///   - partitions: The partitions, at least one and each once.
    ///   - requireStable: Whether offsets that a transaction is about to commit are to be waited for, rather than those
    ///     before it told (KIP-447).
    ///   - timeout: When the answer is an error at the latest.
    ///   - tag: A number to know the answer by, not used by a question that waits for its answer.
    /// - Throws: `KafkaError` with `.invalidArgument`; there is no answer then.
    package func start(
        group: String, partitions: [TopicPartition], requireStable: Bool, within timeout: Duration = .seconds(10),
        tag: UInt
    ) throws {
        guard !partitions.isEmpty, groups[tag] == nil else {
            throw KafkaError(
                .invalidArgument, "\(Self.failure(group)): it needs a partition, and a tag that is not in use")
        }
        // The answers to questions under way come from the client they were asked by.
        if isMisled, groups.isEmpty { try replaceClient() }
        let request = GroupOffsetsRequest.list
        guard let options = rd_kafka_AdminOptions_new(client.pointer, request.operation) else {
            throw KafkaError(.invalidArgument, "\(Self.failure(group)): this librdkafka does not know the request")
        }
        defer { rd_kafka_AdminOptions_destroy(options) }
        try AdminClient.setTimeout(timeout, of: options, Self.failure(group))
        try AdminClient.setRequireStable(requireStable, of: options, Self.failure(group))
        rd_kafka_AdminOptions_set_opaque(options, UnsafeMutableRawPointer(bitPattern: tag))
        groups[tag] = group
        request.send(group: group, PartitionList(partitions), client.pointer, options, results.pointer)
    }

    /// The next answer; `nil` when there is none now.
    package func nextAnswer() -> Answer? {
        // What else it has to say is said by the shared consumer as well.
        while ownConsumer?.nextEvent() != nil {}
        while let event = results.poll() {
            defer { rd_kafka_event_destroy(event) }
            let tag = UInt(bitPattern: rd_kafka_event_opaque(event))
            guard let group = groups.removeValue(forKey: tag) else { continue }
            let offsets = Self.read(event, group)
            if case .failure(let error) = offsets, error.code == .notCoordinator { isMisled = true }
            return Answer(tag: tag, offsets: offsets)
        }
        return nil
    }

    private static func read(_ event: OpaquePointer, _ group: String) -> Result<[CommittedOffset], KafkaError> {
        let happened = failure(group)
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { return .failure(KafkaError(code, happened)) }
        return Result { () throws(KafkaError) in try GroupOffsetsRequest.list.offsets(event, happened) }
    }

    private static func failure(_ group: String) -> String { "Asking for the offsets of the group \(group) failed" }
}
