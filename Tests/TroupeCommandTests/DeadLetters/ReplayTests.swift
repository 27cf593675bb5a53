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
        _ service: String, _ key: String, _ partition: Int32, originTopic: String = "orders",
        originPartition: Int32? = nil, originOffset: Int = 5, extra: [KafkaHeader] = []
    ) -> KafkaMessage {
        let error = ErrorSummary(type: "Shop.Broken", message: "no zone for \(key)")
        return KafkaMessage(
            topic: "\(service).orders.dlt", partition: partition, key: Array(key.utf8), value: Array("{}".utf8),
            headers: [
                KafkaHeader("ce_id", "id-\(key)"), KafkaHeader("ce_type", "shop.order.placed"),
                KafkaHeader("troupe-origin-topic", originTopic),
                KafkaHeader("troupe-origin-partition", "\(originPartition ?? partition)"),
                KafkaHeader("troupe-origin-offset", "\(originOffset)"), KafkaHeader("troupe-service", service),
                KafkaHeader("troupe-reason", "retries-exhausted"), KafkaHeader("troupe-attempt", "4"),
                KafkaHeader("troupe-error-type", error.type), KafkaHeader("troupe-error-message", error.message),
                KafkaHeader("troupe-fingerprint", error.fingerprint),
            ] + extra)
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
        #expect(recorder.err.contains("1 of them was replayed before and is left out"))
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

    @Test func theOrderIsThatOfTheOrigin() throws {
        // Written to their dead-letter topics in another order than their events were published in.
        let places: [(topic: String, partition: Int32, offset: Int)] = [
            ("refunds", 0, 1), ("orders", 1, 3), ("orders", 0, 9), ("orders", 0, 2), ("payments", 0, 0),
        ]
        let letters = places.enumerated().map { index, place in
            let message = letter(
                "shipping", "k\(index)", 0, originTopic: place.topic, originPartition: place.partition,
                originOffset: place.offset)
            return DeadLetter(
                KafkaRecord(
                    topic: message.topic, offset: Int64(index), key: message.key, value: message.value,
                    headers: message.headers))
        }
        func keys(_ limit: Int) -> [String?] {
            ReplayPlan(letters, marks: [:], again: false, limit: limit).letters.map(\.letter.key)
        }
        #expect(keys(.max) == ["k3", "k2", "k1", "k4", "k0"])
        #expect(keys(2) == ["k3", "k2"])
    }

    @Test func redactedHeadersAreLeftOutAndNamed() async throws {
        let producer = try KafkaProducer(broker.configuration)
        let headers = [KafkaHeader("authorization", "[redacted]"), KafkaHeader("tenant", "north")]
        try await producer.send(letter("shipping", "o4", 0, extra: headers))
        await producer.shutdown()
        #expect(await run("dlt", "replay", "--key=o4") == .ok)
        #expect(recorder.err.contains("The value of the header authorization was redacted in 1 letter: "))
        #expect(recorder.out.hasSuffix("Replayed 1 letter.\n"))
        let found = Collected<KafkaRecord>()
        try await TopicReader(cluster).read([TopicPartition("shipping.orders.retry", 0): 0..<1]) { record in
            found.append(record)
            return .goOn
        }
        #expect(found.all.count == 1)
        #expect(found.all.first?.header("authorization") == nil && found.all.first?.header("tenant") == "north")
    }

    @Test func aMistypedServiceIsSuggestedWhatItMeant() async throws {
        for words in [["dlt", "show"], ["dlt", "replay"]] {
            #expect(await run(words[0], words[1], "--service=shiping") == .notFound)
        }
        #expect(await run("dlt", "list", "--service=shiping") == .ok)
        let hint = "No dead letter matches. Did you mean --service=shipping?"
        #expect(recorder.err.split(separator: "\n").count { $0.hasSuffix(hint) } == 3)
        #expect(await run("dlt", "show", "--topic=order") == .notFound)
        #expect(recorder.err.contains("Did you mean --topic=orders?"))
        #expect(await run("dlt", "show", "--service=shipping", "--key=nobody") == .notFound)
        #expect(recorder.err.hasSuffix("No dead letter matches\n"))
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
