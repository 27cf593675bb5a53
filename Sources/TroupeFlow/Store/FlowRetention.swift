// Forgets old flows, a slice at a time, so that a store neither grows for ever nor stands still while it forgets.

internal import SQLite

/// What a store keeps.
public struct FlowRetention: Sendable, Hashable {
    /// How long a flow is kept after something of it was read last, in milliseconds; `nil` for ever.
    ///
    /// Open flows are forgotten as well: what nobody did in this time is not done any more.
    public var age: Int64?
    /// The size of the file, in bytes, above which the flows of which nothing was read the longest are forgotten; `nil` for none.
    public var bytes: Int64?
    /// How long an instance is remembered after its last heartbeat, in milliseconds.
    public var instanceAge: Int64
    /// How long a declaration holds after something was heard of it last, in milliseconds.
    ///
    /// As long as the topic `troupe.services` keeps it, so that a store knows the services that a new one would find.
    public var declarationAge: Int64

    /// Keeps all flows unless it is told what not to keep.
    public init(
        age: Int64? = nil, bytes: Int64? = nil, instanceAge: Int64 = 86_400_000,
        declarationAge: Int64 = 7 * 86_400_000
    ) {
        self.age = age
        self.bytes = bytes
        self.instanceAge = instanceAge
        self.declarationAge = declarationAge
    }
}

extension FlowWriter {
    /// Forgets at most `limit` flows that need not be kept.
    ///
    /// - Returns: How many flows were forgotten; go on while it is not 0, with other work between.
    /// - Throws: `SQLiteError`; then nothing was forgotten.
    @discardableResult
    public func forget(_ retention: FlowRetention, at now: Int64, limit: Int = 500) throws -> Int {
        let forgotten = try database.transaction { connection in
            if try connection.forgetServices(retention, at: now) { try connection.addToCounter("registry", 1) }
            let columns = "number, id, started, status"
            var flows: [(FlowListing, String)] = []
            func flow(_ row: borrowing Row) throws -> (FlowListing, String) {
                (FlowListing(number: try row.get(0), id: try row.get(1), started: try row.get(2)), try row.get(3))
            }
            if let age = retention.age {
                flows = try connection.query(
                    "SELECT \(columns) FROM flow WHERE read < ? ORDER BY read LIMIT ?",
                    now.subtractingSaturated(age), limit, row: flow)
            }
            if flows.isEmpty, let bytes = retention.bytes, try connection.usedBytes > bytes {
                flows = try connection.query("SELECT \(columns) FROM flow ORDER BY read LIMIT ?", limit, row: flow)
            }
            var edges = EdgeCounts()
            for (flow, status) in flows {
                try edges.remove(flow: flow.number, connection)
                try connection.unlist(flow)
                for table in ["event", "payload", "message", "task"] {
                    try connection.execute("DELETE FROM \(table) WHERE flow = ?", flow.number)
                }
                try connection.execute("DELETE FROM flow WHERE number = ?", flow.number)
                try connection.execute("UPDATE status_count SET flows = flows - 1 WHERE status = ?", status)
            }
            if !flows.isEmpty {
                try edges.write(connection)
                try connection.execute("DELETE FROM edge WHERE count = 0")
            }
            return flows.count
        }
        // What became free is given back a slice at a time, too.
        if forgotten > 0 { try database.read { try $0.executeScript("PRAGMA incremental_vacuum(1000)") } }
        return forgotten
    }
}

extension FlowStore {
    /// Forgets everything, also how far was read, so that a tracker reads every topic again.
    ///
    /// A tracker that writes the file meanwhile notices, and begins again as well.
    ///
    /// - Throws: `SQLiteError`; then nothing was forgotten.
    public func clear() throws {
        try writer.transaction { connection in
            // Without conditions and triggers SQLite drops all pages of a table at once. The number of the last change stays,
            // so that readers of changes go on.
            for table in [
                "flow", "event", "payload", "message", "task", "declaration", "service", "route", "lag", "position",
                "status_count", "edge", "unreported", "flow_of_type", "flow_of_service",
            ] { try connection.execute("DELETE FROM \(table)") }
            try connection.execute("DELETE FROM counter WHERE name NOT IN ('change', 'generation')")
            try connection.addToCounter("generation", 1)
            try connection.addToCounter("registry", 1)
        }
    }
}

extension Connection {
    /// How many bytes of the file are in use.
    fileprivate var usedBytes: Int64 {
        get throws {
            func number(_ pragma: String) throws -> Int64 {
                try first("PRAGMA \(pragma)") { try $0.get(0) } ?? 0
            }
            return (try number("page_count") - number("freelist_count")) * (try number("page_size"))
        }
    }
}
