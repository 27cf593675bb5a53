// `troupe track` as a member of its group, killed hard while the demo's services work on a real Kafka.

import DemoEvents
import Foundation
import KafkaClient
import Testing
import Troupe
import TroupeFlow

@Suite(.enabled(if: TestCluster.isKafkaNamed, TestCluster.needsKafka))
struct KilledMemberTests {
    private static let environment = ProcessInfo.processInfo.environment
    /// How many times the tracker is killed; `TROUPE_TRACKER_KILLS` asks for another number.
    private let kills = Int(environment["TROUPE_TRACKER_KILLS"] ?? "") ?? 20
    private let namespace = "killed-\(String(UInt64.random(in: 0 ... .max), radix: 36))."
    private let directory = NSTemporaryDirectory() + "troupe-killed-\(UUID().uuidString)"

    @Test(.timeLimit(.minutes(15))) func itsStoreEqualsOneFromScratch() async throws {
        let seed = UInt64(Self.environment["TROUPE_TRACKER_SEED"] ?? "") ?? .random(in: 0...999_999)
        print("killed member: TROUPE_TRACKER_SEED=\(seed) TROUPE_TRACKER_KILLS=\(kills)")
        var random = Seeded(state: seed)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let kafka = try TestCluster.kafka.configuration
        for topic in [OrderPlaced.topic, StockReserved.topic, PaymentTaken.topic, ParcelDispatched.topic] {
            try await KafkaAdmin(kafka).createTopic(NewTopic(namespace + topic.rawValue, partitions: 4))
        }
        let services = try ["inventory", "payments", "shipping", "notifications", "storefront"].map { name in
            try ToolProcess(demoService: name, environment: settings(kafka, seed))
        }
        let store = directory + "/flows.sqlite"
        var reads: [Int64] = []
        for kill in 0..<kills {
            let tracker = try ToolProcess(
                "track", "--store", store, "-b", kafka.bootstrapServers, "--namespace", namespace,
                // The least that Kafka allows by default: so soon is the seat of a killed member free.
                "-X", "session.timeout.ms=6000", environment: ["KAFKA_BOOTSTRAP_SERVERS": nil])
            // Mostly while it writes events; now and then before it is the active one.
            let before = reads.last ?? 0
            if kill % 5 != 4 {
                #expect(try await eventually { try eventsRead(store) > before }, "\(tracker.err)")
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...1_000, using: &random)))
            tracker.send(SIGKILL)
            let end = await tracker.finish()
            #expect(end.code == SIGKILL, "\(end.err)")
            reads.append(try eventsRead(store))
        }
        for service in services { service.send(SIGTERM) }
        for service in services {
            let end = await service.finish()
            #expect(end.code == 0, "\(end.err.suffix(2_000))")
        }
        // They read on: each went further than the one before, but those that were killed too early.
        #expect(reads == reads.sorted())
        #expect(Set(reads).count >= kills - kills / 5)

        let killed = try FlowStore(path: store)
        let fresh = try FlowStore(path: ":memory:")
        let end = Int64(Date().timeIntervalSince1970 * 1_000) + 100_000_000
        for store in [killed, fresh] {
            try await FlowTracker(store, kafka: kafka, namespace: namespace).catchUp()
            while try FlowWriter(store, namespace: namespace).sweep(at: end) {}
        }
        let rows = try killed.allRows()
        #expect(rows == (try fresh.allRows()))
        let tables = Dictionary(grouping: rows) { $0.prefix { $0 != " " } }.mapValues(\.count)
        #expect(tables["flow", default: 0] > kills)
        #expect(tables["event", default: 0] > tables["flow", default: 0])
        print(
            "killed member: \(kills) kills, \(reads.last ?? 0) records of events and tasks read by the killed ones; rows: \(tables)"
        )
        let admin = try KafkaAdmin(kafka)
        let topics = try await admin.describeTopics().keys.filter { $0.hasPrefix(namespace) }
        _ = try await admin.deleteTopics(Array(topics))
    }

    /// How far a store has read the topics of events and tasks; 0 while there is none.
    private func eventsRead(_ path: String) throws -> Int64 {
        guard FileManager.default.fileExists(atPath: path),
            let store = try? FlowStore(path: path, mode: .readOnly)
        else { return 0 }
        let registry = SystemTopics(namespace: namespace).services
        return try store.positions().filter { $0.topic != registry }.reduce(0) { $0 + $1.next }
    }

    private func settings(_ kafka: KafkaConfiguration, _ seed: UInt64) -> [String: String?] {
        [
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrapServers, "TROUPE_NAMESPACE": namespace,
            "DEMO_STATE_DIR": directory, "DEMO_ORDERS": "20000", "DEMO_RATE": "25", "DEMO_SEED": "\(seed)",
            // Some orders are dead-lettered.
            "DEMO_SHIPPING_RELEASE": "1",
        ]
    }
}
