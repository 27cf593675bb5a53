// Two versions of a service in one group, as while a new one is rolled out.

import KafkaClient
import Synchronization
import Testing
import Troupe

/// An event that only the newer version knows, on a topic that only it reads.
private struct Cancelled: Event {
    static let type: EventType = "test.cancelled"
    static let topic: Topic = "cancelled"
    var key: EventKey { EventKey(order) }
    var order: String
    var number = 0
}

/// An event that only the newer version knows, on a topic that both read.
private struct Amended: Event {
    static let type: EventType = "test.amended"
    static let topic: Topic = "placed"
    var key: EventKey { EventKey(order) }
    var order: String
    var number = 0
}

@Suite(.timeLimit(.minutes(5))) struct SurvivalVersionTests {
    private final class Tally: Sendable {
        private let counts = Mutex<[String: [Int: Int]]>([:])
        func count(_ who: String, _ number: Int) { counts.withLock { $0[who, default: [:]][number, default: 0] += 1 } }
        func of(_ who: String) -> [Int: Int] { counts.withLock { $0[who] ?? [:] } }
    }

    private let tally = Tally()

    /// Both versions handle `Placed`.
    private func older() -> EventRouter {
        var router = EventRouter()
        let tally = tally
        router.on(Placed.self) { placed, _ in tally.count("older", placed.number) }
        return router
    }

    private func message(_ space: TestSpace, _ type: EventType, _ topic: Topic, _ order: String, _ number: Int)
        -> KafkaMessage
    {
        var message = space.placed(order, number: number, id: "\(type.rawValue)-\(number)")
        message.topic = space.name(topic)
        message.headers = message.headers.map {
            $0.name == "ce_type" ? KafkaHeader("ce_type", type.rawValue) : $0
        }
        return message
    }

    @Test func aNewTopicIsHandledByTheNewerMembersAlone() async throws {
        let space = try await TestSpace(partitions: 4)
        try await TestCluster.makeTopic(space.name(Cancelled.topic), partitions: 4)
        let tally = tally
        var newer = EventRouter()
        newer.on(Placed.self) { placed, _ in tally.count("newer", placed.number) }
        newer.on(Cancelled.self) { cancelled, _ in tally.count("cancelled", cancelled.number) }
        let first = space.service("stock", router: older())
        let second = space.service("stock", router: newer)
        try await withService(first) {
            try await wait(for: "the older member to run") { first.status.partitions == 8 }
            try await withService(second) {
                // Who gets what of what both read is the assignor's business.
                try await wait(for: "both to own partitions") {
                    first.status.partitions > 0 && second.status.partitions >= 8
                        && first.status.partitions + second.status.partitions == 16
                }
                try await TestCluster.produce(
                    (0..<100).map { space.placed("order-\($0)", number: $0) }
                        + (0..<100).map { message(space, Cancelled.type, Cancelled.topic, "order-\($0)", $0) })
                try await wait(for: "all to be handled") {
                    Set(tally.of("older").keys).union(tally.of("newer").keys).count == 100
                        && tally.of("cancelled").count == 100
                }
                try await wait(for: "nothing to be under way") {
                    first.status.inFlight == 0 && second.status.inFlight == 0
                }
            }
        }
        #expect(first.status.handled + second.status.handled == 200)
        #expect(first.status.skipped == 0 && second.status.skipped == 0)
        #expect(first.status.deadLettered == 0 && second.status.deadLettered == 0)
    }

    @Test func aNewTypeOnAKnownTopicIsSkippedByOlderMembersAndCounted() async throws {
        let space = try await TestSpace(partitions: 4)
        let tally = tally
        var newer = EventRouter()
        newer.on(Placed.self) { placed, _ in tally.count("newer", placed.number) }
        newer.on(Amended.self) { amended, _ in tally.count("amended", amended.number) }
        let first = space.service("stock", router: older())
        let second = space.service("stock", router: newer)
        try await withService(first) {
            try await TestCluster.produce(
                (100..<110).map { message(space, Amended.type, Amended.topic, "order-\($0)", $0) })
            try await wait(for: "the older member to skip what it does not know") { first.status.skipped == 10 }
            // The embedded broker refuses commits while a member joins.
            try await space.waitForCommit(of: 10, in: Placed.topic, by: "stock")
            try await withService(second) {
                try await wait(for: "both to own partitions") {
                    first.status.partitions == 4 && second.status.partitions == 4
                }
                try await TestCluster.produce(
                    (0..<100).flatMap { number in
                        [
                            space.placed("order-\(number)", number: number),
                            message(space, Amended.type, Amended.topic, "order-\(number)", number),
                        ]
                    })
                try await wait(for: "every record to be handled or skipped") {
                    first.status.handled + second.status.handled + first.status.skipped == 210
                }
            }
        }
        // Each went one way: what the older member skipped the newer one never saw.
        #expect(tally.of("amended").count == 110 - first.status.skipped)
        #expect(Set(tally.of("older").keys).union(tally.of("newer").keys).count == 100)
        #expect(second.status.skipped == 0)
    }

    @Test func aRetryOfANewTypeThatAnOlderMemberReadsIsDeadLetteredNotLost() async throws {
        let space = try await TestSpace(partitions: 1)
        let retryTopic = "\(space.namespace)stock.placed.retry"
        try await TestCluster.makeTopic(retryTopic, partitions: 1)
        var retry = message(space, Amended.type, Amended.topic, "order-1", 1)
        retry.topic = retryTopic
        retry.headers += [
            KafkaHeader("troupe-attempt", "1"), KafkaHeader("troupe-origin-topic", space.name(Placed.topic)),
        ]
        try await TestCluster.produce([retry])
        let service = space.service("stock", router: older())
        try await withService(service) {
            try await wait(for: "the letter") { service.status.deadLettered == 1 }
        }
        let letters = try await TestCluster.read("\(space.namespace)stock.placed.dlt", count: 1)
        #expect(letters.count == 1)
        #expect(letters.first?.header("troupe-reason") == "unrouted")
        #expect(letters.first?.header("ce_id") == "test.amended-1")
    }
}
