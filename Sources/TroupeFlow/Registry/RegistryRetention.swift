// Forgets instances that fell silent, and what services declared that nobody runs any more.

internal import EventJSON
internal import SQLite
internal import Troupe

extension Connection {
    /// Forgets instances and declarations of which nothing was heard for long, and says whether there were any.
    func forgetServices(_ retention: FlowRetention, at now: Int64) throws -> Bool {
        let forgotten = try forgetInstances(before: now.subtractingSaturated(retention.instanceAge))
        let declarations = try forgetDeclarations(before: now.subtractingSaturated(retention.declarationAge))
        guard declarations else { return forgotten }
        try execute(
            """
            DELETE FROM lag WHERE service NOT IN (SELECT service FROM declaration)
                AND service NOT IN (SELECT name FROM service)
            """)
        return true
    }

    private func forgetInstances(before time: Int64) throws -> Bool {
        let silent = try heartbeats("WHERE last_seen < ?", time)
        // The declaration that an instance worked by was heard of when the instance spoke last.
        for heartbeat in silent {
            try execute(
                "UPDATE declaration SET last_seen = MAX(last_seen, ?) WHERE service = ? AND fingerprint = ?",
                heartbeat.time, heartbeat.service, heartbeat.declaration)
        }
        return try execute("DELETE FROM service WHERE last_seen < ?", time) > 0
    }

    private func forgetDeclarations(before time: Int64) throws -> Bool {
        let old = try query("SELECT service, fingerprint FROM declaration WHERE last_seen < ?", time) {
            (service: try $0.get(0, as: String.self), fingerprint: try $0.get(1, as: String.self))
        }
        if old.isEmpty { return false }
        let named = try heartbeats("WHERE last_seen >= ?", time).reduce(into: [:]) { named, heartbeat in
            named[heartbeat.service, default: Set<String>()].insert(heartbeat.declaration)
        }
        var forgotten = 0
        for entry in old where named[entry.service]?.contains(entry.fingerprint) != true {
            forgotten += try execute(
                "DELETE FROM declaration WHERE service = ? AND fingerprint = ?", entry.service, entry.fingerprint)
        }
        return forgotten > 0
    }

    /// What instances said last, as far as it can be read.
    private func heartbeats(_ condition: String, _ time: Int64) throws -> [InstanceHeartbeat] {
        try query("SELECT json FROM service \(condition)", time) { row in
            try? EventJSONDecoder().decode(
                InstanceHeartbeat.self, from: Array(try row.get(0, as: String.self).utf8))
        }.compactMap(\.self)
    }
}
