// Records as services would have written them, and a store's worth of flows made of a seed.

import EventJSON
import Foundation
import KafkaClient
import SQLite
import Troupe

@testable import TroupeFlow

/// A log of partitions that hands out offsets.
struct Log {
    /// What stands before the names of topics and groups.
    var namespace = ""
    private(set) var records: [KafkaRecord] = []
    private var next: [TopicPartition: Int64] = [:]

    init(namespace: String = "") { self.namespace = namespace }

    mutating func append(
        _ topic: String, _ partition: Int32, key: String? = nil, value: [UInt8]?, headers: [(String, String)] = [],
        at time: Int64
    ) {
        let place = TopicPartition(namespace + topic, partition)
        records.append(
            KafkaRecord(
                topic: place.topic, partition: partition, offset: next[place, default: 0],
                timestamp: KafkaTimestamp(milliseconds: time), key: key.map { Array($0.utf8) }, value: value,
                headers: headers.map { KafkaHeader($0.0, $0.1) }))
        next[place, default: 0] += 1
    }

    mutating func declare(_ declaration: ServiceDeclaration, at time: Int64 = 0, fingerprint: String = "v1") throws {
        // As services do, it names topics and groups as the broker knows them.
        var declaration = declaration
        if !declaration.group.isEmpty { declaration.group = namespace + declaration.group }
        declaration.routes = declaration.routes.map { route in
            var route = route
            route.topic = namespace + route.topic
            return route
        }
        declaration.events = declaration.events.map { event in
            var event = event
            event.topic = namespace + event.topic
            return event
        }
        append(
            "troupe.services", 0,
            key: RegistryKey.declaration(service: declaration.service, fingerprint: fingerprint).text,
            value: try EventJSONEncoder().encode(declaration), at: time)
    }

    mutating func beat(_ heartbeat: InstanceHeartbeat) throws {
        var heartbeat = heartbeat
        heartbeat.assignment = Dictionary(
            uniqueKeysWithValues: heartbeat.assignment.map { (namespace + $0.key, $0.value) })
        append(
            "troupe.services", 0,
            key: RegistryKey.instance(service: heartbeat.service, instance: heartbeat.instance).text,
            value: try EventJSONEncoder().encode(heartbeat), at: heartbeat.time)
    }

    mutating func publish(
        _ id: String, _ type: String, flow: String, at time: Int64, cause: String? = nil, partition: Int32 = 0,
        subject: String? = nil, value: [UInt8]? = Array("{}".utf8), by source: String = "/services/test"
    ) {
        var headers = [
            ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_source", source),
            ("ce_correlationid", flow), ("content-type", "application/json"),
        ]
        headers.append(("ce_time", RFC3339.text(milliseconds: time)))
        if let cause { headers.append(("ce_causationid", cause)) }
        if let subject { headers.append(("ce_subject", subject)) }
        append(Shop.topics[type] ?? "orders", partition, key: flow, value: value, headers: headers, at: time)
    }

    mutating func report(_ service: String, _ tasks: [TaskReport], partition: Int32 = 0, instance: String? = nil) throws
    {
        let tasks = tasks.map { task in
            var task = task
            task.topic = namespace + task.topic
            return task
        }
        let batch = TaskBatch(service: service, instance: instance ?? "\(service)-1", tasks: tasks)
        append(
            "troupe.tasks", partition, value: try EventJSONEncoder().encode(batch),
            at: tasks.first?.startedAt ?? 0)
    }
}

extension TaskReport {
    init(
        _ event: String, flow: String, type: String, at time: Int64, _ outcome: Outcome = .handled, attempt: Int = 1,
        replays: Int = 0, published: [String] = [], notBefore: Int64? = nil, failure: Failure? = nil,
        sentTo: String? = nil
    ) {
        self.init(
            event: event, flow: flow, type: type, topic: Shop.topics[type] ?? "orders", partition: 0, offset: 0,
            attempt: attempt, replays: replays, outcome: outcome, startedAt: time, microseconds: 1_500,
            published: published, notBefore: notBefore, failure: failure, sentTo: sentTo)
    }
}

/// Random numbers that a seed repeats (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Flows of the shop in every state, with repeated events and reports, over three partitions.
struct Traffic {
    private(set) var log: Log
    private var random: SeededGenerator

    /// The first flow begins a second after `start`, in milliseconds of the wall clock.
    ///
    /// A tracker that runs forgets what is of long ago, so what it reads starts now (`wallMilliseconds()`).
    init(flows: Int, seed: UInt64, namespace: String = "", startingAt start: Int64 = 0) throws {
        log = Log(namespace: namespace)
        random = SeededGenerator(seed: seed)
        // Not at 0, which the client takes for no time.
        for declaration in Shop.declarations { try log.declare(declaration, at: start + 1) }
        for service in ["inventory", "payments"] { try log.beat(Shop.heartbeat(service, at: start + 1)) }
        for number in 0..<flows { try addFlow(number, at: start + Int64(1_000 + number * 10)) }
    }

    private mutating func addFlow(_ number: Int, at start: Int64) throws {
        let flow = "flow-\(number)"
        let partition = Int32(number % 3)
        var time = start
        var event = "\(flow)-e1"
        var type = Shop.placed
        var cause: String?
        let stops = Int.random(in: 1...6, using: &random)
        for step in 1...stops {
            log.publish(
                event, type, flow: flow, at: time, cause: cause, partition: partition, subject: "order-\(number)",
                value: Array("{\"step\":\(step)}".utf8))
            if Int.random(in: 0..<10, using: &random) == 0 {
                log.publish(event, type, flow: flow, at: time + 1, cause: cause, partition: partition)
            }
            guard let (service, next) = handling(of: type), step < stops else { return }
            time += Int64.random(in: 1...50, using: &random)
            let follow = "\(flow)-e\(step + 1)"
            var reports: [TaskReport] = []
            let outcome = Int.random(in: 0..<12, using: &random)
            if outcome == 0 {
                try log.report(
                    service, [TaskReport(event, flow: flow, type: type, at: time, .deadLettered, attempt: 4)],
                    partition: Int32.random(in: 0..<3, using: &random))
                return
            }
            if outcome < 4 {
                reports.append(
                    TaskReport(
                        event, flow: flow, type: type, at: time, .redirected, notBefore: time + 100,
                        failure: .init(type: "Flaky", message: "try \(outcome)")))
                time += 100
            }
            reports.append(
                TaskReport(
                    event, flow: flow, type: type, at: time, attempt: reports.count + 1, published: [follow]))
            for report in reports {
                try log.report(service, [report], partition: Int32.random(in: 0..<3, using: &random))
                if Int.random(in: 0..<8, using: &random) == 0 {
                    // A crash: another instance did it again.
                    var again = report
                    again.startedAt += 7
                    try log.report(
                        service, [again], partition: Int32.random(in: 0..<3, using: &random), instance: "other")
                }
            }
            (cause, event, type) = (event, follow, next)
        }
    }

    private mutating func handling(of type: String) -> (service: String, next: String)? {
        switch type {
        case Shop.placed: ("inventory", Shop.reserved)
        case Shop.reserved: ("payments", Bool.random(using: &random) ? Shop.paid : Shop.declined)
        case Shop.paid: ("shipping", Shop.shipped)
        case Shop.declined: ("inventory", Shop.released)
        case Shop.released: ("shipping", Shop.cancelled)
        default: nil
        }
    }

    /// The records in another order, each partition's own order kept.
    func interleaved(seed: UInt64) -> [KafkaRecord] {
        var random = SeededGenerator(seed: seed)
        var partitions = Dictionary(grouping: log.records, by: \.topicPartition).sorted { $0.key < $1.key }
            .map { ArraySlice($0.value) }
        var result: [KafkaRecord] = []
        while !partitions.isEmpty {
            let index = Int.random(in: 0..<partitions.count, using: &random)
            let count = min(partitions[index].count, Int.random(in: 1...20, using: &random))
            result += partitions[index].prefix(count)
            partitions[index] = partitions[index].dropFirst(count)
            if partitions[index].isEmpty { partitions.remove(at: index) }
        }
        return result
    }
}

/// A directory of its own for a test, removed with it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let template = NSTemporaryDirectory() + "troupe-flow-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: template, withIntermediateDirectories: true)
        path = template
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var store: String { path + "/flows.sqlite" }
}

extension Connection {
    /// Makes the file what the version wrote that listed flows in the order of reading.
    func undoOrderOfLists() throws {
        try executeScript(
            """
            DROP TABLE flow_of_type;
            DROP TABLE flow_of_service;
            DROP INDEX flow_by_started;
            DROP INDEX flow_by_subject;
            DROP INDEX flow_by_status;
            CREATE INDEX flow_by_subject ON flow (subject) WHERE subject IS NOT NULL;
            CREATE INDEX flow_by_status ON flow (status);
            CREATE INDEX event_by_type ON event (type, flow);
            CREATE INDEX task_by_service ON task (service, flow);
            PRAGMA user_version = 5;
            """)
    }
}

extension FlowWriter {
    /// Judges everything that is to be judged at `now`.
    func settle(at now: Int64) throws { while try sweep(at: now, limit: 100) {} }
}
