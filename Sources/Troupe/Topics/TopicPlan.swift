// What a topic must be like: a value that provisioning compares with the broker.

/// A topic a service needs, and how it must be configured.
public struct TopicPlan: Sendable, Hashable {
    /// What the topic is for.
    public enum Purpose: String, Sendable, Hashable {
        /// Events the service reads.
        case input
        /// Events that wait for their next attempt.
        case retry
        /// Events that failed for good.
        case deadLetter
        /// Events the service publishes and does not read itself.
        case output
        /// What services tell of themselves.
        case system
    }

    /// The topic's name on the broker.
    public var name: String
    /// What the topic is for.
    public var purpose: Purpose
    /// The number of partitions; `nil` where the broker's default will do.
    public var partitions: Int32?
    /// The topic's configuration where it differs from the broker's default.
    public var configuration: [String: String]

    /// Plans a topic.
    public init(name: String, purpose: Purpose, partitions: Int32? = nil, configuration: [String: String] = [:]) {
        self.name = name
        self.purpose = purpose
        self.partitions = partitions
        self.configuration = configuration
    }
}

/// What the broker says of an input topic.
public struct TopicShape: Sendable, Hashable {
    /// The number of partitions.
    public var partitions: Int32
    /// The topic's `max.message.bytes`; `nil` when it is unknown.
    public var maxMessageBytes: Int?

    /// Describes a topic.
    public init(partitions: Int32, maxMessageBytes: Int? = nil) {
        self.partitions = partitions
        self.maxMessageBytes = maxMessageBytes
    }
}

extension TopicPlan {
    /// The plans of the retry and dead-letter topic that stand beside an input topic.
    /// - Parameter longestDelay: the longest delay of any retry policy of the service.
    package static func companions(
        retry: String, deadLetter: String, of input: TopicShape, longestDelay: Duration
    ) -> [TopicPlan] {
        let shared = [
            "cleanup.policy": "delete",
            "max.message.bytes": String(
                (input.maxMessageBytes ?? defaultMaxMessageBytes) + KafkaLimits.failureHeadroom),
        ]
        return [
            TopicPlan(
                name: retry, purpose: .retry, partitions: input.partitions,
                configuration: shared.merging(
                    ["retention.ms": String(retryRetention(longestDelay: longestDelay))]) { _, new in new }),
            TopicPlan(
                name: deadLetter, purpose: .deadLetter, partitions: input.partitions,
                configuration: shared.merging(["retention.ms": "-1"]) { _, new in new }),
        ]
    }

    /// The plans of the topics on which services tell of themselves; all services share them.
    package static func system(_ topics: SystemTopics) -> [TopicPlan] {
        let week = ["retention.ms": String(7 * 86_400_000)]
        return [
            TopicPlan(
                name: topics.services, purpose: .system, partitions: 1,
                configuration: week.merging([
                    // What an instance said last stays for a week; what it said before goes soon: who reads the registry
                    // reads all of it.
                    "cleanup.policy": "compact,delete", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1",
                ]) { _, new in new }),
            TopicPlan(
                name: topics.tasks, purpose: .system, partitions: 4,
                configuration: week.merging(["cleanup.policy": "delete"]) { _, new in new }),
        ]
    }

    /// Kafka's default `message.max.bytes` of a broker.
    static let defaultMaxMessageBytes = 1_048_588

    /// How long a retry topic keeps a record, in milliseconds: ten times the longest delay, but a day at least, so that
    /// a service that was down over night finds its retries.
    static func retryRetention(longestDelay: Duration) -> Int64 {
        let (tenfold, overflow) = longestDelay.milliseconds.multipliedReportingOverflow(by: 10)
        return overflow ? .max : max(tenfold, 86_400_000)
    }
}

extension Duration {
    /// The duration in milliseconds, rounded up, so that nothing that waits for it is early.
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let part = (attoseconds + (attoseconds > 0 ? 999_999_999_999_999 : 0)) / 1_000_000_000_000_000
        return whole.addingReportingOverflow(part).overflow ? .max : whole + part
    }
}
