// Replay on a broker: only the service that failed gets its letters, and a second replay leaves them out.

import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct ReplayTests {
    private let broker: EmbeddedBroker
    private let cluster: Cluster
    private let recorder = Recorder()

    init() async throws {
        let names = ["orders", "shipping.orders.retry", "shipping.orders.dlt", "mail.orders.retry", "mail.orders.dlt"]
        broker = try EmbeddedBroker(topics: Dictionary(uniqueKeysWithValues: names.map { ($0, 2) }))
        cluster = Cluster(broker.configuration)
        let producer = try KafkaProducer(broker.configuration)
        for (service, key, partition) in [("shipping", "o1", 0), ("shipping", "o2", 1), ("mail", "o1", 0)] {
            try await producer.send(letter(service, key, Int32(partition)))
        }
        await producer.shutdown()
    }

    private func letter(
        _ service: String, _ key: String, _ partition: Int32, originPartition: Int32? = nil
    ) -> KafkaMessage {
        let error = ErrorSummary(type: "Shop.Broken", message: "no zone for \(key)")
        return KafkaMessage(
            topic: "\(service).orders.dlt", partition: partition, key: Array(key.utf8), value: Array("{}".utf8),
            headers: [
                KafkaHeader("ce_id", "id-\(key)"), KafkaHeader("ce_type", "shop.order.placed"),
                KafkaHeader("troupe-origin-topic", "orders"),
                KafkaHeader("troupe-origin-partition", "\(originPartition ?? partition)"),
                KafkaHeader("troupe-origin-offset", "5"), KafkaHeader("troupe-service", service),
                KafkaHeader("troupe-reason", "retries-exhausted"), KafkaHeader("troupe-attempt", "4"),
                KafkaHeader("troupe-error-type", error.type), KafkaHeader("troupe-error-message", error.message),
                KafkaHeader("troupe-fingerprint", error.fingerprint),
            ])
    }

    private func run(_ words: String...) async -> ExitCode {
        await Tool.troupe.run(words + ["--bootstrap-servers=\(broker.bootstrapServers)"], recorder.console())
    }

    /// The keys of the records in a topic, sorted.
    private func keys(_ topic: String) async throws -> [String] {
        let partitions = (0..<2).map { TopicPartition(topic, Int32($0)) }
        let watermarks = try await cluster.watermarks(of: partitions)
        let found = Collected<String>()
        try await TopicReader(cluster).read(watermarks.mapValues { $0.low..<$0.high }) { record in
            found.append(record.key?.text ?? "")
            return .goOn
        }
        return found.all.sorted()
    }

    @Test func replayTouchesOnlyTheServiceThatFailed() async throws {
        #expect(await run("dlt", "replay", "--service=shipping") == .ok)
        #expect(try await keys("shipping.orders.retry") == ["o1", "o2"])
        #expect(try await keys("mail.orders.retry") == [])
        #expect(try await keys("orders") == [])
        #expect(try await keys("shipping.orders.dlt") == ["o1", "o2"])
        #expect(recorder.out.hasSuffix("Replayed 2 letters.\n"))
    }

    @Test func aLetterFromAPartitionTheRetryTopicLacksIsReplayedIntoOneItHas() async throws {
        let producer = try KafkaProducer(broker.configuration)
        try await producer.send(letter("shipping", "o3", 1, originPartition: 7))
        await producer.shutdown()
        #expect(await run("dlt", "replay", "--key=o3") == .ok)
        #expect(try await keys("shipping.orders.retry") == ["o3"])
    }

    @Test func aSecondReplayLeavesOutWhatWasReplayedAndSaysSo() async throws {
        #expect(await run("dlt", "replay", "--key=o1", "--service=shipping") == .ok)
        #expect(await run("dlt", "replay", "--service=shipping") == .ok)
        #expect(recorder.err.contains("1 of them were replayed before"))
        #expect(try await keys("shipping.orders.retry") == ["o1", "o2"])
        #expect(await run("dlt", "replay", "--service=shipping", "--again") == .ok)
        #expect(try await keys("shipping.orders.retry") == ["o1", "o1", "o2", "o2"])
    }

    @Test func aDryRunChangesNothing() async throws {
        #expect(await run("dlt", "replay", "--all", "--dry-run") == .ok)
        #expect(recorder.out.hasSuffix("Would replay 3 letters.\n"))
        #expect(try await keys("shipping.orders.retry") == [])
        #expect(try await keys("mail.orders.retry") == [])
        #expect(try await ReplayLog(cluster).read().isEmpty)
    }

    @Test func aLimitReplaysTheOldestAndTheRestWaits() async throws {
        #expect(await run("dlt", "replay", "--service=shipping", "--limit=1") == .ok)
        #expect(try await keys("shipping.orders.retry") == ["o1"])
        #expect(await run("dlt", "list", "--waiting", "--each", "--format=json") == .ok)
        let json = try #require(recorder.out.range(of: "[\n")).lowerBound
        let rows = try JSONSerialization.jsonObject(with: Data(recorder.out[json...].utf8)) as? [[String: Any]]
        #expect(rows?.compactMap { $0["letter"] as? String } == ["mail.orders.dlt/0/0", "shipping.orders.dlt/1/0"])
    }

    @Test func lettersAreReplayedByTheirPlace() async throws {
        #expect(await run("dlt", "replay", "mail.orders.dlt/0/0") == .ok)
        #expect(try await keys("mail.orders.retry") == ["o1"])
        #expect(await run("dlt", "replay", "mail.orders.dlt/0/9") == .notFound)
        #expect(await run("dlt", "replay", "--service=nobody") == .notFound)
    }

    @Test func nothingIsReplayedUnlessLettersAreChosen() async throws {
        #expect(await run("dlt", "replay") == .usage)
        #expect(await run("dlt", "replay", "--limit=5") == .usage)
        #expect(try await keys("shipping.orders.retry") == [])
    }

    @Test func aLetterIsShownByPlaceOrByKey() async throws {
        #expect(await run("dlt", "show", "shipping.orders.dlt/1/0") == .ok)
        #expect(recorder.out.contains("cause         Broken: no zone for o2"))
        #expect(await run("dlt", "show", "--service=mail", "--key=o1", "--format=json") == .ok)
        #expect(recorder.out.contains("\"letter\" : \"mail.orders.dlt/0/0\""))
        #expect(await run("dlt", "show", "shipping.orders.dlt/1/1") == .notFound)
        #expect(await run("dlt", "show", "shipping.orders.dlt/7/0") == .notFound)
        #expect(await run("dlt", "show", "--key=o3") == .notFound)
        #expect(await run("dlt", "show") == .usage)
    }

    @Test func theListGroupsByServiceAndFailure() async throws {
        #expect(await run("dlt", "list") == .ok)
        let lines = recorder.out.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.dropFirst().map { $0.split(separator: " ").first } == ["shipping", "mail"])
        #expect(lines[1].split(separator: " ").contains("2"))
    }
}
