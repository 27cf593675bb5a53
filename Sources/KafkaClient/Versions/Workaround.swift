// Every work-around for a defect of librdkafka, with the versions that need it. The rest of the code asks here.

/// A defect or a limit of some versions of librdkafka that this client works around.
///
/// Which ones apply is decided at run time by `rd_kafka_version()`, so one binary does right over several versions.
public enum Workaround: String, Sendable, CaseIterable {
    /// `rd_kafka_consume_batch_queue` loses messages at pause, seek and rebalance: records are read by events.
    case eventPollingOnly
    /// `rd_kafka_offsets_store` drops commit metadata: offsets are committed explicitly.
    case explicitCommits
    /// `rd_kafka_seek_partitions` takes its timeout for microseconds: it is given generously.
    case generousSeekTimeout
    /// Full prefetch queues back off for a second and `fetch.queue.backoff.ms` is unknown: queues are made longer.
    case longPrefetchQueues
    /// The idempotent producer turns fatal after an error that may have persisted a record: it must be recreated.
    case fatalIdempotence
    /// Closing a cooperative-sticky consumer before its first assignment can crash: close waits for the assignment.
    case closeAfterFirstAssignment
    /// Resuming a partition that is not paused, under cooperative assignors, goes back in it: it is not resumed.
    case resumeOnlyPaused
    /// Closing a consumer can hang: close has a deadline.
    case closeDeadline
    /// SASL/SCRAM checks the server's nonce wrongly (librdkafka#4895), which Kafka 4 refuses: refused at start.
    case brokenSCRAM
    /// A commit caught by a generation change loses all cooperative partitions (librdkafka#4059): the range assignor.
    case rangeAssignor
    /// `socket.nagle.disable` defaults to false: it is set.
    case nagleByDefault
    /// Producing by topic name delays the first record by a second: topics are made first.
    case topicHandles
    /// Single headers are freed twice when the partition is unknown: one header list is passed.
    case oneHeaderList

    /// The first version of librdkafka that no longer needs the work-around.
    public var fixedIn: LibrdkafkaVersion {
        switch self {
        case .eventPollingOnly, .longPrefetchQueues: LibrdkafkaVersion(2, 2)
        case .explicitCommits, .generousSeekTimeout: LibrdkafkaVersion(2, 1)
        case .fatalIdempotence, .closeAfterFirstAssignment: LibrdkafkaVersion(2, 3)
        case .resumeOnlyPaused, .closeDeadline: LibrdkafkaVersion(2, 4)
        case .brokenSCRAM: LibrdkafkaVersion(2, 6, 1)
        case .rangeAssignor, .nagleByDefault: LibrdkafkaVersion(2, 10)
        case .topicHandles: LibrdkafkaVersion(2, 10, 1)
        case .oneHeaderList: LibrdkafkaVersion(2, 12)
        }
    }

    /// Whether `version` needs the work-around.
    public func isNeeded(by version: LibrdkafkaVersion = .current) -> Bool { version < fixedIn }
}
