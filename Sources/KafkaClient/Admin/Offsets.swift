// Offsets: of groups, of partitions' ends, by time, and the lag between them.

import CRDKafka
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The first offset and the end of a partition.
public struct Watermarks: Sendable, Hashable {
    /// The offset of the oldest record that is kept.
    public var low: Int64
    /// The offset behind the last record that readers of committed records may see: the one the next record will get, or
    /// the first one of a transaction that is open (Kafka's last stable offset).
    ///
    /// A transaction is open until its markers are written, some moments after its commit was answered.
    public var high: Int64

    /// Creates a pair of watermarks.
    public init(low: Int64, high: Int64) {
        self.low = low
        self.high = high
    }
}

/// How far a group is behind in one partition.
public struct PartitionLag: Sendable, Hashable {
    /// The partition.
    public var topicPartition: TopicPartition
    /// What the group has committed.
    public var committed: CommittedOffset
    /// The partition's first and next offset.
    public var watermarks: Watermarks
    /// The number of offsets between what is committed, or what is still kept, and the end.
    public var lag: Int64 { max(0, watermarks.high - max(committed.offset, watermarks.low)) }
}

extension KafkaAdmin {
    /// The offsets a group has committed, by partition.
    ///
    /// Partitions without one are left out.
    ///
    /// - Parameters:
    ///   - group: The group.
    ///   - partitions: The partitions to ask for; `nil` for all the group has committed.
    ///   - requireStable: Whether to wait while a transaction is about to commit others, for partitions that are named; it
    ///     is an error, `.unstableOffsetCommit`, when that takes too long (KIP-447). Else the offsets before the
    ///     transaction are told.
    ///   - timeout: How long to wait.
    /// - Throws: `KafkaError`.
    public func committedOffsets(
        ofGroup group: String, partitions: [TopicPartition]? = nil, requireStable: Bool = false,
        within timeout: Duration = defaultTimeout
    ) async throws -> [TopicPartition: CommittedOffset] {
        try Self.validate(group: group)
        if requireStable, partitions == nil {
            throw KafkaError(
                .invalidArgument, "Stable offsets of the group \(group) can be asked for named partitions only",
                advice: "Name the partitions: asked for all, the broker does not tell of transactions")
        }
        var partitions = partitions
        // The embedded broker only answers for partitions that are named.
        if partitions == nil, try await isEmbeddedBroker(within: timeout) {
            partitions = try await describeTopics(within: timeout).values
                .compactMap { try? $0.get() }.flatMap(\.topicPartitions)
        }
        if partitions?.isEmpty == true { return [:] }
        let deadline = ContinuousClock.now + timeout
        var cause: KafkaError?
        while true {
            do {
                return try await attemptList(
                    group, partitions, requireStable, within: max(.milliseconds(1), deadline - .now))
            } catch let error as KafkaError {
                // An attempt that the deadline cut short says less than the one before it.
                guard error.code == .unstableOffsetCommit || error.isOfMovedCoordinator, ContinuousClock.now < deadline
                else { throw error.code == .timedOut ? cause ?? error : error }
                cause = error
                // The next attempt's client finds out for itself who the coordinator is.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    private func attemptList(
        _ group: String, _ partitions: [TopicPartition]?, _ requireStable: Bool, within timeout: Duration
    ) async throws -> [TopicPartition: CommittedOffset] {
        let happened = "Asking for the offsets of the group \(group) failed"
        let request = GroupOffsetsRequest.list
        let client = try AdminClient(configuration, askingForOffsetsOf: group)
        let answer = try await client.call(
            request.operation, happened, within: timeout,
            configure: { try AdminClient.setRequireStable(requireStable, of: $0, happened) }
        ) { client, options, queue in
            request.send(group: group, partitions.map { PartitionList($0) }, client, options, queue)
        }
        return try request.offsets(answer.event, happened).reduce(into: [:]) { $0[$1.topicPartition] = $1 }
    }

    /// Sets offsets of a group, with a result for each partition.
    ///
    /// On a real Kafka the group must have no members.
    ///
    /// - Throws: `KafkaError` when the request as a whole fails.
    public func alterOffsets(
        ofGroup group: String, to offsets: [CommittedOffset], within timeout: Duration = defaultTimeout
    ) async throws -> [TopicPartition: Result<Void, KafkaError>] {
        try Self.validate(group: group)
        guard !offsets.isEmpty else { return [:] }
        let deadline = ContinuousClock.now + timeout
        while true {
            do {
                let results = try await perform(
                    .alter, group: group, { PartitionList(offsets) },
                    "Altering the offsets of the group \(group) failed",
                    within: max(.milliseconds(1), min(Self.alterationAttempt, deadline - .now)))
                guard results.values.contains(where: { $0.isWithoutCoordinator }), ContinuousClock.now < deadline else {
                    return results
                }
            } catch let error as KafkaError where error.isOfCoordinator && ContinuousClock.now < deadline {}
            // Just after a start the group's coordinator is still to be found, and reads its log first; librdkafka does
            // not ask again, and in some runs does not answer. To set an offset twice is harmless.
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private static let alterationAttempt: Duration = .seconds(5)

    /// Deletes offsets of a group, with a result for each partition.
    ///
    /// No member may be reading the topic.
    ///
    /// - Throws: `KafkaError` when the request as a whole fails, `.unsupportedByEmbeddedBroker` on that one.
    public func deleteOffsets(
        ofGroup group: String, for partitions: [TopicPartition], within timeout: Duration = defaultTimeout
    ) async throws -> [TopicPartition: Result<Void, KafkaError>] {
        try Self.validate(group: group)
        guard !partitions.isEmpty else { return [:] }
        try await refuseOnEmbeddedBroker("delete a group's offsets", within: timeout)
        return try await perform(
            .delete, group: group, { PartitionList(partitions) }, "Deleting offsets of the group \(group) failed",
            within: timeout)
    }

    /// Sends a request about a group's offsets and reads the result for each partition.
    private func perform(
        _ request: GroupOffsetsRequest, group: String, _ partitions: () -> PartitionList, _ happened: String,
        within timeout: Duration
    ) async throws -> [TopicPartition: Result<Void, KafkaError>] {
        let answer = try await admin.call(request.operation, happened, within: timeout) { client, options, queue in
            request.send(group: group, partitions(), client, options, queue)
        }
        var results: [TopicPartition: Result<Void, KafkaError>] = [:]
        try request.read(answer.event, happened) { offset, error in
            let partition = offset.topicPartition
            results[partition] =
                error == RD_KAFKA_RESP_ERR_NO_ERROR
                ? .success(())
                : .failure(KafkaError(error, happened, topic: partition.topic, partition: partition.partition))
        }
        return results
    }

    /// The first offset and the end of many partitions, with a result for each: two requests to each leader.
    ///
    /// - Throws: `KafkaError` when no broker answers in time.
    public func watermarks(
        of partitions: [TopicPartition], within timeout: Duration = defaultTimeout
    ) async throws -> [TopicPartition: Result<Watermarks, KafkaError>] {
        let client = admin.client
        return try await runBlocking(named: "kafka-admin-call") {
            try client.watermarks(partitions, within: timeout)
        }
    }

    /// The offset of each partition's first record at or after a time, with a result for each.
    ///
    /// The result is -1 where there is no such record.
    ///
    /// - Parameters:
    ///   - times: Milliseconds since 1970 for each partition.
    ///   - timeout: How long to wait.
    /// - Throws: `KafkaError` when no broker answers in time, `.unsupportedByEmbeddedBroker` on that one.
    public func offsets(
        forTimes times: [TopicPartition: Int64], within timeout: Duration = defaultTimeout
    ) async throws -> [TopicPartition: Result<Int64, KafkaError>] {
        try await refuseOnEmbeddedBroker("look up offsets by time", within: timeout)
        let client = admin.client
        return try await runBlocking(named: "kafka-admin-call") {
            try client.offsets(of: times.map { ($0.key, max(0, $0.value)) }, within: timeout)
        }
    }

    /// How far a group is behind, for each partition it has committed an offset of, sorted.
    ///
    /// - Throws: `KafkaError` when a request fails.
    public func lag(
        ofGroup group: String, within timeout: Duration = defaultTimeout
    ) async throws -> [PartitionLag] {
        let committed = try await committedOffsets(ofGroup: group, within: timeout)
        let watermarks = try await watermarks(of: Array(committed.keys), within: timeout)
        return committed.values.compactMap { offset in
            // A topic that was deleted since has an offset but no end, and nobody is behind in it.
            guard case .success(let ends)? = watermarks[offset.topicPartition] else { return nil }
            return PartitionLag(topicPartition: offset.topicPartition, committed: offset, watermarks: ends)
        }.sorted { $0.topicPartition < $1.topicPartition }
    }
}

extension ClientHandle {
    /// Offsets by time, by Kafka's ListOffsets: one request to each leader.
    ///
    /// Blocks. A leader that has moved, or has just been chosen and does not know it yet, is asked again.
    func offsets(
        of times: [(partition: TopicPartition, time: Int64)], within timeout: Duration
    ) throws -> [TopicPartition: Result<Int64, KafkaError>] {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        var results: [TopicPartition: Result<Int64, KafkaError>] = [:]
        var wanted = times
        while !wanted.isEmpty {
            results.merge(try attemptOffsets(of: wanted, within: max(deadline - clock.now, .milliseconds(1)))) { $1 }
            wanted = wanted.filter { results[$0.partition]?.isWithoutLeader == true }
            guard !wanted.isEmpty, clock.now + .milliseconds(50) < deadline else { break }
            usleep(50_000)
        }
        return results
    }

    private func attemptOffsets(
        of times: [(partition: TopicPartition, time: Int64)], within timeout: Duration
    ) throws -> [TopicPartition: Result<Int64, KafkaError>] {
        let list = PartitionList(times.map { CommittedOffset($0.partition, offset: $0.time) })
        let error = rd_kafka_offsets_for_times(pointer, list.pointer, timeout.inMillisecondsC)
        if error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
            throw unreachable(after: timeout)
        }
        var results: [TopicPartition: Result<Int64, KafkaError>] = [:]
        for (index, offset) in list.offsets.enumerated() {
            let own = list.pointer.pointee.elems[index].err
            // A request that failed as a whole, such as by a time-out, fails for every partition.
            let failure = own != RD_KAFKA_RESP_ERR_NO_ERROR ? own : error
            let partition = offset.topicPartition
            results[partition] =
                failure == RD_KAFKA_RESP_ERR_NO_ERROR
                ? .success(offset.offset)
                : .failure(
                    KafkaError(
                        failure, "Looking up an offset failed", topic: partition.topic, partition: partition.partition)
                )
        }
        return results
    }
}

extension KafkaError {
    /// Whether the group's coordinator could not be asked yet.
    fileprivate var isOfCoordinator: Bool { code == .timedOut || isOfMovedCoordinator }

    /// Whether the group's coordinator is on its way to another broker.
    fileprivate var isOfMovedCoordinator: Bool {
        switch code {
        case .coordinatorLoading, .notCoordinator, Code(RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE): true
        default: false
        }
    }
}

extension Result where Failure == KafkaError {
    /// Whether the partition's leader is to be found anew.
    fileprivate var isWithoutLeader: Bool {
        guard case .failure(let error) = self else { return false }
        return error.code == .notLeader || error.code == KafkaError.Code(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
    }

    /// Whether the group's coordinator could not be asked yet.
    fileprivate var isWithoutCoordinator: Bool {
        guard case .failure(let error) = self else { return false }
        return error.isOfCoordinator
    }
}
