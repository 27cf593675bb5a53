// Reads rows of the flow store into values.

internal import SQLite
import Troupe

extension Connection {
    /// The number of the flow with this id.
    func flowNumber(_ id: String) throws -> Int64? {
        try first("SELECT number FROM flow WHERE id = ?", id) { try $0.get(0) }
    }

    /// The most events, and the most attempts, of a flow that are judged: one id must not fill the memory.
    static var maxFacts: Int { 100_000 }

    /// What was read of a flow, at most `limit` events and `limit` attempts.
    func facts(_ number: Int64, id: String, limit: Int) throws -> FlowFacts {
        let limit = max(1, min(limit, Self.maxFacts))
        let events = try query(
            """
            SELECT id, type, source, topic, partition, offset, time, subject, cause, tombstone FROM event
            WHERE flow = ? LIMIT ?
            """, number, limit + 1
        ) { row in
            FlowEvent(
                id: try row.get(0), type: try row.get(1), source: try row.get(2), topic: try row.get(3),
                partition: try row.partition(4), offset: try row.get(5), time: try row.get(6), subject: try row.get(7),
                causationID: try row.get(8), isTombstone: try row.get(9))
        }
        let attempts = try query(
            """
            SELECT service, event, type, topic, partition, attempt, replays, instance, status, time, microseconds,
                not_before, error_type, error_message, published, sent_to FROM message WHERE flow = ? LIMIT ?
            """, number, limit + 1
        ) { row in
            let errorType: String? = try row.get(12)
            let errorMessage: String? = try row.get(13)
            return FlowFacts.Attempt(
                service: try row.get(0), event: try row.get(1), type: try row.get(2), topic: try row.get(3),
                partition: try row.partition(4),
                attempt: FlowAttempt(
                    number: try row.get(5), replays: try row.get(6), instance: try row.get(7),
                    outcome: TaskReport.Outcome(rawValue: try row.get(8)) ?? .handled, startedAt: try row.get(9),
                    microseconds: try row.get(10), notBefore: try row.get(11),
                    failure: errorType.map { TaskReport.Failure(type: $0, message: errorMessage ?? "") },
                    published: try row.lines(14), sentTo: try row.get(15)))
        }
        return FlowFacts(
            id: id, events: Array(events.prefix(limit)), attempts: Array(attempts.prefix(limit)),
            isTruncated: events.count > limit || attempts.count > limit)
    }

    /// One flow with everything that is known of it.
    func detail(_ number: Int64, _ registry: JudgedRegistry, at now: Int64, limit: Int) throws -> FlowDetail? {
        let known = try first("SELECT \(FlowSummary.columns) FROM flow WHERE number = ?", number) { row in
            try FlowSummary(row, from: 0)
        }
        guard let known else { return nil }
        let facts = try facts(number, id: known.id, limit: limit)
        var detail = FlowDetail(facts, registry, at: now, change: known.change, isTruncated: facts.isTruncated)
        if facts.isTruncated { detail.take(known) }
        return detail
    }

    /// The registry as it was told.
    func registry() throws -> ServiceRegistry {
        var cache = RegistryCache()
        return try registry(&cache)
    }

    /// The registry as it was told, decoding only what is not known yet.
    func registry(_ cache: inout RegistryCache) throws -> ServiceRegistry {
        var registry = ServiceRegistry()
        // What was stored was decoded once; a row of a newer version that cannot be is left out.
        try query("SELECT service, fingerprint, last_seen, json FROM declaration") { row in
            guard let declaration = cache.declarations.value(of: try row.get(3)) else { return }
            registry.declarations[try row.get(0), default: []].append(
                DeclarationEntry(
                    fingerprint: try row.get(1), declaration: declaration, lastSeen: try row.get(2)))
        }
        try query("SELECT name, json FROM service") { row in
            guard let heartbeat = cache.heartbeats.value(of: try row.get(1)) else { return }
            registry.heartbeats[try row.get(0), default: []].append(heartbeat)
        }
        cache.declarations.forgetUnused()
        cache.heartbeats.forgetUnused()
        try query("SELECT service, type, since FROM route") { row in
            let key = ServiceRegistry.RouteKey(service: try row.get(0), type: try row.get(1))
            registry.since[key] = try row.get(2)
        }
        try query("SELECT service, until FROM unreported") { registry.unreportedUntil[try $0.get(0)] = try $0.get(1) }
        try query("SELECT service, records FROM lag") { registry.lags[try $0.get(0)] = try $0.get(1, as: Int.self) }
        return registry
    }

    /// The next offset to read of each partition.
    func positions() throws -> [StorePosition] {
        try query("SELECT topic, partition, next FROM position ORDER BY topic, partition") { row in
            StorePosition(topic: try row.get(0), partition: try row.partition(1), next: try row.get(2))
        }
    }
}

extension Row {
    /// The number of a partition.
    func partition(_ index: Int) throws -> Int32 { Int32(truncatingIfNeeded: try get(index, as: Int64.self)) }

    /// Lines of text, each ended by a line feed.
    func lines(_ index: Int) throws -> [String] {
        try get(index, as: String.self).split(separator: "\n").map(String.init)
    }
}
