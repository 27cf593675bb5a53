// A record between being taken and being done, and the partition it belongs to.

import KafkaClient

/// A record between being taken and being done.
struct InFlight: LaneWork {
    /// What is being done with a record.
    enum Stage {
        /// It waits in its lane for its turn.
        case queued
        /// It waits for its time: a retry's delay.
        case waiting
        /// It waits until its route lets it start: a bound, an open circuit or a rate limit.
        case gated
        /// Its route lets it start and keeps a place for it.
        case admitted
        /// Its handler is under way.
        case running
        /// It was handled; what it published is being acknowledged.
        case publishing
        /// It failed; its copy in the retry topic is being acknowledged.
        case redirecting
        /// It failed for good; its letter in the dead-letter topic is being acknowledged.
        case deadLettering
    }

    init() {
        serial = 0
        offset = -1
        byteCount = 0
    }

    init(_ partition: PartitionState, _ serial: UInt64, _ record: KafkaRecord, _ handling: Handling) {
        self.handling = handling
        self.partition = partition
        self.serial = serial
        offset = record.offset
        byteCount = record.byteCount
        attempt = handling.attempt
        firstFailedAt = handling.firstFailedAt
        notBefore = handling.notBefore ?? 0
        gate = handling.route.isGated ? Int32(truncatingIfNeeded: handling.route.index) : -1
    }

    init(_ partition: PartitionState, _ serial: UInt64, _ record: KafkaRecord, _ failure: RecordFailure) {
        exception = Exception(record, failure)
        self.partition = partition
        self.serial = serial
        offset = record.offset
        byteCount = record.byteCount
    }

    /// What is known of a record that a route handles; `nil` for one that is dead-lettered unhandled.
    var handling: Handling?
    /// The record alone, once it was handled: what was published for it may yet be refused.
    var handled: KafkaRecord?
    /// What is only known of few records.
    var exception: Exception?
    /// The partition it was taken from; none in a free node.
    var partition: PartitionState?
    /// Tells this record from an earlier one in the same node.
    var serial: UInt64
    var offset: Int64
    var byteCount: Int
    var stage = Stage.queued
    /// The index of its route when that route has bounds of its own, or -1.
    var gate: Int32 = -1
    /// Whether its redirect marks its key and is not acknowledged yet.
    var isMarking = false
    /// The attempt that is next or under way, from 1.
    var attempt = 1
    /// When the first handling failed, in milliseconds since 1970.
    var firstFailedAt: Int64?
    /// Not to be handled before this time, in milliseconds since 1970.
    var notBefore: Int64 = 0
    /// Records published for it that are not acknowledged yet.
    var pending = 0
    /// The bytes of what its handling published, while any of it is not acknowledged.
    var publishedBytes = 0
    /// How many of them wait to be handed to the producer.
    var unsent = 0
    /// When its handler started, in monotonic nanoseconds, as of the loop's last look at the clock.
    var startedAt: UInt64 = 0
    /// When the watchdog speaks of its handler next.
    var warnAt: UInt64 = 0

    /// Whether a handler or an acknowledgement is still to come for it.
    var isOutstanding: Bool {
        switch stage {
        case .queued, .waiting, .gated, .admitted: false
        case .running, .publishing, .redirecting, .deadLettering: true
        }
    }

    /// Whether all that was published for it is the producer's, and nothing but acknowledgements is to come.
    var isSent: Bool {
        switch stage {
        case .queued, .waiting, .gated, .admitted, .running: false
        case .publishing, .redirecting: unsent == 0 && exception == nil
        case .deadLettering: unsent == 0
        }
    }

    /// Whether what is done for it still counts: its partition is this instance's.
    var isOwned: Bool { partition?.isOwned ?? false }

    /// The record as it was read; `nil` in a free node.
    var record: KafkaRecord? { handling?.original ?? handled ?? exception?.record }

    // MARK: What happens to it

    /// Its handler starts.
    mutating func begin(at time: UInt64, slowAfter: UInt64) {
        stage = .running
        startedAt = time
        warnAt = time + slowAfter
    }

    /// Its handler has published so many records of so many bytes.
    mutating func published(_ count: Int, _ byteCount: Int) {
        stage = .publishing
        // Given up while it is in the processor's cache: thousands of records may wait for their acknowledgements.
        if let done = handling {
            handled = done.original
            handling = nil
        }
        pending = count
        publishedBytes = byteCount
    }

    /// It is done: its node is free, and not to be taken for it by a timer.
    mutating func clear() {
        handling = nil
        handled = nil
        exception = nil
        partition = nil
        serial = 0
        stage = .queued
    }

    /// What is only known of few records, kept apart so that the others stay small.
    final class Exception {
        let record: KafkaRecord
        /// Why nothing can handle the record, or why what was published for it can never be delivered.
        var failure: RecordFailure

        init(_ record: KafkaRecord, _ failure: RecordFailure) {
            self.record = record
            self.failure = failure
        }
    }
}

/// One partition while this instance owns it, and after that until nothing of it is outstanding.
final class PartitionState {
    /// Whether the partition is this instance's.
    enum Phase {
        /// It is, and what its last owner left is being read; nothing is taken before that.
        case loading
        /// It is, and records are taken.
        case active
        /// It is being given back: nothing more is taken, what is under way may finish.
        case draining
        /// It is not any more: nothing is committed.
        case gone
    }

    let id: Int32
    let topicPartition: TopicPartition
    /// Whether it belongs to a retry topic of this service.
    let isRetry: Bool
    /// The role of its topic.
    let role: TopicRole?
    /// `nil` once the partition is given up.
    var queue: PartitionQueue?
    var phase = Phase.loading
    // Touched for every record by the engine's thread alone: not checked for overlapping accesses.
    @exclusivity(unchecked) var ledger = OffsetLedger()
    /// Records taken and not done.
    @exclusivity(unchecked) var open = 0
    /// The offset of the first record that was read; -1 before.
    @exclusivity(unchecked) var start: Int64 = -1
    /// Where reading goes back to when it is taken over and nothing is committed; `nil` where it need not go back.
    var rewindsTo: Int64?
    /// The last transaction that records of it were published in.
    @exclusivity(unchecked) var lastTransaction = 0
    /// What is committed, as far as this instance knows.
    private(set) var committed = LedgerSnapshot(base: -1)
    private var committedRevision: UInt64 = 0
    private var committing: (snapshot: LedgerSnapshot, revision: UInt64)?
    /// Whether the broker refused a commit's metadata: the base alone is committed from then on.
    var commitsBaseOnly = false
    /// A record that was read when the ledger had no room for it.
    var deferred: KafkaRecord?
    /// A record that was read when its route might hold no more of them, and the lane it belongs to.
    var heldBack: (item: InFlight, hash: UInt64)?
    /// The keys that have events waiting in the retry topic.
    @exclusivity(unchecked) var marks = KeyMarks()
    /// The partition of the retry topic that its events wait in; `nil` for a partition of a retry topic.
    let retryPartition: TopicPartition?
    /// Records whose key is marked and that do not fit into the retry topic: they wait in place for the mark to lift.
    var stranded: [(node: Int32, serial: UInt64)] = []

    init(id: Int32, queue: PartitionQueue, role: TopicRole?, retryPartition: TopicPartition?) {
        self.id = id
        self.queue = queue
        self.role = role
        isRetry = role?.isRetryTopic ?? false
        topicPartition = queue.topicPartition
        self.retryPartition = retryPartition
    }

    /// Whether what is done for a record of this partition still counts.
    var isOwned: Bool { phase != .gone }

    // MARK: Committing

    /// Begins with what the last owner committed.
    func restore(_ snapshot: LedgerSnapshot) {
        committed = snapshot
        ledger = snapshot.base >= 0 ? OffsetLedger(snapshot) : OffsetLedger()
        committedRevision = ledger.revision
    }

    /// Whether more is done than is committed.
    var needsCommit: Bool {
        guard !ledger.isEmpty, ledger.revision != committedRevision else { return false }
        return !commitsBaseOnly || ledger.base != committed.base
    }

    /// What is done now, to be committed; `commitEnded` says what became of it.
    ///
    /// - Parameter sent: Offsets that count as done too, because what they led to is part of the same transaction.
    func beginCommit(including sent: [Int64] = []) -> CommittedOffset {
        var ledger = ledger
        for offset in sent { ledger.complete(offset) }
        let snapshot = commitsBaseOnly ? LedgerSnapshot(base: ledger.base) : ledger.snapshot
        committing = (snapshot, self.ledger.revision)
        return CommittedOffset(topicPartition, offset: snapshot.base, metadata: snapshot.metadata)
    }

    /// Whether a commit was begun and has not ended.
    var isCommitting: Bool { committing != nil }

    /// The commit begun last ended.
    ///
    /// Returns whether it was this partition's.
    @discardableResult
    func commitEnded(succeeded: Bool) -> Bool {
        guard let commit = committing else { return false }
        committing = nil
        guard succeeded else { return true }
        (committed, committedRevision) = commit
        // In a transaction acknowledgements come between the commit's beginning and its end.
        if ledger.revision != committedRevision, ledger.snapshot == committed { committedRevision = ledger.revision }
        return true
    }
}
