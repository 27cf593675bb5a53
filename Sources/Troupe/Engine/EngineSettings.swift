// The engine's order, bounds and times.

/// Which records of a partition are handled one after the other.
public enum EventOrdering: String, Sendable, Hashable, CaseIterable {
    /// Those of one key; different keys side by side.
    case byKey
    /// All of them.
    case byPartition
    /// None: also the events of one key side by side.
    case none
}

/// Whether the order holds through the retry topic.
public enum RetryOrdering: String, Sendable, Hashable, CaseIterable {
    /// While an event waits in the retry topic, later ones of its key follow it there: none of them is tried before the
    /// earlier one has succeeded or is dead-lettered.
    case strict
    /// Later events of its key go on meanwhile.
    case relaxed
}

/// The order, bounds and times of a service's engine.
///
/// The defaults suit most services.
public struct EngineSettings: Sendable, Hashable {
    /// Which records of a partition are handled one after the other.
    public var ordering = EventOrdering.byKey
    /// Whether that order holds through the retry topic.
    public var retryOrdering = RetryOrdering.strict
    /// How many handlers may be under way at once, suspended ones included.
    public var maxConcurrentHandlers = 256
    /// How many records may be taken from the input topics and not be done.
    ///
    /// It bounds the rate: at 2,048 and acknowledgements after 10 ms, 200,000 records a second. More than a broker needs
    /// costs CPU (see `docs/performance.md`).
    public var maxRecordsInFlight = 2_048
    /// How many records may be taken from the retry topics and not be done; most of them wait for their time.
    public var maxRetriesInFlight = 16_384
    /// How many bytes of records may be taken from the input topics and not be done; the retry topics have as many.
    public var maxBytesInFlight = 128 << 20
    /// How many bytes of follow-on events may be published and not be acknowledged before no further handler starts.
    ///
    /// Handlers under way then may still add theirs.
    public var maxBytesUnacknowledged = 64 << 20
    /// How many records librdkafka may fetch ahead of the engine, over all partitions of the input topics; divided by
    /// their number, and at least 1,000 and at most 100,000 for one.
    ///
    /// Librdkafka before 2.2 waits a second before it fetches again for a partition that has its share: what is fetched
    /// ahead must last that long, so this bounds the rate of catching up, to about as many records a second.
    /// `queued.min.messages`, where it is set, goes over this.
    public var maxRecordsPrefetched = 256_000
    /// How many bytes of records librdkafka may fetch ahead of the engine, over all partitions of the input and retry
    /// topics; divided by their number, and at least 1 MiB and at most 64 MiB for one.
    ///
    /// `queued.max.messages.kbytes`, where it is set, goes over this.
    public var maxBytesPrefetched = 256 << 20
    /// How many records of one partition of an input topic may be taken and not be done, at most 16,384.
    ///
    /// Half of ``maxRecordsInFlight`` by default, so that one partition that does not get on leaves room for the others.
    public var maxRecordsInFlightPerPartition = 1_024
    /// How often offsets are committed while there is something to commit.
    public var commitInterval: Duration = .milliseconds(100)
    /// How many records one transaction of an exactly-once service may publish before it is committed.
    public var maxRecordsPerTransaction = 10_000
    /// How soon after a commit an exactly-once service commits again when it has nothing else to do.
    ///
    /// Readers of committed records see an event when its transaction is committed: with little traffic this, and not
    /// `commitInterval`, is what they wait for.
    public var idleCommitInterval: Duration = .milliseconds(10)
    /// How long handlers under way may take when partitions are given up or the service stops.
    public var drainTimeout: Duration = .seconds(10)
    /// How long leaving the group and the last acknowledgements may take when the service stops.
    public var closeTimeout: Duration = .seconds(10)
    /// How long a handler may run before the watchdog names it.
    public var slowHandlerThreshold: Duration = .seconds(10)

    /// How long the broker lets a transaction be open; the calls about it take a little longer at most.
    var transactionTimeout: Duration = .seconds(10)
    /// How long commits pause when one was refused because a rebalance is under way; the rebalance itself ends it.
    var rebalanceCommitPause: Duration = .seconds(5)

    /// Creates the default settings.
    public init() {}

    /// How far librdkafka may fetch ahead: for each of the input topics' partitions, of which there are `partitions`.
    ///
    /// This instance may come to own all of them. The bytes are shared with the retry topics, which have as many.
    func prefetch(partitions: Int) -> (records: Int, bytes: Int) {
        let partitions = max(partitions, 1)
        return (
            min(max(maxRecordsPrefetched / partitions, 1_000), 100_000),
            min(max(maxBytesPrefetched / (partitions * 2), 1 << 20), 64 << 20)
        )
    }
}
