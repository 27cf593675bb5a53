// One service of a simulation: its partitions, its lanes and what it has committed.

import KafkaClient
import Troupe

/// One service of a simulation.
///
/// It does with records what the engine does, without a broker.
struct SimulatedService {
    let processor: RecordProcessor
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
        gates = SimulatedGates(processor.routes)
        commitInterval = max(engine.commitInterval, .milliseconds(1))
        maxConcurrentHandlers = max(engine.maxConcurrentHandlers, 1)
        partitions = (processor.inputTopics + processor.retryTopics).flatMap { topic in
            (0..<partitionCount).map { SimulatedPartition(place: TopicPartition(topic, $0)) }
        }
    }

    subscript(partition: Int) -> SimulatedPartition {
        get { partitions[partition] }
        set { partitions[partition] = newValue }
    }

    /// Commits what is done, contiguously.
    mutating func commit() {
        for index in partitions.indices { partitions[index].commit() }
    }
}

/// One partition as one service reads it.
struct SimulatedPartition {
    let place: TopicPartition
    /// The next offset to read.
    var next: Int64 = 0
    /// Every offset below it is committed.
    private(set) var committed: Int64 = 0
    /// Offsets from `committed` on that are done.
    private var done: Set<Int64> = []
    /// The lanes that have records, by key.
    var lanes: [LaneKey: Int] = [:]

    init(place: TopicPartition) { self.place = place }

    /// What chooses a record's lane: its key, or its offset when it has none.
    enum LaneKey: Hashable {
        case key([UInt8])
        case offset(Int64)

        init(_ record: KafkaRecord) {
            self = record.key.map { .key(Array($0)) } ?? .offset(record.offset)
        }
    }

    mutating func complete(_ offset: Int64) { done.insert(offset) }

    mutating func commit() {
        while done.remove(committed) != nil { committed += 1 }
    }

    /// Goes back to what is committed, as after a kill.
    ///
    /// Returns the offsets that will be read again.
    mutating func restart() -> Range<Int64> {
        let again = committed..<max(next, committed)
        next = committed
        done = []
        lanes = [:]
        return again
    }
}

/// The records of one key that a service has read and not done, in order.
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
    let key: SimulatedPartition.LaneKey
    var items: [Item] = []
}
