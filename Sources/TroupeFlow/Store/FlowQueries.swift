// What can be asked of the flow store. All times are milliseconds since 1970.

internal import EventJSON
internal import SQLite
public import Troupe

extension FlowStore {
    /// A page of flows that fulfil every condition of `query`, the ones that started last first.
    ///
    /// It looks through a bounded number of flows: where only a few of many fulfil the conditions together, a page has
    /// fewer flows than asked for, or none, and still a `next`.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func flows(_ query: FlowQuery = FlowQuery()) throws -> FlowPage {
        try flows(query, look: FlowSearch.look)
    }

    func flows(_ query: FlowQuery, look: Int) throws -> FlowPage {
        let limit = min(max(query.limit, 1), 1_000)
        return try reader.transaction(.deferred) { connection in
            let search = try FlowSearch(query, look: look, connection)
            let end = try search.end(connection)
            let (sql, values) = search.statement(limit: limit + 1, downTo: end)
            let flows = try connection.query(sql, arguments: values) { try FlowSummary($0, from: 0) }
            return FlowPage(
                flows: Array(flows.prefix(limit)),
                next: flows.count > limit
                    ? FlowCursor(startedAt: flows[limit - 1].startedAt, id: flows[limit - 1].id) : end)
        }
    }

    /// One flow with everything that is known of it; `nil` when there is none.
    ///
    /// - Parameters:
    ///   - id: The flow's id.
    ///   - now: The moment at which the flow is judged.
    ///   - limit: The most events, and the most attempts, that are read.
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func flow(_ id: String, at now: Int64, limit: Int = 10_000) throws -> FlowDetail? {
        try reader.transaction(.deferred) { connection in
            guard let number = try connection.flowNumber(id) else { return nil }
            let registry = try connection.registry()
            return try connection.detail(number, registry.judged(at: now), at: now, limit: limit)
        }
    }

    /// The id of the flow that an event belongs to; `nil` when the event is not known.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func flow(ofEvent id: String) throws -> String? {
        try reader.read { connection in
            try connection.first(
                "SELECT flow.id FROM event JOIN flow ON flow.number = event.flow WHERE event.id = ? LIMIT 1", id
            ) { try $0.get(0) }
        }
    }

    /// What an event of a flow carries, as far as it is kept; `nil` when the flow or the event is not known.
    ///
    /// The id of an event says which one only together with its source, so events of two flows may have the same.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func payload(ofEvent id: String, inFlow flow: String) throws -> StoredPayload? {
        try reader.read { connection in
            try connection.first(
                """
                SELECT bytes, content_type, size FROM flow JOIN payload ON payload.flow = flow.number
                WHERE flow.id = ? AND payload.event = ?
                """, flow, id
            ) { StoredPayload(bytes: try $0.get(0), contentType: try $0.get(1), byteCount: try $0.get(2)) }
        }
    }

    /// How many flows have each status; a status that none has is left out.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func counts() throws -> [FlowStatus: Int] {
        try reader.read { connection in
            let rows = try connection.query("SELECT status, flows FROM status_count WHERE flows > 0") {
                (FlowStatus(rawValue: try $0.get(0)), try $0.get(1, as: Int.self))
            }
            return rows.reduce(into: [:]) { counts, row in if let status = row.0 { counts[status] = row.1 } }
        }
    }

    /// The flows that changed after the change `number`, each as it is now, for live displays.
    ///
    /// Begin with `lastChange()`, and ask from the answer's `next` each time after.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func changes(since number: Int64, limit: Int = 200) throws -> FlowChanges {
        let flows = try reader.read { connection in
            try connection.query(
                "SELECT flow.number, \(FlowSummary.columns) FROM flow WHERE change > ? ORDER BY change LIMIT ?", number,
                max(1, limit)
            ) { try FlowSummary($0) }
        }
        return FlowChanges(flows: flows, next: flows.last?.change ?? number)
    }

    /// The number of the store's last change; 0 for an empty store.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func lastChange() throws -> Int64 {
        try reader.read { try $0.first("SELECT MAX(change) FROM flow") { try $0.get(0, as: Int64?.self) } ?? nil } ?? 0
    }

    /// The services of the registry by name, as they are at `now`.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func services(at now: Int64) throws -> [ServiceEntry] {
        try reader.transaction(.deferred) { try $0.registry() }.entries(at: now)
    }

    /// The declarations that hold at `now`, by service, version and group.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func declarations(at now: Int64) throws -> [ServiceDeclaration] {
        try services(at: now).currentDeclarations
    }

    /// The next offset to read of each partition.
    ///
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func positions() throws -> [StorePosition] { try reader.read { try $0.positions() } }
}

/// How far the store has read a partition.
public struct StorePosition: Sendable, Hashable, Codable {
    /// The topic.
    public var topic: String
    /// The partition.
    public var partition: Int32
    /// The offset of the next record to read.
    public var next: Int64

    /// Names a place.
    public init(topic: String, partition: Int32, next: Int64) {
        self.topic = topic
        self.partition = partition
        self.next = next
    }
}

extension FlowSummary {
    /// The columns that `init(_:from:)` reads, by default after the flow's number.
    static let columns = """
        flow.id, flow.subject, flow.type, flow.status, flow.started, flow.ended, flow.updated, flow.events, flow.change
        """

    init(_ row: borrowing Row, from first: Int = 1) throws {
        let status = try row.get(first + 3, as: String.self)
        self.init(
            id: try row.get(first), subject: try row.get(first + 1), type: try row.get(first + 2),
            status: FlowStatus(rawValue: status) ?? .running, startedAt: try row.get(first + 4),
            endedAt: try row.get(first + 5), updatedAt: try row.get(first + 6), eventCount: try row.get(first + 7),
            change: try row.get(first + 8))
    }
}
