// The consumer for everybody: an asynchronous sequence of records, with commits, seeks and rebalances.

/// How a consumer is set up.
struct ConsumerSettings: Sendable {
    var configuration: KafkaConfiguration
    var subscription: ConsumerSubscription
    var acknowledgementInterval: Duration
    var rebalanceTimeout: Duration
    var onRebalance: (@Sendable (Rebalance) async -> Void)?
}

/// Reads records, as a member of a group or from partitions chosen by hand.
///
/// A thread of its own polls librdkafka, woken when there is something, and hands over records in batches. While
/// nobody reads, records stay where they are and the member stays in its group.
///
/// ```swift
/// let consumer = try KafkaConsumer(configuration, .topics(["orders"], group: "billing"))
/// for try await record in consumer.records {
///     try await handle(record)
///     consumer.acknowledge(record)
/// }
/// await consumer.close()
/// ```
///
/// What is acknowledged is committed every second, before partitions are given up, and at the end; `commit` commits
/// at once. After a crash, records that were not committed are read again.
public final class KafkaConsumer: Sendable {
    private let core: ConsumerCore
    private let subscription: ConsumerSubscription

    /// Creates a consumer and its thread.
    ///
    /// It connects and joins its group by itself.
    ///
    /// Topics that do not exist yet are read as soon as they do.
    ///
    /// - Parameters:
    ///   - configuration: How to connect. When it does not know whether the cluster is the embedded broker, the
    ///     consumer finds out first.
    ///   - subscription: What to read.
    ///   - acknowledgementInterval: How often what is acknowledged is committed.
    ///   - rebalanceTimeout: How long a rebalance waits for `onRebalance` and the commit before it is answered anyway.
    ///     The group waits as long; keep it below `max.poll.interval.ms`.
    ///   - onRebalance: Called when partitions come and go. Partitions are taken and given up when it returns; without
    ///     it at once, after a commit of what is acknowledged.
    /// - Throws: `KafkaError` with `.invalidConfiguration` that names the property, or with `.invalidArgument`.
    public init(
        _ configuration: KafkaConfiguration, _ subscription: ConsumerSubscription,
        acknowledgementInterval: Duration = .seconds(1), rebalanceTimeout: Duration = .seconds(30),
        onRebalance: (@Sendable (Rebalance) async -> Void)? = nil
    ) throws {
        switch subscription {
        case .topics(let topics, let group):
            if topics.isEmpty { throw KafkaError(.invalidArgument, "A subscription needs at least one topic") }
            for topic in topics where !topic.hasPrefix("^") { try TopicName.validate(topic) }
            try KafkaAdmin.validate(group: group)
        case .partitions(let starts, let group):
            for partition in starts.keys { try partition.validate() }
            if let group { try KafkaAdmin.validate(group: group) }
        }
        _ = try configuration.librdkafkaProperties(for: .consumer(group: subscription.group))
        self.subscription = subscription
        let core = try ConsumerCore()
        self.core = core
        let settings = ConsumerSettings(
            configuration: configuration, subscription: subscription,
            acknowledgementInterval: max(acknowledgementInterval, .milliseconds(10)),
            rebalanceTimeout: rebalanceTimeout, onRebalance: onRebalance)
        try startThread(named: "kafka-consumer") { ConsumerThread.run(core, settings) }
    }

    deinit { core.close(within: .seconds(10)) }

    /// The records, one by one.
    public var records: KafkaRecords { KafkaRecords(core: core) }

    /// The records in batches, which is the fastest way to read them.
    public var batches: KafkaRecordBatches { KafkaRecordBatches(core: core) }

    /// What the consumer has to say beside records: errors, log lines, statistics.
    ///
    /// For one reader. What nobody reads is bounded: the oldest is dropped.
    public var notices: AsyncStream<ClientNotice> { core.notices.stream }

    /// The partitions the consumer reads now.
    public var assignment: [TopicPartition] { core.assignment }

    /// Ends the membership in order: commits what is acknowledged, leaves the group, ends the sequences.
    ///
    /// Also a cancelled task waits for this. Calling it again waits for the same end.
    ///
    /// - Parameter timeout: How long the call waits. What is left to do then, leaving the group and ending the client's
    ///   threads, is done in the background; what is not committed by then is read again.
    public nonisolated(nonsending) func close(within timeout: Duration = .seconds(15)) async {
        core.close(within: timeout)
        let closed = core.closed
        // A task of its own is not cancelled with the caller's.
        _ = await Task { try await closed.value() }.result
    }

    // MARK: Offsets

    /// Notes that a record, and all before it in its partition, is handled.
    ///
    /// It is committed with the next interval, before the partition is given up, and at the end. It costs little.
    public func acknowledge(_ record: KafkaRecord) {
        core.acknowledge(record.topicPartition, next: record.offset + 1)
    }

    /// Commits offsets, with their metadata, and waits for the broker's answer.
    ///
    /// An offset is that of the next record to read.
    ///
    /// - Throws: `KafkaError`, with `.illegalGeneration` and the like when the partitions belong to others by now, with
    ///   `.invalidState` for a consumer without a group.
    public nonisolated(nonsending) func commit(_ offsets: [CommittedOffset]) async throws {
        guard !offsets.isEmpty else { return }
        try requireGroup()
        for offset in offsets {
            try offset.topicPartition.validate()
            guard offset.offset >= 0 else {
                throw KafkaError(
                    .invalidArgument, "An offset to commit must not be negative", topic: offset.topicPartition.topic,
                    partition: offset.topicPartition.partition, offset: offset.offset)
            }
        }
        try await core.perform { .commit(offsets, $0) }
    }

    /// Commits that a record, and all before it in its partition, is handled, and waits for the broker's answer.
    ///
    /// - Throws: `KafkaError`; see `commit(_:)` for offsets.
    public nonisolated(nonsending) func commit(_ record: KafkaRecord) async throws {
        try await commit([CommittedOffset(record.topicPartition, offset: record.offset + 1)])
    }

    /// The group's committed offsets of partitions, of those it reads by default.
    ///
    /// Partitions without one are left out.
    ///
    /// - Throws: `KafkaError` when the broker does not answer in time, or for a consumer without a group.
    public nonisolated(nonsending) func committed(
        _ partitions: [TopicPartition]? = nil, within timeout: Duration = .seconds(10)
    ) async throws -> [TopicPartition: CommittedOffset] {
        try requireGroup()
        return try await query { [assignment] in try $0.committed(partitions ?? assignment, within: timeout) }
    }

    /// The first and the next offset of partitions, of those it reads by default, with a result for each.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    public nonisolated(nonsending) func watermarks(
        _ partitions: [TopicPartition]? = nil, within timeout: Duration = .seconds(10)
    ) async throws -> [TopicPartition: Result<Watermarks, KafkaError>] {
        try await query { [assignment] in try $0.watermarks(partitions ?? assignment, within: timeout) }
    }

    /// The offset of each partition's first record at or after a time in milliseconds since 1970, or -1 for none.
    ///
    /// The embedded broker always answers -1.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    public nonisolated(nonsending) func offsets(
        forTimes times: [TopicPartition: Int64], within timeout: Duration = .seconds(10)
    ) async throws -> [TopicPartition: Result<Int64, KafkaError>] {
        try await query { try $0.offsets(of: times.map { ($0.key, max(0, $0.value)) }, within: timeout) }
    }

    /// How far the group's committed offsets are behind, in the partitions this consumer reads.
    ///
    /// - Throws: `KafkaError` when a broker does not answer in time, or for a consumer without a group.
    public nonisolated(nonsending) func lag(within timeout: Duration = .seconds(10)) async throws -> [PartitionLag] {
        let committed = try await committed(within: timeout)
        return try await watermarks(within: timeout).compactMap { partition, ends -> PartitionLag? in
            guard case .success(let ends) = ends else { return nil }
            return PartitionLag(
                topicPartition: partition,
                committed: committed[partition] ?? CommittedOffset(partition, offset: ends.low),
                watermarks: ends)
        }.sorted { $0.topicPartition < $1.topicPartition }
    }

    // MARK: Control

    /// Stops handing out records of partitions; the others go on, and the membership is kept.
    public func pause(_ partitions: [TopicPartition]) { core.pause(partitions) }

    /// Hands out records of paused partitions again, from where they were paused.
    public func resume(_ partitions: [TopicPartition]) { core.resume(partitions) }

    /// Goes on reading partitions elsewhere.
    ///
    /// No record from before the seek is handed out by `records` afterwards.
    ///
    /// - Throws: `KafkaError` when a partition is not assigned.
    public nonisolated(nonsending) func seek(_ starts: [TopicPartition: StartingPoint]) async throws {
        guard !starts.isEmpty else { return }
        for partition in starts.keys { try partition.validate() }
        try await core.perform { .seek(starts, $0) }
    }

    /// Reads these partitions in place of all it read before; only for a consumer of partitions chosen by hand.
    ///
    /// - Throws: `KafkaError` with `.invalidState` for a member of a group with a subscription.
    public nonisolated(nonsending) func assign(_ starts: [TopicPartition: StartingPoint]) async throws {
        guard case .partitions = subscription else {
            throw KafkaError(.invalidState, "The group decides what a consumer with a subscription reads")
        }
        for partition in starts.keys { try partition.validate() }
        try await core.perform { .assign(starts, $0) }
    }

    func requireGroup() throws {
        if subscription.group == nil {
            throw KafkaError(.invalidState, "A consumer without a group has no committed offsets")
        }
    }

    nonisolated(nonsending) func query<Value: Sendable>(
        _ body: @escaping @Sendable (ClientHandle) throws -> Value
    ) async throws -> Value {
        let client = try await core.client()
        return try await runBlocking(named: "kafka-query") { try body(client) }
    }
}

extension TopicPartition {
    /// Throws `KafkaError` for what cannot be the name of a partition.
    func validate() throws(KafkaError) {
        try TopicName.validate(topic)
        if partition < 0 {
            throw KafkaError(
                .invalidArgument, "A partition's number is not negative", topic: topic, partition: partition)
        }
    }
}
