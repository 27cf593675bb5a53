// Who was seen to publish and handle what, counted over the flows that were read last.

internal import SQLite

/// Who was seen to publish and handle what.
public struct ObservedTraffic: Sendable, Hashable, Codable {
    /// How many flows were counted.
    public var flows: Int
    /// When the first of them began, in milliseconds since 1970; `nil` without flows.
    public var from: Int64?
    /// When something happened in one of them last, in milliseconds since 1970.
    public var until: Int64?
    /// What was seen.
    public var edges: [ObservedEdge]
}

extension FlowStore {
    /// Counts publications and handlings over the flows whose first record was read last.
    ///
    /// - Parameter flows: The most flows that are counted; the cost grows with it, not with the store.
    /// - Throws: `SQLiteError` when the file cannot be read.
    public func observedTraffic(flows: Int = 1_000) throws -> ObservedTraffic {
        try reader.transaction(.deferred) { connection in
            let newest = try connection.query("SELECT number FROM flow ORDER BY number DESC LIMIT ?", max(1, flows)) {
                try $0.get(0, as: Int64.self)
            }
            guard let first = newest.last else { return ObservedTraffic(flows: 0, edges: []) }
            let times = try connection.first("SELECT MIN(started), MAX(updated) FROM flow WHERE number >= ?", first) {
                (try $0.get(0, as: Int64?.self), try $0.get(1, as: Int64?.self))
            }
            var edges = try connection.query(
                "SELECT source, type, COUNT(*) FROM event WHERE flow >= ? GROUP BY source, type", first
            ) { row in
                ObservedEdge(
                    publisher: ObservedEdge.publisher(try row.get(0)), type: try row.get(1), count: try row.get(2))
            }
            edges += try connection.query(
                """
                SELECT event.source, event.type, message.service, COUNT(DISTINCT message.event),
                    COUNT(DISTINCT CASE WHEN message.error_type IS NOT NULL OR message.status = 'dead-lettered'
                        THEN message.event END)
                FROM message JOIN event ON event.flow = message.flow AND event.id = message.event
                WHERE message.flow >= ? GROUP BY event.source, event.type, message.service
                """, first
            ) { row in
                ObservedEdge(
                    publisher: ObservedEdge.publisher(try row.get(0)), type: try row.get(1), consumer: try row.get(2),
                    count: try row.get(3), failures: try row.get(4))
            }
            return ObservedTraffic(flows: newest.count, from: times?.0, until: times?.1, edges: edges)
        }
    }
}

extension ObservedEdge {
    /// The service that an event's source names; another source as it is.
    static func publisher(_ source: String) -> String { FlowEvent.service(ofSource: source) ?? source }
}
