// The rows that follow from a judgement: the flow's own and its tasks'.

internal import SQLite
internal import Troupe

/// What the row of a flow says of a judgement.
struct FlowRow: Equatable {
    var subject: String?
    var type: String?
    var status: String
    var started: Int64
    var ended: Int64?
    var updated: Int64
    var events: Int
    var nextOwed: Int64?

    init(_ judgement: FlowJudgement, events: Int) {
        subject = judgement.subject
        type = judgement.type
        status = judgement.status.rawValue
        started = judgement.startedAt
        ended = judgement.endedAt
        updated = judgement.updatedAt
        self.events = events
        nextOwed = judgement.nextOwedAt
    }

    fileprivate init(_ row: borrowing Row) throws {
        subject = try row.get(0)
        type = try row.get(1)
        status = try row.get(2)
        started = try row.get(3)
        ended = try row.get(4)
        updated = try row.get(5)
        events = try row.get(6)
        nextOwed = try row.get(7)
    }

    /// Whether lists have it at the same places as another.
    fileprivate func isListed(like other: FlowRow) -> Bool {
        (subject, type, status, started) == (other.subject, other.type, other.status, other.started)
    }

    fileprivate var values: [Value] {
        [
            subject.sqliteValue, type.sqliteValue, .text(status), .integer(started), ended.sqliteValue,
            .integer(updated), .integer(Int64(events)), nextOwed.sqliteValue,
        ]
    }
}

/// What the row of a task says of a step.
private struct TaskRow: Equatable {
    var status: String
    var attempts: Int
    var output: String
    var owed: Int64?
    var started: Int64?
    var ended: Int64?
    /// The edge it is counted in.
    var edge: Int64?
    var failed: Bool

    init(_ step: FlowStep, edge: Int64?) {
        status = step.status.rawValue
        attempts = step.attempts.count
        output = step.published.asLines
        owed = step.owedAt
        started = step.startedAt
        ended = step.endedAt
        self.edge = edge
        failed = step.hasFailed
    }

    init(_ row: borrowing Row) throws {
        status = try row.get(2)
        attempts = try row.get(3)
        output = try row.get(4)
        owed = try row.get(5)
        started = try row.get(6)
        ended = try row.get(7)
        edge = try row.get(8)
        failed = try row.get(9)
    }
}

extension FlowStep {
    /// Whether the service did anything with the event, as far as is known.
    fileprivate var isBegun: Bool { !attempts.isEmpty || status == .handled }

    /// Whether the service failed to handle the event, at first or for good.
    fileprivate var hasFailed: Bool {
        status == .deadLettered || status == .ignored || attempts.contains { $0.failure != nil }
    }
}

extension Connection {
    func flowRow(_ number: Int64) throws -> FlowRow? {
        try first(
            "SELECT subject, type, status, started, ended, updated, events, next_owed FROM flow WHERE number = ?",
            number
        ) { try FlowRow($0) }
    }

    func insert(_ row: FlowRow, id: String, number: Int64, change: Int64, readAt: Int64) throws {
        try execute(
            """
            INSERT INTO flow (subject, type, status, started, ended, updated, events, next_owed, change, id, number,
                read)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, arguments: row.values + [.integer(change), .text(id), .integer(number), .integer(readAt)])
    }

    /// Writes how a flow stands, and when something of it was read unless nothing was.
    func update(_ row: FlowRow, from stored: FlowRow, number: Int64, change: Int64, readAt: Int64?) throws {
        // SQLite writes an index anew when a column of it is set, to whatever value: mostly no list has to be.
        let isListed = row.isListed(like: stored)
        try execute(
            isListed ? Self.updateOfTheRest : Self.updateOfAll,
            arguments: Array(row.values.dropFirst(isListed ? 4 : 0))
                + [.integer(change), readAt.sqliteValue, .integer(number)])
    }

    private static let updateOfAll = updateOfFlow("subject = ?, type = ?, status = ?, started = ?,")
    private static let updateOfTheRest = updateOfFlow("")

    private static func updateOfFlow(_ listed: String) -> String {
        """
        UPDATE flow SET \(listed) ended = ?, updated = ?, events = ?, next_owed = ?, change = ?,
            read = COALESCE(?, read) WHERE number = ?
        """
    }

    /// Makes the task rows of a flow those of its steps, writing only what differs, counts them, and has the flow found
    /// under their services.
    func replaceTasks(
        of listing: FlowListing, isNew: Bool, _ steps: [FlowStep], _ events: [FlowEvent],
        counting edges: inout EdgeCounts
    ) throws {
        let flow = listing.number
        struct Key: Hashable {
            var service: String
            var input: String
        }
        var stored: [Key: TaskRow] = [:]
        if !isNew {
            try query(
                """
                SELECT service, input, status, attempts, output, owed, started, ended, edge, failed FROM task
                WHERE flow = ?
                """, flow
            ) { row in stored[Key(service: try row.get(0), input: try row.get(1))] = try TaskRow(row) }
        }
        let inputs = Dictionary(events.map { ($0.id, $0) }) { first, _ in first }
        for step in steps {
            let edge = try (step.isBegun ? inputs[step.event] : nil).map { event in
                try edges.number(
                    EdgeCounts.Key(publisher: event.source, type: event.type, consumer: step.service), self)
            }
            let row = TaskRow(step, edge: edge)
            let known = stored.removeValue(forKey: Key(service: step.service, input: step.event))
            if known == row { continue }
            if let known { edges.add(-1, failures: known.failed ? -1 : 0, to: known.edge) }
            edges.add(1, failures: row.failed ? 1 : 0, to: row.edge)
            try execute(
                """
                INSERT INTO task (flow, service, input, status, attempts, output, owed, started, ended, edge, failed)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET status = excluded.status, attempts = excluded.attempts,
                    output = excluded.output, owed = excluded.owed, started = excluded.started,
                    ended = excluded.ended, edge = excluded.edge, failed = excluded.failed
                """,
                arguments: [
                    .integer(flow), .text(step.service), .text(step.event), .text(row.status),
                    .integer(Int64(row.attempts)), .text(row.output), row.owed.sqliteValue, row.started.sqliteValue,
                    row.ended.sqliteValue, row.edge.sqliteValue, row.failed.sqliteValue,
                ])
            if known == nil { try list(listing, service: step.service) }
        }
        for (key, row) in stored {
            edges.add(-1, failures: row.failed ? -1 : 0, to: row.edge)
            try execute("DELETE FROM task WHERE flow = ? AND service = ? AND input = ?", flow, key.service, key.input)
        }
        guard !stored.isEmpty else { return }
        for service in Set(stored.keys.map(\.service)).subtracting(steps.map(\.service)) {
            try unlist(listing, service: service)
        }
    }
}
