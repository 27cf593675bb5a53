// Takes records into the store, a batch in a transaction that also holds how far was read.

public import KafkaClient
internal import SQLite
internal import Troupe

/// Writes one flow store.
///
/// One owner at a time. Any number of writers may be opened upon one file: each batch looks up in its transaction how far
/// the store has read, so that a record is taken exactly once, whoever brings it.
public final class FlowWriter {
    /// What a batch did.
    public struct Applied: Sendable, Hashable {
        /// How many records were taken; the others had been taken before.
        public var records = 0
        /// How many of them were events.
        public var events = 0
        /// Whether a declaration came or went, and with it perhaps topics to read.
        public var registryChanged = false
    }

    /// The store began anew since the writer looked where it stands: what it was told to take has gaps before it.
    ///
    /// Ask `positions()` again, and read from there.
    public struct Outdated: Error, Sendable, Hashable {}

    let database: Database
    let topics: SystemTopics
    /// How often the store had begun anew when the writer looked last; `nil` before the first time.
    private var generation: Int64?
    /// The registry as of the last look, and the number of its state.
    private var registry: (state: Int64, told: ServiceRegistry, judged: JudgedRegistry)?
    private(set) var cache = RegistryCache()

    /// Writes `store`.
    ///
    /// - Parameter namespace: What stands before the names of topics.
    public init(_ store: FlowStore, namespace: String = "") {
        database = store.writer
        topics = SystemTopics(namespace: namespace)
    }

    /// The next offset to read of each partition.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func positions() throws -> [StorePosition] {
        let (positions, generation) = try database.transaction(.deferred) { connection in
            (try connection.positions(), try connection.counter("generation"))
        }
        self.generation = generation
        return positions
    }

    /// Takes records, each partition's in the order of their offsets, and judges the flows they touch.
    ///
    /// - Parameter now: The moment at which flows are judged, in milliseconds since 1970.
    /// - Throws: `Outdated` when the store, or a partition in it, began anew since the last look, or `SQLiteError`; then
    ///   nothing of the batch was taken.
    @discardableResult
    public func apply(_ records: [KafkaRecord], at now: Int64) throws -> Applied {
        guard !records.isEmpty else { return Applied() }
        do {
            return try database.transaction { connection in
                try requireGeneration(connection)
                var batch = try Batch(connection, topics)
                for record in records { try batch.take(record, connection) }
                try batch.writeRoutes(connection)
                try batch.finish(try refreshed(connection, at: now), at: now, connection)
                return batch.applied
            }
        } catch {
            registry = nil  // It may be of the transaction that was undone.
            throw error
        }
    }

    /// Judges flows whose status may have changed by time alone, or by a change of declarations, at most `limit`.
    ///
    /// - Returns: Whether there may be more of them now.
    /// - Throws: `Outdated` as `apply`, or `SQLiteError`; then nothing was changed.
    @discardableResult
    public func sweep(at now: Int64, limit: Int = 1_000) throws -> Bool {
        do {
            return try database.transaction { connection in
                try requireGeneration(connection)
                let registry = try refreshed(connection, at: now)
                var batch = try Batch(connection, topics)
                let due = try connection.query(
                    "SELECT number FROM flow WHERE next_owed <= ? ORDER BY next_owed LIMIT ?", now, limit
                ) { try $0.get(0, as: Int64.self) }
                var numbers = Set(due)
                var review = try Review(connection)
                if !review.isDone {
                    let slice = try review.take(limit) { above, through, limit in
                        try connection.query(
                            "SELECT number FROM flow WHERE number > ? AND number <= ? ORDER BY number DESC LIMIT ?",
                            above, through, limit
                        ) { try $0.get(0, as: Int64.self) }
                    }
                    numbers.formUnion(slice)
                    try review.write(connection)
                }
                for number in numbers.sorted() { try batch.review(number, registry, at: now, connection) }
                try batch.finish(registry, at: now, connection)
                return due.count == limit || !review.isDone
            }
        } catch {
            registry = nil
            throw error
        }
    }

    /// Takes a partition's records from the lowest offset on again, because its offsets begin anew.
    ///
    /// - Throws: `Outdated` as `apply`, or `SQLiteError`; then nothing has changed.
    public func startAnew(_ partition: TopicPartition) throws {
        let next = try database.transaction { connection in
            let generation = try requireGeneration(connection)
            try connection.execute(
                "DELETE FROM position WHERE topic = ? AND partition = ?", partition.topic, Int(partition.partition))
            try connection.addToCounter("generation", 1)
            return generation + 1
        }
        generation = next
    }

    /// Refuses to write into a store that has begun anew since the writer looked where it stands.
    ///
    /// Another process may have cleared it: what is read after the positions of before would leave a gap for good.
    @discardableResult
    private func requireGeneration(_ connection: borrowing Connection) throws -> Int64 {
        let current = try connection.counter("generation")
        if let generation, generation != current { throw Outdated() }
        generation = current
        return current
    }

    /// Notes what the broker says of the lag of a service's group.
    ///
    /// - Throws: `SQLiteError`.
    public func setLag(_ records: Int, of service: String, at now: Int64) throws {
        try database.transaction { connection in
            try connection.execute(
                """
                INSERT INTO lag (service, records, time) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET records = excluded.records, time = excluded.time
                """, service, records, now)
            try connection.addToCounter("registry", 1)
        }
    }

    /// The registry as it is at `now`.
    ///
    /// When what decides statuses changes, every flow is to be reviewed (`Review`), which `sweep` does in slices.
    private func refreshed(_ connection: borrowing Connection, at now: Int64) throws -> JudgedRegistry {
        let state = try connection.counter("registry")
        let told = try registry.flatMap { $0.state == state ? $0.told : nil } ?? connection.registry(&cache)
        let judged = told.judged(at: now)
        let decides = judged.digest
        if try connection.counter("duties") != decides {
            try connection.setCounter("duties", decides)
            let last = try connection.first("SELECT MAX(number) FROM flow") { try $0.get(0, as: Int64?.self) } ?? nil
            var review = try Review(connection)
            review.restart(from: last ?? 0)
            try review.write(connection)
        }
        registry = (state, told, judged)
        return judged
    }
}

extension Connection {
    /// A number of the store itself; 0 when it was never set.
    func counter(_ name: String) throws -> Int64 {
        try first("SELECT value FROM counter WHERE name = ?", name) { try $0.get(0) } ?? 0
    }

    func setCounter(_ name: String, _ value: Int64) throws {
        try execute(
            "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name,
            value)
    }

    func addToCounter(_ name: String, _ value: Int64) throws {
        try execute(
            "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            name, value)
    }
}
