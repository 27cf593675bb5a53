// Every row of a store as text, to show that two stores hold the same.

internal import SQLite

extension FlowStore {
    /// Every row of the store, sorted, without what depends on the order of reading or on the broker's momentary lag.
    ///
    /// Two stores that have read the same records and were judged at the same moment give the same lines.
    package func allRows() throws -> [String] {
        try reader.transaction(.deferred) { connection in
            var lines: [String] = []
            for (table, columns) in Self.comparedTables {
                let join = table == "flow" || !columns.contains("flow.id") ? "" : "JOIN flow ON flow.number = x.flow"
                try connection.query("SELECT \(columns) FROM \(table) x \(join)") { row in
                    var cells: [String] = [table]
                    for index in 0..<row.columnCount { cells.append("\(try row.get(index, as: Value.self))") }
                    lines.append(cells.joined(separator: " | "))
                }
            }
            return lines.sorted()
        }
    }

    private static let comparedTables = [
        ("flow", "x.id, subject, type, status, started, ended, updated, events, next_owed"),
        (
            "event",
            """
            flow.id, x.id, x.type, source, topic, partition, offset, time, x.subject, cause, tombstone
            """
        ),
        ("payload", "flow.id, event, content_type, size, bytes"),
        (
            "message",
            """
            flow.id, event, service, replays, attempt, x.status, x.type, topic, partition, offset, instance, time,
            microseconds, not_before, error_type, error_message, published, sent_to
            """
        ),
        ("task", "flow.id, service, input, x.status, attempts, output, owed, x.started, x.ended, failed"),
        ("flow_of_type", "flow.id, x.id, x.type, x.started"),
        ("flow_of_service", "flow.id, x.id, service, x.started"),
        ("(SELECT * FROM edge WHERE count > 0)", "publisher, type, consumer, count, failures, last"),
        ("declaration", "service, fingerprint, version, last_seen, json"),
        ("service", "name, instance, version, endpoint, last_seen, json"),
        ("route", "service, type, since"),
        ("position", "topic, partition, next"),
        ("(SELECT * FROM status_count WHERE flows <> 0)", "status, flows"),
    ]
}
