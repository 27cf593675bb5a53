// An instance that is killed hard, with work under way: another one takes it over, and nothing is lost.

import Foundation
import KafkaClient
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5)), .serialized) struct HardKillTests {
    /// The embedded broker has no transactions.
    private static var deliveries: [DeliveryGuarantee] {
        TestCluster.isKafka ? [.atLeastOnce, .exactlyOnce] : [.atLeastOnce]
    }

    private static let count = 2_000

    @Test(arguments: deliveries)
    func whatWasUnderWayAtAHardKillIsTakenOver(_ delivery: DeliveryGuarantee) async throws {
        let namespace = "kill\(TestCluster.uniquePart())."
        var environment = [
            "KAFKA_BOOTSTRAP_SERVERS": try TestCluster.configuration.bootstrapServers, "TROUPE_NAMESPACE": namespace,
            "TROUPE_DELIVERY": delivery.rawValue, "TROUPE_DRAIN_TIMEOUT_MS": "2000", "TROUPE_INSTANCE": "",
        ]
        // The embedded broker's groups have times of their own.
        if TestCluster.isKafka { environment["KAFKA_PROPERTY_SESSION_TIMEOUT_MS"] = "6000" }
        for topic in ["first", "second"] { try await TestCluster.makeTopic(namespace + topic, partitions: 4) }
        let lines = HandlerLines()
        defer { lines.remove() }
        let killed = try ServiceProcess("a", log: lines, environment: environment)
        defer { killed.send(SIGKILL) }
        var count = 0
        // A look that comes late finds all done: then there is more to do.
        for _ in 0..<50 where lines.read().underWay(in: killed.identifier).isEmpty {
            let numbers = count..<count + Self.count
            count = numbers.upperBound
            try await TestCluster.produce(numbers.map { event($0, in: namespace) })
            try await wait(for: "the first instance to work") {
                let read = lines.read()
                return !read.underWay(in: killed.identifier).isEmpty || read.succeeded.count == count
            }
        }
        // It stands still in the middle of its work while its successor starts, however long that takes.
        killed.send(SIGSTOP)
        let successor = try ServiceProcess("a", log: lines, environment: environment)
        defer { successor.send(SIGKILL) }
        killed.send(SIGKILL)
        #expect(try await killed.finish() == SIGKILL)
        let underWay = lines.read().underWay(in: killed.identifier)
        #expect(!underWay.isEmpty, "the kill must strike work")

        // The bound is of Kafka's times; a busy machine may take as long as any test waits beside it.
        let bound = try ServiceConfiguration(environment: environment).takeoverBound()
        try await wait(for: "what was under way to be begun again", within: bound + TestCluster.patience) {
            lines.read().begun[successor.identifier, default: []].isSuperset(of: underWay)
        }
        try await wait(for: "all to be handled") { lines.read().succeeded.count == count }
        successor.send(SIGTERM)
        #expect(try await successor.finish() == 0)

        let ids = try await TestCluster.readAll(namespace + "second").compactMap { $0.header("ce_id") }
        #expect(Set(ids).count == count)
        if delivery == .exactlyOnce { #expect(ids.count == count) }
    }

    /// One of sixteen keys' events, which every attempt succeeds at: few keys, so that the work takes a while.
    private func event(_ number: Int, in namespace: String) -> KafkaMessage {
        KafkaMessage(
            topic: namespace + "first", key: Array("key-\(number % 16)".utf8),
            value: Array(#"{"name":"key-\#(number % 16)","sequence":\#(number),"plan":"000"}"#.utf8),
            headers: [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "event-\(number)"),
                KafkaHeader("ce_type", "chaos.first"), KafkaHeader("ce_source", "/test"),
                KafkaHeader("content-type", "application/json"),
            ])
    }
}
