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
    /// Closing a cooperative consumer while an assignment arrives hangs (librdkafka#4527): the group is left first.
    case leaveBeforeClose
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
        case .leaveBeforeClose, .resumeOnlyPaused, .closeDeadline: LibrdkafkaVersion(2, 4)
        case .brokenSCRAM: LibrdkafkaVersion(2, 6, 1)
        case .rangeAssignor, .nagleByDefault: LibrdkafkaVersion(2, 10)
        case .topicHandles: LibrdkafkaVersion(2, 10, 1)
        case .oneHeaderList: LibrdkafkaVersion(2, 12)
        }
    }

    /// What is wrong with librdkafka and what is done about it, in one line.
    public var summary: String {
        switch self {
        case .eventPollingOnly: "reading in batches loses records at a rebalance: records are read one event at a time"
        case .explicitCommits: "stored offsets lose their metadata: offsets are committed explicitly"
        case .generousSeekTimeout: "seeking takes its time-out for microseconds: it is given generously"
        case .longPrefetchQueues: "a full prefetch queue pauses fetching for a second: the queues are made longer"
        case .fatalIdempotence: "an idempotent producer can turn fatal after a lost answer: it is made anew"
        case .closeAfterFirstAssignment: "closing before the first assignment can crash: closing waits for it"
        case .leaveBeforeClose: "closing during an assignment can hang (librdkafka#4527): the group is left first"
        case .resumeOnlyPaused: "resuming a partition that is not paused rewinds it: only paused ones are resumed"
        case .closeDeadline: "closing a consumer can hang: it has a deadline"
        case .brokenSCRAM: "SASL/SCRAM fails with Kafka 4 (librdkafka#4895): it is refused at the start"
        case .rangeAssignor: "cooperative groups can lose all partitions (librdkafka#4059): the range assignor is used"
        case .nagleByDefault: "small requests wait for more by default: socket.nagle.disable is set"
        case .topicHandles: "the first record of a topic can be a second late: topics are looked up first"
        case .oneHeaderList: "single headers can be freed twice: they are passed as one list"
        }
    }

    /// Whether `version` needs the work-around.
    public func isNeeded(by version: LibrdkafkaVersion = .current) -> Bool { version < fixedIn }
}
