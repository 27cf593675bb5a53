// Who published what and who handled it, counted as it is written, so that nobody has to count events later.

internal import SQLite

/// What one transaction changes in the counts of edges.
///
/// An edge is a kind of publication, by the events' source and type, or what one service made of it.
struct EdgeCounts {
    /// What is counted together.
    struct Key: Hashable {
        /// The events' source.
        var publisher: String
        var type: String
        /// The service that handled the events; empty for the publications themselves.
        var consumer = ""

        /// By their bytes, as the store compares them: Swift also takes texts for equal that Unicode does.
        static func == (a: Key, b: Key) -> Bool {
            a.publisher.utf8.elementsEqual(b.publisher.utf8) && a.type.utf8.elementsEqual(b.type.utf8)
                && a.consumer.utf8.elementsEqual(b.consumer.utf8)
        }
    }

    private struct Change {
        var count: Int64 = 0
        var failures: Int64 = 0
        var last: Int64?
    }

    /// The numbers of the edges that were asked for.
    private var numbers: [Key: Int64] = [:]
    private var changes: [Int64: Change] = [:]

    /// The number of an edge, which is made when it is missing.
    mutating func number(_ key: Key, _ connection: borrowing Connection) throws -> Int64 {
        if let number = numbers[key] { return number }
        let known = try connection.first(
            "SELECT number FROM edge WHERE publisher = ? AND type = ? AND consumer = ?", key.publisher, key.type,
            key.consumer
        ) { try $0.get(0, as: Int64.self) }
        if let known {
            numbers[key] = known
            return known
        }
        try connection.execute(
            "INSERT INTO edge (publisher, type, consumer, count, failures) VALUES (?, ?, ?, 0, 0)", key.publisher,
            key.type, key.consumer)
        let number = try connection.first("SELECT last_insert_rowid()") { try $0.get(0, as: Int64.self) } ?? 0
        numbers[key] = number
        return number
    }

    /// Notes when a publication happened; those that are no new event count as well.
    mutating func note(_ key: Key, at time: Int64, _ connection: borrowing Connection) throws {
        let number = try number(key, connection)
        let last = max(changes[number]?.last ?? time, time)
        changes[number, default: Change()].last = last
    }

    /// Counts events of a publication, or takes them back.
    mutating func add(_ count: Int64, to key: Key, _ connection: borrowing Connection) throws {
        add(count, to: try number(key, connection))
    }

    /// Counts events of an edge, or takes them back; of none when `number` is `nil`.
    mutating func add(_ count: Int64, failures: Int64 = 0, to number: Int64?) {
        guard let number else { return }
        changes[number, default: Change()].count += count
        changes[number, default: Change()].failures += failures
    }

    /// Takes back what the flow with this number counts for, before its rows go.
    mutating func remove(flow: Int64, _ connection: borrowing Connection) throws {
        let publications = try connection.query(
            "SELECT source, type, COUNT(*) FROM event WHERE flow = ? GROUP BY source, type", flow
        ) { (Key(publisher: try $0.get(0), type: try $0.get(1)), try $0.get(2, as: Int64.self)) }
        for (key, count) in publications { try add(-count, to: key, connection) }
        let handlings = try connection.query(
            "SELECT edge, COUNT(*), SUM(failed) FROM task WHERE flow = ? AND edge IS NOT NULL GROUP BY edge", flow
        ) { (try $0.get(0, as: Int64.self), try $0.get(1, as: Int64.self), try $0.get(2, as: Int64.self)) }
        for (number, count, failures) in handlings { add(-count, failures: -failures, to: number) }
    }

    /// Writes what changed.
    func write(_ connection: borrowing Connection) throws {
        for (number, change) in changes {
            try connection.execute(
                """
                UPDATE edge SET count = count + ?1, failures = failures + ?2,
                    last = CASE WHEN ?3 IS NULL THEN last ELSE MAX(COALESCE(last, ?3), ?3) END
                WHERE number = ?4
                """, change.count, change.failures, change.last, number)
        }
    }
}

extension FlowStore {
    /// Who published and handled what, as the flows show that the store holds; the edges with most events, at most `limit`.
    ///
    /// Each publisher and type has an edge without a consumer, which counts the publications, and one for each service
    /// that handled any. Publishers are services by their names; another source is named as its events name it.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func observedEdges(limit: Int = 10_000) throws -> [ObservedEdge] {
        let edges = try reader.read { connection in
            try connection.query(
                """
                SELECT publisher, type, consumer, count, failures, last FROM edge WHERE count > 0
                ORDER BY count DESC, publisher, type, consumer LIMIT ?
                """, max(0, limit)
            ) { row in
                let consumer: String = try row.get(2)
                return ObservedEdge(
                    publisher: ObservedEdge.publisher(try row.get(0)), type: try row.get(1),
                    consumer: consumer.isEmpty ? nil : consumer, count: try row.get(3), failures: try row.get(4),
                    lastPublishedAt: try row.get(5))
            }
        }
        return edges.sorted {
            ($0.publisher, $0.type, $0.consumer ?? "") < ($1.publisher, $1.type, $1.consumer ?? "")
        }
    }
}
