// The dead letters of the page: read as they come, and sent back once.

import Foundation
import KafkaClient
import Testing
import Troupe
import TroupeWeb

@testable import TroupeCommand

@Suite struct LetterDeskTests {
    private let broker: EmbeddedBroker
    private let cluster: Cluster
    private let desk: LetterDesk

    init() throws {
        let broker = try EmbeddedBroker(topics: ["orders": 1, "mail.orders.dlt": 1, "mail.orders.retry": 1])
        let cluster = Cluster(broker.configuration)
        self.broker = broker
        self.cluster = cluster
        desk = LetterDesk { cluster }
    }

    private func send(_ keys: String...) async throws {
        let producer = try KafkaProducer(broker.configuration)
        for key in keys {
            try await producer.send(
                KafkaMessage(
                    topic: "mail.orders.dlt", partition: 0, key: Array(key.utf8), value: Array("{\"k\":1}".utf8),
                    headers: [
                        KafkaHeader("ce_id", "id-\(key)"), KafkaHeader("ce_type", "shop.order.placed"),
                        KafkaHeader("ce_correlationid", "flow-\(key)"), KafkaHeader("troupe-origin-topic", "orders"),
                        KafkaHeader("troupe-origin-partition", "0"), KafkaHeader("troupe-origin-offset", "5"),
                        KafkaHeader("troupe-service", "mail"), KafkaHeader("troupe-attempt", "4"),
                        KafkaHeader("troupe-error-type", "Shop.Broken"), KafkaHeader("troupe-fingerprint", "8c0e"),
                    ]))
        }
        await producer.shutdown()
    }

    @Test func ofManyLettersTheNewestAreKept() async throws {
        let cluster = cluster
        let desk = LetterDesk(limit: 3) { cluster }
        try await send("a", "b", "c", "d", "e")
        let list = try await desk.letters()
        #expect(Set(list.letters.map(\.place)) == Set((2...4).map { "mail.orders.dlt/0/\($0)" }))
        #expect(list.isTruncated)
    }

    @Test func neverMoreThanTwiceTheLettersThatAreWantedAreInMemory() {
        let newest = NewestLetters(limit: 10)
        for number in 0..<1_000 {
            newest.append(
                DeadLetterSummary(
                    place: "mail.orders.dlt/0/\(number)", service: "mail", topic: "orders", fingerprint: "",
                    writtenAt: Int64(number * 7 % 1_000), replays: 0))
        }
        #expect(newest.most == 20)
        #expect(newest.isTruncated)
        #expect(Set(newest.all.map(\.writtenAt)).isSuperset(of: (990..<1_000)))
    }

    @Test func lettersAreSeenAsTheyComeEachOnce() async throws {
        #expect(try await desk.letters().letters == [])
        try await send("a", "b")
        #expect(try await desk.letters().letters.map(\.event).sorted { ($0 ?? "") < ($1 ?? "") } == ["id-a", "id-b"])
        try await send("c")
        let list = try await desk.letters()
        #expect(list.letters.count == 3)
        #expect(!list.isTruncated)
        let letter = try #require(list.letters.first { $0.event == "id-c" })
        #expect(letter.place == "mail.orders.dlt/0/2")
        #expect(letter.service == "mail")
        #expect(letter.topic == "orders")
        #expect(letter.flow == "flow-c")
        #expect(letter.attempts == 4)
        #expect(letter.fingerprint == "8c0e")
        // Whoever asks at once waits for one look.
        let desk = desk
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 { group.addTask { try await desk.letters().letters.count } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts == Array(repeating: 3, count: 8))
    }

    @Test func oneLetterIsShownWithItsBytes() async throws {
        try await send("a")
        let letter = try #require(try await desk.letter(at: "mail.orders.dlt/0/0"))
        #expect(letter.key == "a")
        #expect(letter.value == Array("{\"k\":1}".utf8))
        #expect(letter.headers.contains(DeadLetterContent.Header("troupe-service", "mail")))
        for place in ["mail.orders.dlt/0/1", "mail.orders.dlt/9/0", "orders/0/0", "nothing.dlt/0/0", "x", "a/b/c"] {
            #expect(try await desk.letter(at: place) == nil, "\(place)")
        }
    }

    @Test func lettersAreSentBackOnce() async throws {
        try await send("a", "b")
        let first = try await desk.replay(["mail.orders.dlt/0/0", "orders/0/0", "mail.orders.dlt/0/7"])
        #expect(first.sent == 1)
        #expect(first.refusals.count == 2)
        let second = try await desk.replay(["mail.orders.dlt/0/0", "mail.orders.dlt/0/1"])
        #expect(second == DeadLetterReplay(sent: 1, skipped: 1, refusals: []))
        let marks = try await cluster.watermarks(of: [
            TopicPartition("mail.orders.retry", 0), TopicPartition("orders", 0),
        ])
        #expect(marks[TopicPartition("mail.orders.retry", 0)]?.high == 2)
        #expect(marks[TopicPartition("orders", 0)]?.high == 0)
        #expect(try await desk.letters().letters.allSatisfy { $0.replayedAt != nil })
    }
}
