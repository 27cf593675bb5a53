// A tracker that is killed hard, again and again, under load: its store is the one that is built from scratch.

import EventJSON
import Foundation
import KafkaClient
import Testing
import Troupe
import TroupeFlow

@Suite struct KilledTrackerTests {
    /// How many times the tracker is killed; `TROUPE_TRACKER_KILLS` asks for more.
    private let kills = Int(ProcessInfo.processInfo.environment["TROUPE_TRACKER_KILLS"] ?? "") ?? 5

    /// When all of it happened: just now, since declarations that nobody repeats for long are forgotten.
    private static let began = Int64(Date().timeIntervalSince1970 * 1_000) - 60_000

    @Test func aKilledTrackersStoreEqualsOneFromScratch() async throws {
        let seed = UInt64(ProcessInfo.processInfo.environment["TROUPE_TRACKER_SEED"] ?? "") ?? .random(in: 0...999_999)
        print("killed tracker: TROUPE_TRACKER_SEED=\(seed) TROUPE_TRACKER_KILLS=\(kills)")
        var random = Seeded(state: seed)
        let broker = try EmbeddedBroker(topics: ["troupe.services": 1, "troupe.tasks": 2, "orders": 4])
        let path = NSTemporaryDirectory() + "troupe-killed-\(UInt64.random(in: 0 ... .max)).sqlite"
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(contentsOf: try Self.declarations())
        var flow = 0
        for _ in 0..<kills {
            // The tracker reads what is there already, and what comes while it runs.
            let tracker = try ToolProcess(
                "track", "--once", "--store", path, "-b", broker.bootstrapServers,
                environment: ["KAFKA_BOOTSTRAP_SERVERS": nil, "TROUPE_NAMESPACE": nil])
            let before = Self.read(path)
            let deadline = ContinuousClock.now + .seconds(60)
            while Self.read(path) == before, ContinuousClock.now < deadline {
                if flow < 20_000 {
                    try await producer.send(contentsOf: try Self.flows(flow..<(flow + 200)))
                    flow += 200
                } else if before == 0 {
                    // A tracker that starts slowly is waited for.
                    try await Task.sleep(for: .milliseconds(20))
                } else {
                    break
                }
            }
            try await Task.sleep(for: .microseconds(Int.random(in: 0...200_000, using: &random)))
            tracker.send(SIGKILL)
            let end = await tracker.finish()
            #expect(end.code == 9 || end.code == 0, "\(end.err)")
        }
        await producer.shutdown()
        let store = try FlowStore(path: path)
        let partial = Self.read(path)
        #expect(partial > 0)
        try await FlowTracker(store, kafka: broker.configuration).catchUp()
        let fresh = try FlowStore(path: ":memory:")
        try await FlowTracker(fresh, kafka: broker.configuration).catchUp()
        let end = Int64(Date().timeIntervalSince1970 * 1_000) + 1_000_000
        for store in [store, fresh] { while try FlowWriter(store).sweep(at: end) {} }
        let rows = try store.allRows()
        let expected = try fresh.allRows()
        let (missing, surplus) = (Set(expected).subtracting(rows), Set(rows).subtracting(expected))
        #expect(missing.isEmpty && surplus.isEmpty, "missing \(missing.prefix(3)), surplus \(surplus.prefix(3))")
        #expect(rows.count == expected.count)
        #expect(rows.count { $0.hasPrefix("flow |") } == flow)
        #expect(try store.counts() == [.completed: flow])
        print("killed tracker: \(flow) flows, \(partial) records read by the killed ones")
        withExtendedLifetime(broker) {}
    }

    /// How many records the store has read; 0 while there is none.
    private static func read(_ path: String) -> Int64 {
        guard let store = try? FlowStore(path: path, mode: .readOnly), let positions = try? store.positions() else {
            return 0
        }
        return positions.reduce(0) { $0 + $1.next }
    }

    private static func declarations() throws -> [KafkaMessage] {
        let declaration = ServiceDeclaration(
            service: "inventory", version: "1", group: "inventory", delivery: "at-least-once",
            routes: [
                RouteDeclaration(
                    name: "placed", input: .event, type: "placed", acceptedTypes: [], topic: "orders",
                    retryTopic: "inventory.orders.retry", deadLetterTopic: "inventory.orders.dlt", cardinality: .one,
                    publishes: ["reserved"], compensates: nil, withinMilliseconds: 30_000, maxRetries: 0)
            ], starts: ["placed"],
            events: [
                EventDescription(
                    type: "reserved", topic: "orders", flowEnding: .completed, contentType: "application/json",
                    dataSchema: nil, payloadSchema: nil)
            ])
        return [
            KafkaMessage(
                topic: "troupe.services",
                key: Array(RegistryKey.declaration(service: "inventory", fingerprint: "1").text.utf8),
                value: try EventJSONEncoder().encode(declaration), timestamp: began)
        ]
    }

    /// Flows of two events and a report of the handling between them.
    private static func flows(_ numbers: Range<Int>) throws -> [KafkaMessage] {
        var messages: [KafkaMessage] = []
        for number in numbers {
            let flow = "flow-\(number)"
            for (id, type, cause) in [("\(flow)-1", "placed", nil), ("\(flow)-2", "reserved", "\(flow)-1")] {
                var headers = [
                    KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", id), KafkaHeader("ce_type", type),
                    KafkaHeader("ce_source", "/services/test"), KafkaHeader("ce_correlationid", flow),
                ]
                if let cause { headers.append(KafkaHeader("ce_causationid", cause)) }
                messages.append(
                    KafkaMessage(
                        topic: "orders", partition: Int32(number % 4), key: Array(flow.utf8), value: Array("{}".utf8),
                        headers: headers, timestamp: began + 1_000 + Int64(number)))
            }
            let report = TaskReport(
                event: "\(flow)-1", flow: flow, type: "placed", topic: "orders", partition: Int32(number % 4),
                offset: 0, attempt: 1, replays: 0, outcome: .handled, startedAt: began + 1_000 + Int64(number),
                microseconds: 10, published: ["\(flow)-2"], notBefore: nil, failure: nil)
            messages.append(
                KafkaMessage(
                    topic: "troupe.tasks", partition: Int32(number % 2),
                    value: try EventJSONEncoder().encode(
                        TaskBatch(service: "inventory", instance: "a", tasks: [report])), timestamp: began + 22_000))
        }
        return messages
    }
}

/// Random numbers that a seed repeats (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
