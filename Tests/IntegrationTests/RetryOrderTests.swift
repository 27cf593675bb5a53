// A key's order through the retry topic, over failures, stops and owners.

import Foundation
import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct RetryOrderTests {
    /// What handlers did, in order: the number of the event and whether it succeeded.
    final class Diary: Sendable {
        struct Entry: Hashable {
            var number: Int
            var succeeded: Bool
            var fromRetry: Bool
        }
        private let entries = Mutex<[String: [Entry]]>([:])

        func note(_ placed: Placed, _ succeeded: Bool, _ context: EventContext) {
            entries.withLock {
                $0[placed.order, default: []]
                    .append(Entry(number: placed.number, succeeded: succeeded, fromRetry: context.attempt > 1))
            }
        }

        func of(_ order: String) -> [Entry] { entries.withLock { $0[order] ?? [] } }
        var succeeded: Int { entries.withLock { $0.values.reduce(0) { $0 + $1.filter(\.succeeded).count } } }
    }

    /// Where handlers wait until a test lets them go on.
    private let held = ExecutionTests.Gate()

    /// Fails each first attempt of the numbers in `failing`, and holds the handlers of those below `bound`, and the
    /// further attempts at those in `retried`.
    private func router(
        _ diary: Diary, failing: Set<Int>, before bound: Int = 0, holdingRetriesOf retried: Set<Int> = []
    ) -> EventRouter {
        var router = EventRouter(retry: .fixed(.milliseconds(300), maxRetries: 5))
        router.on(Placed.self) { [held] placed, context in
            if placed.number < bound || (context.attempt > 1 && retried.contains(placed.number)) {
                await held.pass(placed.number)
            }
            let fails = failing.contains(placed.number) && context.attempt == 1
            diary.note(placed, !fails, context)
            if fails { throw Failure(description: "not yet") }
        }
        return router
    }

    private func space(partitions: Int = 1, _ change: (inout ServiceConfiguration) -> Void = { _ in }) async throws
        -> TestSpace
    {
        try await TestSpace(partitions: partitions) {
            $0.inPlaceRetryLimit = .zero
            change(&$0)
        }
    }

    @Test func laterEventsOfAKeyFollowAFailedOneAndOtherKeysGoOn() async throws {
        let space = try await space()
        let diary = Diary()
        let service = space.service("stock", router: router(diary, failing: [0], holdingRetriesOf: [0]))
        try await withService(service) {
            try await TestCluster.produce((0..<10).map { space.placed("a", number: $0) })
            try await TestCluster.produce((0..<10).map { space.placed("b", number: 100 + $0) })
            // Until then the first one is not done, however late the others are read.
            try await wait(for: "the others to follow, and the other key to be handled") {
                service.status.redirected == 10 && diary.succeeded == 10
            }
            held.open()
            try await wait(for: "all to be handled") { diary.succeeded == 20 }
            try await wait(for: "nothing to be under way") { service.status.inFlight == 0 }
        }
        #expect(diary.of("a").map(\.number) == [0] + Array(0..<10))
        #expect(diary.of("b").map(\.number) == Array(100..<110))
        // Nine followed the first one; they had no attempt before.
        #expect(service.status.redirected == 10)
        #expect(service.status.deadLettered == 0)
    }

    @Test func relaxedOrderLetsLaterEventsPass() async throws {
        let space = try await space { $0.engine.retryOrdering = .relaxed }
        let diary = Diary()
        let service = space.service("stock", router: router(diary, failing: [0], holdingRetriesOf: [0]))
        try await TestCluster.produce((0..<10).map { space.placed("a", number: $0) })
        try await withService(service) {
            // They pass the first one, which is not done before they are.
            try await wait(for: "the later ones to be handled") { diary.succeeded == 9 }
            held.open()
            try await wait(for: "all to be handled") { diary.succeeded == 10 }
        }
        #expect(diary.of("a").map(\.number) == [0] + Array(1..<10) + [0])
        #expect(service.status.redirected == 1)
    }

    @Test func aKeyIsHandledInPlaceAgainOnceItsRetriesAreCommitted() async throws {
        let space = try await space()
        let diary = Diary()
        let service = space.service("stock", router: router(diary, failing: [0]))
        try await withService(service) {
            try await TestCluster.produce([space.placed("a", number: 0)])
            try await wait(for: "the retry") { service.status.handled == 1 && service.status.inFlight == 0 }
            var number = 0
            // Each may still follow; once the retry is committed one is handled where it was published.
            while service.status.redirected == number + 1 {
                number += 1
                try #require(number < 500, "the mark never lifts")
                try await TestCluster.produce([space.placed("a", number: number)])
                try await wait(for: "the next one") {
                    let status = service.status
                    return status.handled == number + 1 && status.inFlight == 0
                }
            }
            #expect(service.status.redirected == number)
        }
    }

    @Test func aMarkStaysUntilItsOwnRetryIsDone() async throws {
        let space = try await space()
        let diary = Diary()
        let service = space.service("stock", router: router(diary, failing: [0], holdingRetriesOf: [0]))
        let retry = TopicPartition(space.namespace + "stock.placed.retry", 0)
        let admin = try KafkaAdmin(TestCluster.configuration)
        try await withService(service) {
            try await TestCluster.produce([space.placed("a", number: 0)])
            try await wait(for: "the redirect") { service.status.redirected == 1 }
            // Another key's retry, behind it in the same partition, is done and committed first.
            var other = space.placed("b", number: 1)
            other.topic = retry.topic
            other.partition = retry.partition
            other.headers.append(KafkaHeader("troupe-attempt", "1"))
            try await TestCluster.produce([other])
            var committed: CommittedOffset?
            while committed?.metadata?.isEmpty ?? true {
                try Task.checkCancellation()
                committed = try await admin.committedOffsets(
                    ofGroup: space.namespace + "stock", partitions: [retry])[retry]
            }
            #expect(committed?.offset == 0)
            try await TestCluster.produce([space.placed("a", number: 2)])
            try await wait(for: "the next one to follow") { service.status.redirected == 2 }
            held.open()
            try await wait(for: "all to be handled") { diary.succeeded == 3 }
        }
        #expect(diary.of("a").map(\.number) == [0, 0, 2])
        #expect(diary.of("b").map(\.number) == [1])
    }

    @Test func aDeadLetterLetsItsKeyGoOn() async throws {
        let space = try await space()
        let diary = Diary()
        var router = EventRouter(retry: .fixed(.milliseconds(100), maxRetries: 2))
        router.on(Placed.self) { placed, context in
            diary.note(placed, placed.number != 0, context)
            if placed.number == 0 { throw Failure(description: "never") }
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<5).map { space.placed("a", number: $0) })
        try await withService(service) {
            try await wait(for: "the others to be handled") { diary.succeeded == 4 }
        }
        #expect(diary.of("a").map(\.number) == [0, 0, 0, 1, 2, 3, 4])
        #expect(service.status.deadLettered == 1)
    }

    @Test func aNewOwnerKeepsTheOrderOfWhatWaits() async throws {
        let space = try await space(partitions: 2)
        let diary = Diary()
        // What fails here fails for as long as this owner lives, and its key waits with it.
        var failing = EventRouter(retry: .fixed(.milliseconds(100), maxRetries: 1_000_000))
        failing.on(Placed.self) { placed, context in
            if placed.number % 5 == 0 { throw Failure(description: "not yet") }
            diary.note(placed, true, context)
        }
        let first = space.service("stock", router: failing)
        try await TestCluster.produce((0..<40).map { space.placed("key-\($0 % 4)", number: $0) })
        try await withService(first) {
            // The first ones that fail are 0, 5, 10 and 15: before them 1, 2, 6, 3, 7 and 11 are handled.
            try await wait(for: "all others to wait in the retry topic") {
                diary.succeeded == 6 && first.status.redirected == 34
            }
        }
        let second = space.service("stock", router: router(diary, failing: [], before: 40))
        try await withService(second) {
            try await TestCluster.produce((40..<60).map { space.placed("key-\($0 % 4)", number: $0) })
            // What waits is held by its handlers meanwhile: only the marks keep the later ones behind it.
            try await wait(for: "all later ones to follow") { second.status.redirected == 20 }
            held.open()
            try await wait(for: "all to be handled") { diary.succeeded == 60 }
        }
        for key in 0..<4 {
            #expect(diary.of("key-\(key)").map(\.number) == Array(stride(from: key, to: 60, by: 4)), "key-\(key)")
        }
    }

    @Test func whatAnotherMemberCommitsLiftsAMark() async throws {
        // One partition each: with two members the events and their retries are never on the same one.
        let broker = try EmbeddedBroker(topics: ["placed": 1, "stock.placed.retry": 1, "stock.placed.dlt": 1])
        var configuration = ServiceConfiguration(kafka: broker.configuration, environment: [:])
        configuration.tracking = .off
        // Neither loses its place when it is held up.
        configuration.bearHoldUps()
        configuration.inPlaceRetryLimit = .zero
        configuration.logger = Logger(label: "test", level: .error, handler: SilentLogHandler())
        let diary = Diary()
        let members = (0..<2).map { _ in
            EventService("stock", router: router(diary, failing: [0]), configuration: configuration)
        }
        let producer = try KafkaProducer(broker.configuration)
        func send(_ number: Int) async throws {
            try await producer.send(
                KafkaMessage(
                    topic: "placed", key: Array("a".utf8), value: Array(#"{"order":"a","number":\#(number)}"#.utf8),
                    headers: [
                        KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "a-\(number)"),
                        KafkaHeader("ce_source", "/test"), KafkaHeader("ce_type", Placed.type.rawValue),
                    ]))
        }
        // As both know of it: one has redirected each event or handled it, the other has handled what was redirected.
        func isDone(_ count: Int) -> Bool {
            let statuses = members.map(\.status)
            return statuses.allSatisfy { $0.inFlight == 0 } && statuses.reduce(0) { $0 + $1.handled } == count
                && statuses.contains { $0.redirected > 0 && $0.redirected + $0.handled == count }
        }
        func redirected() -> Int { members.reduce(0) { $0 + $1.status.redirected } }
        try await withService(members[0]) {
            try await withService(members[1]) {
                try await wait(for: "a partition each") { members.allSatisfy { $0.status.partitions == 1 } }
                try await send(0)
                try await wait(for: "the retry") { isDone(1) }
                var number = 0
                // Each may still follow, until the other member's commit is known.
                while redirected() == number + 1 {
                    number += 1
                    try #require(number < 100, "the mark never lifts")
                    // It is asked for a few times a second: sooner or later the next one comes behind the answer.
                    try await Task.sleep(for: .milliseconds(20 * number))
                    try await send(number)
                    try await wait(for: "the next one") { isDone(number + 1) }
                }
                #expect(redirected() == number)
                // The last one alone was handled where it was published, by the member that redirected the others.
                #expect(members.map(\.status.partitions) == [1, 1])
                #expect(members.map(\.status.handled).sorted() == [1, number].sorted())
                #expect(members.map(\.status.redirected).sorted() == [0, number])
                #expect(diary.of("a").map(\.number) == [0] + Array(0...number))
            }
        }
        await producer.shutdown()
    }

    @Test func aLongDelayDoesNotHoldBackAnotherKeysShorterOne() async throws {
        let space = try await space()
        let diary = Diary()
        let service = space.service("stock", router: router(diary, failing: []))
        try await withService(service) {
            try await wait(for: "the service to have made its topics") { service.status.partitions > 0 }
            let now = Int64(Date().timeIntervalSince1970 * 1_000)
            // The one that waits an hour lies before the other one in the same partition.
            try await TestCluster.produce(
                [("slow", 1, now + 3_600_000), ("fast", 2, now + 200)].map { order, number, notBefore in
                    var message = space.placed(order, number: number)
                    message.topic = space.namespace + "stock.placed.retry"
                    message.partition = 0
                    message.headers += [
                        KafkaHeader("troupe-attempt", "1"), KafkaHeader("troupe-not-before", "\(notBefore)"),
                    ]
                    return message
                })
            try await wait(for: "the shorter delay") { diary.succeeded == 1 }
            #expect(Int64(Date().timeIntervalSince1970 * 1_000) >= now + 200)
        }
        #expect(diary.of("fast").map(\.number) == [2])
        #expect(diary.of("slow").isEmpty)
    }

    @Test func whatIsDoneBehindAWaitingRetryIsNotHandledAgainByTheNextOwner() async throws {
        let diary = Diary()
        var router = EventRouter(retry: .fixed(.seconds(3_600), maxRetries: 1))
        router.on(Placed.self) { placed, context in
            diary.note(placed, placed.order != "stuck", context)
            if placed.order == "stuck" { throw Failure(description: "waits in place") }
        }
        let patient = try await space { $0.inPlaceRetryLimit = .seconds(7_200) }
        let first = patient.service("stock", router: router)
        try await TestCluster.produce(
            [patient.placed("stuck", number: 0)] + (1...50).map { patient.placed("k\($0)", number: $0) })
        try await withService(first) {
            try await wait(for: "all the others") { diary.succeeded == 50 }
        }
        let second = patient.service("stock", router: router)
        try await withService(second) {
            try await TestCluster.produce([patient.placed("last", number: 99)])
            try await wait(for: "the last one") { diary.succeeded >= 51 }
        }
        #expect(diary.succeeded == 51)
        #expect(diary.of("stuck").count == 2)
        #expect(second.status.handled == 1)
    }

    @Test func aNewOwnerHandlesInPlaceWhatFollowsNothing() async throws {
        let space = try await space()
        let diary = Diary()
        let first = space.service("stock", router: router(diary, failing: [0]))
        try await TestCluster.produce([space.placed("a", number: 0)])
        try await withService(first) {
            try await wait(for: "the retry") { diary.succeeded == 1 }
            try await wait(for: "nothing to be under way") { first.status.inFlight == 0 }
        }
        let second = space.service("stock", router: router(diary, failing: []))
        try await TestCluster.produce([space.placed("a", number: 1)])
        try await withService(second) {
            try await wait(for: "the next one") { diary.succeeded == 2 }
            try await wait(for: "nothing to be under way") { second.status.inFlight == 0 }
        }
        #expect(second.status.redirected == 0)
        #expect(diary.of("a").map(\.number) == [0, 0, 1])
    }
}
