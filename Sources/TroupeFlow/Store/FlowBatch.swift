// One transaction of the store's writer: rows of records first, then the flows they touch are judged.

internal import EventJSON
internal import KafkaClient
internal import SQLite
internal import Troupe

/// One transaction of the store's writer.
struct Batch {
    /// A flow that the batch touches.
    private struct Touched {
        var id: String
        var number: Int64
        /// Whether the store does not know it yet.
        var isNew: Bool
        /// How many events and attempts it had when it was judged last.
        var size: Int
        /// When it started, as far as the store knows.
        var started: Int64 = 0
        /// The types of the events that were added.
        var types: [String] = []
        /// The types that events had before they were read from an earlier place.
        var lostTypes: [String] = []

        mutating func add(_ type: String) { Self.insert(type, into: &types) }
        mutating func lose(_ type: String) { Self.insert(type, into: &lostTypes) }

        /// By bytes, as the store compares.
        private static func insert(_ type: String, into types: inout [String]) {
            if !types.contains(where: { $0.utf8.elementsEqual(type.utf8) }) { types.append(type) }
        }
    }

    /// Above how many events and attempts a flow is not judged with every batch, so that a huge flow does not cost more
    /// and more.
    private static let largeFlow = 1_000

    private(set) var applied = FlowWriter.Applied()
    /// Whether anything of the registry changed.
    private var hasNews = false
    private let topics: SystemTopics
    private var next: [TopicPartition: Int64] = [:]
    private var moved: Set<TopicPartition> = []
    private var touched: [FlowID: Touched] = [:]
    private var since: [ServiceRegistry.RouteKey: Int64] = [:]
    private var counts: [String: Int] = [:]
    private var edges = EdgeCounts()
    private var lastNumber: Int64
    private var lastChange: Int64

    init(_ connection: borrowing Connection, _ topics: SystemTopics) throws {
        self.topics = topics
        lastNumber = try connection.counter("flow")
        lastChange = try connection.counter("change")
        for position in try connection.positions() {
            next[TopicPartition(position.topic, position.partition)] = position.next
        }
    }

    // MARK: Records

    /// Takes a record unless it was taken before.
    mutating func take(_ record: KafkaRecord, _ connection: borrowing Connection) throws {
        let place = record.topicPartition
        guard record.offset >= next[place] ?? 0 else { return }
        next[place] = record.offset.addingSaturated(1)
        moved.insert(place)
        applied.records += 1
        switch Observation(record, topics) {
        case .event(let observed): try take(observed, connection)
        case .tasks(let batch, let isPartial):
            for task in batch.tasks { try take(task, of: batch, connection) }
            // What the others say is not known, which is not the same as that nothing was done.
            if isPartial { try noteUnreported(batch.service, until: max(0, record.timestamp.milliseconds), connection) }
        case .declaration(let service, let fingerprint, let declaration):
            try take(declaration, of: service, fingerprint, record, connection)
        case .instance(let service, let instance, let heartbeat):
            try take(heartbeat, of: service, instance, record, connection)
        case .nothing: break
        }
    }

    private mutating func take(_ observed: ObservedEvent, _ connection: borrowing Connection) throws {
        applied.events += 1
        let number = try touch(observed.flow, connection)
        let event = observed.event
        let changed = try write(event, of: number, observed.flow, connection)
        guard changed > 0 else { return }
        try connection.execute(
            """
            INSERT INTO payload (flow, event, content_type, size, bytes) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET content_type = excluded.content_type, size = excluded.size,
                bytes = excluded.bytes
            """,
            arguments: [
                .integer(number), .text(event.id), observed.contentType.sqliteValue,
                .integer(Int64(observed.byteCount)), observed.payload.sqliteValue,
            ])
    }

    private static let insertion = """
        INSERT INTO event (flow, id, type, source, topic, partition, offset, time, subject, cause, tombstone)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    private static let insertionUnlessKnown = insertion + " ON CONFLICT DO NOTHING"
    /// An event that was published twice keeps its first place, in an order that does not depend on reading.
    private static let insertionIfEarlier =
        insertion + """
             ON CONFLICT DO UPDATE SET type = excluded.type, source = excluded.source, topic = excluded.topic,
                partition = excluded.partition, offset = excluded.offset, time = excluded.time,
                subject = excluded.subject, cause = excluded.cause, tombstone = excluded.tombstone
            WHERE (excluded.topic, excluded.partition, excluded.offset) < (topic, partition, offset)
            """

    /// Writes the row of an event, and returns how many rows changed.
    private mutating func write(
        _ event: FlowEvent, of flow: Int64, _ id: String, _ connection: borrowing Connection
    ) throws -> Int {
        let publication = EdgeCounts.Key(publisher: event.source, type: event.type)
        try edges.note(publication, at: event.time, connection)
        let values: [Value] = [
            .integer(flow), .text(event.id), .text(event.type), .text(event.source), .text(event.topic),
            .integer(Int64(event.partition)), .integer(event.offset), .integer(event.time), event.subject.sqliteValue,
            event.causationID.sqliteValue, event.isTombstone.sqliteValue,
        ]
        if try connection.execute(Self.insertionUnlessKnown, arguments: values) > 0 {
            try edges.add(1, to: publication, connection)
            touched[FlowID(id)]?.add(event.type)
            return 1
        }
        let known = try connection.first("SELECT source, type FROM event WHERE flow = ? AND id = ?", flow, event.id) {
            EdgeCounts.Key(publisher: try $0.get(0), type: try $0.get(1))
        }
        let changed = try connection.execute(Self.insertionIfEarlier, arguments: values)
        if changed > 0, let known, known != publication {
            try edges.add(-1, to: known, connection)
            try edges.add(1, to: publication, connection)
            touched[FlowID(id)]?.add(event.type)
            touched[FlowID(id)]?.lose(known.type)
        }
        return changed
    }

    private mutating func take(
        _ task: TaskReport, of batch: TaskBatch, _ connection: borrowing Connection
    ) throws {
        // A record without an id is of no flow; what became of it stands in the dead-letter topic.
        guard !task.event.isEmpty, !task.flow.isEmpty else { return }
        // No event has such attributes, so nothing would ever join it.
        guard
            [task.event, task.flow, task.type, batch.service].allSatisfy({
                $0.utf8.count <= EventEnvelope.maxAttributeBytes
            })
        else { return }
        // No topic has a longer name.
        let sentTo = task.sentTo.flatMap { $0.utf8.count <= TopicName.maxLength ? $0 : nil }
        let number = try touch(task.flow, connection)
        try connection.execute(
            """
            INSERT INTO message (flow, event, service, replays, attempt, status, type, topic, partition, offset,
                instance, time, microseconds, not_before, error_type, error_message, published, sent_to)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET type = excluded.type, topic = excluded.topic, partition = excluded.partition,
                offset = excluded.offset, instance = excluded.instance, time = excluded.time,
                microseconds = excluded.microseconds, not_before = excluded.not_before,
                error_type = excluded.error_type, error_message = excluded.error_message,
                published = excluded.published, sent_to = excluded.sent_to
            WHERE (excluded.time, excluded.instance, excluded.microseconds) < (time, instance, microseconds)
            """,
            arguments: [
                .integer(number), .text(task.event), .text(batch.service), .integer(Int64(task.replays)),
                .integer(Int64(task.attempt)), .text(task.outcome.rawValue), .text(task.type), .text(task.topic),
                .integer(Int64(task.partition)), .integer(task.offset), .text(batch.instance),
                .integer(task.startedAt), .integer(task.microseconds), task.notBefore.sqliteValue,
                (task.failure?.type).sqliteValue, (task.failure?.message).sqliteValue,
                .text(task.published.asLines), sentTo.sqliteValue,
            ])
        note(batch.service, task.type, since: task.startedAt)
    }

    private mutating func take(
        _ declaration: ServiceDeclaration?, of service: String, _ fingerprint: String, _ record: KafkaRecord,
        _ connection: borrowing Connection
    ) throws {
        (applied.registryChanged, hasNews) = (true, true)
        guard let declaration else {
            try connection.execute(
                "DELETE FROM declaration WHERE service = ? AND fingerprint = ?", service, fingerprint)
            return
        }
        let time = max(0, record.timestamp.milliseconds)
        try connection.execute(
            """
            INSERT INTO declaration (service, fingerprint, version, last_seen, json) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET version = excluded.version, last_seen = excluded.last_seen, json = excluded.json
            """, service, fingerprint, declaration.version, time, record.value?.text ?? "")
        if declaration.reportsAttempts == false { try noteUnreported(service, until: time, connection) }
        for route in declaration.routes {
            for type in [route.type] + route.acceptedTypes { note(service, type, since: time) }
        }
    }

    private mutating func take(
        _ heartbeat: InstanceHeartbeat?, of service: String, _ instance: String, _ record: KafkaRecord,
        _ connection: borrowing Connection
    ) throws {
        hasNews = true
        guard let heartbeat else {
            try connection.execute("DELETE FROM service WHERE name = ? AND instance = ?", service, instance)
            return
        }
        if try connection.mayHaveLostReports(heartbeat) {
            try noteUnreported(service, until: heartbeat.time, connection)
        }
        try connection.execute(
            """
            INSERT INTO service (name, instance, version, endpoint, last_seen, json) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET version = excluded.version, endpoint = excluded.endpoint,
                last_seen = excluded.last_seen, json = excluded.json
            """, service, instance, heartbeat.version, heartbeat.endpoint, heartbeat.time, record.value?.text ?? "")
    }

    /// Notes that reports of a service's attempts may be missing up to a time, which counts to the end of its minute.
    ///
    /// Every flow is judged again when that moves, and it moves with each heartbeat while reports are lost.
    private mutating func noteUnreported(
        _ service: String, until time: Int64, _ connection: borrowing Connection
    ) throws {
        hasNews = true
        let minute: Int64 = 60_000
        try connection.execute(
            """
            INSERT INTO unreported (service, until) VALUES (?, ?)
            ON CONFLICT DO UPDATE SET until = MAX(until, excluded.until)
            """, service, time.addingSaturated(minute - 1) / minute * minute)
    }

    /// Notes that a service handled or declared a type at a time.
    private mutating func note(_ service: String, _ type: String, since time: Int64) {
        let key = ServiceRegistry.RouteKey(service: service, type: type)
        since[key] = min(since[key] ?? .max, time)
    }

    /// The number of a flow, which is judged at the end.
    private mutating func touch(_ id: String, _ connection: borrowing Connection) throws -> Int64 {
        if let known = touched[FlowID(id)] { return known.number }
        let known = try connection.first(
            """
            SELECT number, events + (SELECT COALESCE(SUM(attempts), 0) FROM task WHERE flow = number), started
            FROM flow WHERE id = ?
            """, id
        ) { row in
            Touched(id: id, number: try row.get(0), isNew: false, size: try row.get(1), started: try row.get(2))
        }
        if known == nil { lastNumber += 1 }
        let flow = known ?? Touched(id: id, number: lastNumber, isNew: true, size: 0)
        touched[FlowID(id)] = flow
        return flow.number
    }

    // MARK: The end

    /// Writes since when services are known to handle types; to be called before the registry is looked at.
    mutating func writeRoutes(_ connection: borrowing Connection) throws {
        for (key, time) in since {
            let changed = try connection.execute(
                """
                INSERT INTO route (service, type, since) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET since = excluded.since WHERE excluded.since < since
                """, key.service, key.type, time)
            if changed > 0 { hasNews = true }
        }
        if hasNews { try connection.addToCounter("registry", 1) }
    }

    /// Judges the flows that were touched and writes how far was read.
    mutating func finish(_ registry: JudgedRegistry, at now: Int64, _ connection: borrowing Connection) throws {
        for flow in touched.values.sorted(by: { $0.number < $1.number }) {
            if !flow.isNew, flow.size > Self.largeFlow {
                lastChange += 1
                // A millisecond of waiting for each event and attempt: at most a small share of the writer's time.
                try connection.execute(
                    """
                    UPDATE flow SET next_owed = MIN(COALESCE(next_owed, ?1), ?1), change = ?2, read = ?4
                    WHERE number = ?3
                    """, now.addingSaturated(Int64(flow.size)), lastChange, flow.number, now)
                try list(flow, startedAt: flow.started, connection)
            } else {
                try judge(flow, registry, at: now, connection)
            }
        }
        for place in moved {
            try connection.execute(
                """
                INSERT INTO position (topic, partition, next) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET next = excluded.next
                """, place.topic, Int(place.partition), next[place])
        }
        for (status, flows) in counts where flows != 0 {
            try connection.execute(
                """
                INSERT INTO status_count (status, flows) VALUES (?, ?)
                ON CONFLICT DO UPDATE SET flows = flows + excluded.flows
                """, status, flows)
        }
        try edges.write(connection)
        try connection.setCounter("flow", lastNumber)
        try connection.setCounter("change", lastChange)
    }

    /// Judges a flow again that nothing was read of.
    mutating func review(
        _ number: Int64, _ registry: JudgedRegistry, at now: Int64, _ connection: borrowing Connection
    ) throws {
        let flow = try connection.first("SELECT id, started FROM flow WHERE number = ?", number) { row in
            Touched(id: try row.get(0), number: number, isNew: false, size: 0, started: try row.get(1))
        }
        guard let flow else { return }
        try judge(flow, registry, at: now, connection)
    }

    /// Has a flow found under what its events are now, at the place of its start.
    private func list(_ flow: Touched, startedAt started: Int64, _ connection: borrowing Connection) throws {
        var listing = FlowListing(number: flow.number, id: flow.id, started: flow.started)
        if !flow.isNew, started != flow.started {
            for type in flow.lostTypes { try connection.unlist(listing, type: type) }
            try connection.move(listing, to: started)
        }
        listing.started = started
        for type in flow.types { try connection.list(listing, type: type) }
        for type in flow.lostTypes { try connection.unlist(listing, type: type) }
    }

    private mutating func judge(
        _ flow: Touched, _ registry: JudgedRegistry, at now: Int64, _ connection: borrowing Connection
    ) throws {
        let facts = try connection.facts(flow.number, id: flow.id, limit: Connection.maxFacts)
        let judgement = FlowJudgement(facts, registry, at: now)
        var row = FlowRow(judgement, events: facts.events.count)
        if facts.isTruncated { row.events = try connection.eventCount(flow.number) }
        let touched = self.touched[FlowID(flow.id)] != nil
        if flow.isNew {
            lastChange += 1
            try connection.insert(row, id: flow.id, number: flow.number, change: lastChange, readAt: now)
            counts[row.status, default: 0] += 1
        } else if let stored = try connection.flowRow(flow.number) {
            if stored != row || touched {
                lastChange += 1
                try connection.update(
                    row, from: stored, number: flow.number, change: lastChange, readAt: touched ? now : nil)
                counts[stored.status, default: 0] -= 1
                counts[row.status, default: 0] += 1
            }
        }
        try list(flow, startedAt: row.started, connection)
        try connection.replaceTasks(
            of: FlowListing(number: flow.number, id: flow.id, started: row.started), isNew: flow.isNew,
            judgement.steps, facts.events, counting: &edges)
    }
}

extension Connection {
    /// How many events a flow has.
    fileprivate func eventCount(_ flow: Int64) throws -> Int {
        try first("SELECT COUNT(*) FROM event WHERE flow = ?", flow) { try $0.get(0) } ?? 0
    }

    /// Whether an instance lost reports since it spoke last, or works by a declaration that says it makes none.
    fileprivate func mayHaveLostReports(_ heartbeat: InstanceHeartbeat) throws -> Bool {
        let decoder = EventJSONDecoder()
        if heartbeat.status.unreported > 0 {
            let last = try first(
                "SELECT json FROM service WHERE name = ? AND instance = ?", heartbeat.service, heartbeat.instance
            ) { row in
                try? decoder.decode(InstanceHeartbeat.self, from: Array(try row.get(0, as: String.self).utf8))
            }
            guard let last = last ?? nil, last.startedAt == heartbeat.startedAt,
                last.status.unreported >= heartbeat.status.unreported
            else { return true }
        }
        let declaration = try first(
            "SELECT json FROM declaration WHERE service = ? AND fingerprint = ?", heartbeat.service,
            heartbeat.declaration
        ) { row in
            try? decoder.decode(ServiceDeclaration.self, from: Array(try row.get(0, as: String.self).utf8))
        }
        return (declaration ?? nil)?.reportsAttempts == false
    }
}

extension [String] {
    /// Event ids as text, each followed by a line feed; ids have no control characters, as envelopes are checked.
    var asLines: String { map { $0 + "\n" }.joined() }
}
