// The rows by which a flow is found under its events' types and its tasks' services, in the order of lists.

internal import SQLite

/// A flow's place in lists.
struct FlowListing: Equatable {
    var number: Int64
    var id: String
    var started: Int64
}

extension Connection {
    /// Has the flow found under a type of its events.
    func list(_ flow: FlowListing, type: String) throws {
        try execute(
            "INSERT OR IGNORE INTO flow_of_type (type, started, id, flow) VALUES (?, ?, ?, ?)", type, flow.started,
            flow.id, flow.number)
    }

    /// Has the flow found under a type no more, unless it still has an event of it.
    func unlist(_ flow: FlowListing, type: String) throws {
        try execute(
            """
            DELETE FROM flow_of_type WHERE type = ?1 AND started = ?2 AND id = ?3
                AND NOT EXISTS (SELECT 1 FROM event WHERE event.flow = ?4 AND event.type = ?1)
            """, type, flow.started, flow.id, flow.number)
    }

    /// Has the flow found under a service that has a task in it.
    func list(_ flow: FlowListing, service: String) throws {
        try execute(
            "INSERT OR IGNORE INTO flow_of_service (service, started, id, flow) VALUES (?, ?, ?, ?)", service,
            flow.started, flow.id, flow.number)
    }

    /// Has the flow found under a service no more.
    func unlist(_ flow: FlowListing, service: String) throws {
        try execute(
            "DELETE FROM flow_of_service WHERE service = ? AND started = ? AND id = ?", service, flow.started, flow.id)
    }

    /// Moves the flow to the place of its new start, in every list that it is found in.
    func move(_ flow: FlowListing, to started: Int64) throws {
        for (table, name, source) in [("flow_of_type", "type", "event"), ("flow_of_service", "service", "task")] {
            try execute(
                """
                UPDATE OR REPLACE \(table) SET started = ? WHERE \(name) IN (SELECT \(name) FROM \(source) WHERE flow = ?)
                    AND started = ? AND id = ?
                """, started, flow.number, flow.started, flow.id)
        }
    }

    /// Takes the flow out of every list, before its rows go.
    func unlist(_ flow: FlowListing) throws {
        for (table, name, source) in [("flow_of_type", "type", "event"), ("flow_of_service", "service", "task")] {
            try execute(
                """
                DELETE FROM \(table) WHERE \(name) IN (SELECT \(name) FROM \(source) WHERE flow = ?)
                    AND started = ? AND id = ?
                """, flow.number, flow.started, flow.id)
        }
    }
}
