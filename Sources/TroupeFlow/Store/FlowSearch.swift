// How a list of flows is read: along one index, the last started first, and only so far in one go.

internal import SQLite

/// The way to a page of flows.
///
/// One condition is read along, by an index in the order of the flows' starts and ids; the others are looked at flow by flow.
/// Where that may be in vain, no more than `look` are looked at, so that no question costs more than another, however
/// large the store is.
struct FlowSearch {
    /// How many flows, or events of a type, or tasks of a service, one page looks at.
    static let look = 4_000

    /// What is read along.
    private enum Way {
        case all
        case subject(String)
        /// The few flows that a text may mean.
        case text
        case statuses
        case type(String)
        case service(String)
    }

    private let query: FlowQuery
    private let look: Int
    private let way: Way
    /// The text that is searched for, unless there is none.
    private let text: String?
    /// Whether more subjects begin with the text than are looked at in one go.
    private let isTextCommon: Bool

    /// Finds the way: along the condition that the fewest flows fulfil, as far as that is known.
    init(_ query: FlowQuery, look: Int, _ connection: borrowing Connection) throws {
        self.query = query
        self.look = look
        text = query.text.flatMap { $0.isEmpty ? nil : $0 }
        isTextCommon = try text.map { try connection.subjects(beginningWith: $0, upTo: look + 1) > look } ?? false
        if let subject = query.subject {
            way = .subject(subject)
        } else if text != nil, !isTextCommon {
            way = .text
        } else if !query.statuses.isEmpty, try connection.flows(with: query.statuses) <= look {
            way = .statuses
        } else if let type = query.type {
            way = .type(type)
        } else if let service = query.service {
            way = .service(service)
        } else {
            way = query.statuses.isEmpty ? .all : .statuses
        }
    }

    private struct Condition {
        var sql: String
        var values: [Value]
    }

    /// The conditions that are read along: each by itself in the list's order, and no flow fulfils two of them.
    private var leading: [Condition?] {
        switch way {
        case .all: [nil]
        case .subject(let subject): [Condition(sql: "flow.subject = ?", values: [.text(subject)])]
        case .text: [isMeant("flow.number")]
        case .statuses: statuses.map { Condition(sql: "flow.status = ?", values: [$0]) }
        case .type(let type): [Condition(sql: "flow_of_type.type = ?", values: [.text(type)])]
        case .service(let service): [Condition(sql: "flow_of_service.service = ?", values: [.text(service)])]
        }
    }

    /// The table that is read along.
    private var table: String {
        switch way {
        case .type: "flow_of_type"
        case .service: "flow_of_service"
        default: "flow"
        }
    }

    private var started: String { column("started") }
    private var id: String { column("id") }

    /// A column by which the list is ordered.
    private func column(_ name: String) -> String {
        // The few flows that a text means are sorted.
        if case .text = way { "+flow.\(name)" } else { "\(table).\(name)" }
    }

    private var statuses: [Value] { query.statuses.map(\.rawValue).sorted().map { .text($0) } }

    /// The conditions that are looked at flow by flow; a plus sign keeps SQLite from reading along them.
    private var others: [Condition] {
        var conditions: [Condition] = []
        if let text {
            if isTextCommon {
                let meant = Self.isNamed(text)
                conditions.append(
                    Condition(
                        sql: "(+flow.subject >= ? AND +flow.subject < ? OR \(meant.sql))",
                        values: Self.bounds(text) + meant.values))
            } else if case .text = way {
            } else if let meant = isMeant("+flow.number") {
                conditions.append(meant)
            }
        }
        if case .statuses = way {
        } else if !query.statuses.isEmpty {
            let places = statuses.map { _ in "?" }.joined(separator: ", ")
            conditions.append(Condition(sql: "+flow.status IN (\(places))", values: statuses))
        }
        if case .type = way {
        } else if let type = query.type {
            conditions.append(isListed("flow_of_type", "type", type))
        }
        if case .service = way {
        } else if let service = query.service {
            conditions.append(isListed("flow_of_service", "service", service))
        }
        return conditions
    }

    /// That the flow is found under a type or a service, which is one look into the table.
    private func isListed(_ listing: String, _ column: String, _ value: String) -> Condition {
        Condition(
            sql: """
                EXISTS (SELECT 1 FROM \(listing) AS listed WHERE listed.\(column) = ?
                    AND listed.started = \(started) AND listed.id = \(id))
                """, values: [.text(value)])
    }

    /// The flows that a text may mean, by an id or by the beginning of their subject.
    private func isMeant(_ column: String) -> Condition? {
        guard let text else { return nil }
        return Condition(
            sql: """
                \(column) IN (SELECT number FROM flow WHERE id = ? UNION SELECT flow FROM event WHERE id = ?
                    UNION SELECT number FROM flow WHERE subject >= ? AND subject < ?)
                """, values: [.text(text), .text(text)] + Self.bounds(text))
    }

    /// The flow that a text names, by its own id or by an event's.
    private static func isNamed(_ text: String) -> Condition {
        Condition(
            sql: "+flow.number IN (SELECT number FROM flow WHERE id = ? UNION SELECT flow FROM event WHERE id = ?)",
            values: [.text(text), .text(text)])
    }

    /// Between what all continuations of a text are: the last character of Unicode stands behind them.
    private static func bounds(_ text: String) -> [Value] { [.text(text), .text(text + "\u{10FFFF}")] }

    /// The last flow that a page looks at; `nil` when it looks at all of them.
    func end(_ connection: borrowing Connection) throws -> FlowCursor? {
        // The few flows a text means are looked at in any case.
        if case .text = way { return nil }
        guard !others.isEmpty else { return nil }
        let (sql, values) = rows("\(started), \(id)", of: table, [beforeLast].compactMap(\.self))
        return try connection.first(
            sql + " LIMIT 1 OFFSET ?", arguments: values + [.integer(Int64(look - 1))]
        ) { FlowCursor(startedAt: try $0.get(0), id: try $0.get(1)) }
    }

    /// The statement that answers the query with at most `limit` rows, and its values.
    ///
    /// - Parameter end: The last flow that is looked at; `nil` for all.
    func statement(limit: Int, downTo end: FlowCursor? = nil) -> (sql: String, values: [Value]) {
        let source = table == "flow" ? table : "\(table) CROSS JOIN flow ON flow.number = \(table).flow"
        let bounds = [beforeLast, end.map { compared(">=", $0) }].compactMap(\.self)
        let (sql, values) = rows(FlowSummary.columns, of: source, bounds + others)
        return ("\(sql) LIMIT \(limit)", values)
    }

    /// A statement that reads along the leading conditions in the list's order, which merges them where they are several.
    private func rows(
        _ columns: String, of source: String, _ conditions: [Condition]
    ) -> (sql: String, values: [Value]) {
        let arms = leading.map { Self.joined([$0].compactMap(\.self) + conditions) }
        let sql = arms.map { "SELECT \(columns) FROM \(source) \($0.sql)" }.joined(separator: " UNION ALL ")
        return ("\(sql) ORDER BY \(started) DESC, \(id) DESC", arms.flatMap(\.values))
    }

    /// Where the page before ended.
    private var beforeLast: Condition? { query.after.map { compared("<", $0) } }

    private func compared(_ comparison: String, _ place: FlowCursor) -> Condition {
        Condition(
            sql: "(\(started), \(id)) \(comparison) (?, ?)", values: [.integer(place.startedAt), .text(place.id)])
    }

    private static func joined(_ conditions: [Condition]) -> (sql: String, values: [Value]) {
        (
            conditions.isEmpty ? "" : "WHERE " + conditions.map(\.sql).joined(separator: " AND "),
            conditions.flatMap(\.values)
        )
    }
}

extension Connection {
    /// How many flows have a subject that begins with a text, counted up to a limit.
    fileprivate func subjects(beginningWith text: String, upTo limit: Int) throws -> Int {
        try first(
            "SELECT COUNT(*) FROM (SELECT 1 FROM flow WHERE subject >= ? AND subject < ? LIMIT ?)", text,
            text + "\u{10FFFF}", limit
        ) { try $0.get(0) } ?? 0
    }

    /// How many flows have one of these statuses.
    fileprivate func flows(with statuses: Set<FlowStatus>) throws -> Int {
        try statuses.reduce(0) { sum, status in
            try sum + (first("SELECT flows FROM status_count WHERE status = ?", status.rawValue) { try $0.get(0) } ?? 0)
        }
    }
}
