// One service of a simulation: its partitions, its lanes and what it has committed.

import KafkaClient
import Troupe

/// One service of a simulation.
///
/// It does with records what the engine does, without a broker.
struct SimulatedService {
    let processor: RecordProcessor
    let engine: EngineSettings
    let commitInterval: Duration
    let maxConcurrentHandlers: Int
    /// Its partitions, in a fixed order.
    private(set) var partitions: [SimulatedPartition]
    /// How many handlers run.
    var running = 0
    /// Lanes that wait until fewer handlers run.
    var parked: [Int] = []
    /// The bounds of its routes.
    var gates: SimulatedGates
    /// Kills that were not asked for, since the last `advance`.
    var crashes = 0

    init(_ processor: RecordProcessor, engine: EngineSettings, partitionCount: Int32) {
        self.processor = processor
        self.engine = engine
        gates = SimulatedGates(processor.routes)
        commitInterval = max(engine.commitInterval, .milliseconds(1))
        maxConcurrentHandlers = max(engine.maxConcurrentHandlers, 1)
        // Inputs and retry topics are listed in the same order: a partition's retries lie as many places behind it.
        let count = processor.inputTopics.count * Int(partitionCount)
        partitions = (processor.inputTopics + processor.retryTopics).flatMap { topic in
            (0..<partitionCount).map { TopicPartition(topic, $0) }
        }
        .enumerated().map { SimulatedPartition(place: $1, retries: $0 < count ? $0 + count : nil) }
    }

    subscript(partition: Int) -> SimulatedPartition {
        get { partitions[partition] }
        set { partitions[partition] = newValue }
    }

    // MARK: Order

    /// The lane that a record belongs to.
    func laneHash(_ record: KafkaRecord) -> UInt64 {
        switch engine.ordering {
        case .byKey: KeyHash.of(record)
        case .byPartition: 0
        case .none: KeyHash.of(offset: record.offset)
        }
    }

    /// Whether later events follow `record` into the retry topic.
    func isOrdered(_ record: KafkaRecord) -> Bool {
        guard engine.retryOrdering == .strict else { return false }
        switch engine.ordering {
        case .byKey: return record.key != nil
        case .byPartition: return true
        case .none: return false
        }
    }

    /// Commits what is done, and what was done out of order.
    ///
    /// Returns the partitions whose marks that lifted.
    mutating func commit() -> [Int] {
        for index in partitions.indices { partitions[index].commit() }
        return partitions.indices.filter { index in
            guard let retries = partitions[index].retries else { return false }
            return partitions[index].marks.lift(by: partitions[retries].committed)
        }
    }

    /// Goes back to what is committed, as after a kill.
    ///
    /// Keys that have events waiting in the retry topic are marked, as by a new owner.
    ///
    /// - Parameter topics: The topics, to look at what waits.
    /// - Returns: The offsets that will be handled again, by partition.
    mutating func restart(_ topics: SimulatedTopics) -> [[Int64]] {
        running = 0
        parked = []
        gates.reset()
        let again = partitions.indices.map { partitions[$0].restart() }
        for index in partitions.indices {
            guard let retries = partitions[index].retries else { continue }
            let committed = partitions[retries].committed
            let place = partitions[retries].place
            for offset in committed.base..<max(topics.end(of: place), committed.base) where !committed.covers(offset) {
                guard let record = topics.record(place, offset), isOrdered(record) else { continue }
                partitions[index].marks.found(laneHash(record), at: offset)
            }
        }
        return again
    }
}

/// One partition as one service reads it.
struct SimulatedPartition {
    let place: TopicPartition
    /// The place among the service's partitions of the one its retries wait in; `nil` for one of a retry topic.
    let retries: Int?
    /// What is done.
    private(set) var ledger = OffsetLedger(LedgerSnapshot(base: 0))
    /// What of that is committed.
    private(set) var committed = LedgerSnapshot(base: 0)
    /// The keys that have events waiting in the retry topic.
    var marks = KeyMarks()
    /// The lanes that have records, by the hash of their key.
    var lanes: [UInt64: Int] = [:]
    /// Lanes whose first record should follow and does not fit into the retry topic: they wait for the mark to lift.
    var stranded: [Int] = []

    init(place: TopicPartition, retries: Int?) {
        self.place = place
        self.retries = retries
    }

    /// The next offset to read.
    var next: Int64 { ledger.next }
    /// Whether one more record may be read.
    var hasRoom: Bool { ledger.hasRoom(for: ledger.next) }

    /// Notes that the next record was read.
    ///
    /// Returns whether it is to be handled: it was not done before a kill already.
    mutating func take() -> Bool {
        if case .taken = ledger.take(ledger.next) { true } else { false }
    }

    mutating func complete(_ offset: Int64) { ledger.complete(offset) }

    mutating func commit() { committed = ledger.snapshot }

    /// Goes back to what is committed.
    ///
    /// Returns the offsets that will be handled again.
    mutating func restart() -> [Int64] {
        let again = (committed.base..<max(next, committed.base)).filter { !committed.covers($0) }
        ledger = OffsetLedger(committed)
        marks = KeyMarks()
        lanes = [:]
        stranded = []
        return again
    }
}

/// The records of one lane that a service has read and not done, in order.
struct SimulatedLane {
    enum Work {
        case handle(Handling)
        case deadLetter(RecordFailure)
    }

    struct Item {
        let record: KafkaRecord
        let work: Work
        var attempt = 1
        var firstFailedAt: Int64?
        /// Milliseconds since 1970.
        var notBefore: Int64?
    }

    let service: Int
    let partition: Int
    /// The hash of the key.
    let hash: UInt64
    var items: [Item] = []
}
