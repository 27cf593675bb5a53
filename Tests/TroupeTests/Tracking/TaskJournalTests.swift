// What is reported of attempts, batch by batch, and what is settled.

import EventJSON
import KafkaClient
import Testing

@testable import Troupe

@Suite struct TaskJournalTests {
    private func journal(
        limit: Int = 1_000_000, _ change: (inout TrackingSettings) -> Void = { _ in }
    ) -> TaskJournal {
        var settings = TrackingSettings()
        change(&settings)
        return TaskJournal(
            topic: "troupe.tasks", service: "inventory", instance: #"a "host"/1"#, limit: limit, settings: settings)
    }

    private func handling(_ record: KafkaRecord) throws -> Handling {
        try orderProcessor().classify(record).handling()
    }

    /// What the batch that is next says; takes it for sent.
    private func take(_ journal: TaskJournal) throws -> TaskBatch? {
        guard let batch = journal.next else { return nil }
        journal.sent(now: 0)
        let value = try #require(batch.message.message.value)
        let decoded = try EventJSONDecoder().decode(TaskBatch.self, from: value)
        #expect(decoded.tasks.count == batch.count)
        return decoded
    }

    private func published(_ count: Int) -> [PackedMessage] {
        (0..<count).map { number in
            var message = PackedMessage(topic: "stock")
            message.addHeader("ce_type", "shop.stock.reserved")
            message.addHeader("ce_id", "id-\(number)")
            return message
        }
    }

    @Test(arguments: [
        TaskReport.Outcome.handled, .fellBack, .retrying, .redirected, .deadLettered, .ignored,
    ])
    func aReportIsReadBackAsItWasMade(_ outcome: TaskReport.Outcome) throws {
        let journal = journal()
        let record = eventRecord(id: #"id "quoted" \ ü"#, headers: [KafkaHeader("ce_correlationid", "flow-1")])
        let error = ErrorSummary(
            type: "Shop.OutOfStock", message: "no \"screws\"\n" + String(repeating: "é", count: 200))
        journal.add(
            Attempt(
                outcome: outcome, number: 3, startedAt: 1_795_259_700_000, microseconds: 1_250, published: published(2),
                notBefore: 1_795_259_701_000, failure: error, sentTo: "inventory.orders.dlt"),
            at: try handling(record), now: 5)
        journal.seal()
        let batch = try #require(try take(journal))
        #expect(batch.service == "inventory" && batch.instance == #"a "host"/1"#)
        let failure = try #require(batch.tasks.first?.failure)
        #expect(failure.type == "Shop.OutOfStock")
        #expect(failure.message.hasPrefix("no \"screws\"\né") && failure.message.utf8.count <= 256)
        #expect(
            batch.tasks == [
                TaskReport(
                    event: #"id "quoted" \ ü"#, flow: "flow-1", type: "shop.order.placed", topic: "orders",
                    partition: 3, offset: 42, attempt: 3, replays: 0, outcome: outcome, startedAt: 1_795_259_700_000,
                    microseconds: 1_250, published: ["id-0", "id-1"], notBefore: 1_795_259_701_000, failure: failure,
                    sentTo: "inventory.orders.dlt")
            ])
    }

    @Test func whatIsNotThereIsLeftOut() throws {
        let journal = journal()
        journal.add(Attempt(outcome: .handled, number: 1, startedAt: 7), at: try handling(eventRecord()), now: 0)
        journal.seal()
        let report = try #require(try take(journal)?.tasks.first)
        #expect(report.notBefore == nil && report.failure == nil && report.published.isEmpty)
        #expect(report.sentTo == nil)
        // An event without a correlation id is its own flow.
        #expect(report.flow == report.event)
    }

    @Test func whatIsAsBeforeOrAsUsualIsLeftOutAndReadBack() throws {
        let journal = journal()
        func add(
            _ id: String, flow: String? = nil, type: String = "shop.order.placed", topic: String = "orders",
            partition: Int32 = 3, attempt: Int = 1, outcome: TaskReport.Outcome = .handled, startedAt: Int64 = 5,
            microseconds: Int64 = 0, published: Int = 0, replays: Int = 0
        ) throws {
            let headers = flow.map { [KafkaHeader("ce_correlationid", $0)] } ?? []
            let record = eventRecord(type, id: id, headers: headers)
            journal.add(
                Attempt(
                    outcome: outcome, number: attempt, startedAt: startedAt, microseconds: microseconds,
                    published: self.published(published)),
                at: record, RecordOrigin(topic: topic, partition: partition, offset: 42, timestamp: .none),
                replays: replays, now: 0)
        }
        func report(
            _ id: String, flow: String? = nil, type: String = "shop.order.placed", topic: String = "orders",
            partition: Int32 = 3, attempt: Int = 1, outcome: TaskReport.Outcome = .handled, startedAt: Int64 = 5,
            microseconds: Int64 = 0, published: [String] = [], replays: Int = 0
        ) -> TaskReport {
            TaskReport(
                event: id, flow: flow ?? id, type: type, topic: topic, partition: partition, offset: 42,
                attempt: attempt, replays: replays, outcome: outcome, startedAt: startedAt,
                microseconds: microseconds, published: published, notBefore: nil, failure: nil)
        }
        try add("e1", flow: "e1")
        try add("e2")
        try add("e3", flow: "f3", startedAt: 6, microseconds: 9, published: 1)
        try add("e4", type: "shop.order.placee", startedAt: 6)
        try add("e5", type: #"shop."order""#, topic: "stock", startedAt: 6)
        try add(
            "e6", type: #"shop."order""#, topic: "stock", partition: 0, attempt: 0, outcome: .redirected, replays: 1)
        try add("e7")
        journal.seal()
        let value = try #require(journal.next?.message.message.value)
        let second = #"{"event":"e2","offset":42},{"event":"e3","flow":"f3","offset":42,"startedAt":6,"#
        #expect(String(decoding: value, as: UTF8.self).contains(second))
        #expect(
            try take(journal)?.tasks == [
                report("e1"), report("e2"),
                report("e3", flow: "f3", startedAt: 6, microseconds: 9, published: ["id-0"]),
                report("e4", type: "shop.order.placee", startedAt: 6),
                report("e5", type: #"shop."order""#, topic: "stock", startedAt: 6),
                report(
                    "e6", type: #"shop."order""#, topic: "stock", partition: 0, attempt: 0, outcome: .redirected,
                    replays: 1),
                report("e7"),
            ])
        // The next record begins anew, in room that was used before.
        #expect(!journal.acknowledged(1))
        try add("e8")
        journal.seal()
        #expect(try take(journal)?.tasks == [report("e8")])
    }

    @Test func aReportWithEveryMemberIsReadAsWell() throws {
        let report = TaskReport(
            event: "e1", flow: "f1", type: "t", topic: "orders", partition: 2, offset: 7, attempt: 3, replays: 1,
            outcome: .deadLettered, startedAt: 9, microseconds: 4, published: ["e2"], notBefore: 11,
            failure: TaskReport.Failure(type: "X", message: "y"), sentTo: "inventory.orders.dlt")
        var plain = report
        (plain.attempt, plain.replays, plain.outcome, plain.published) = (1, 0, .handled, [])
        (plain.notBefore, plain.failure) = (nil, nil)
        let batch = TaskBatch(service: "s", instance: "i", tasks: [report, plain])
        #expect(try EventJSONDecoder().decode(TaskBatch.self, from: EventJSONEncoder().encode(batch)) == batch)
        #expect(try EventJSONDecoder().decode(TaskReport.self, from: EventJSONEncoder().encode(plain)) == plain)
    }

    @Test func aFirstReportWithoutAPlaceIsNone() {
        let json = #"{"service":"s","instance":"i","tasks":[{"event":"e1","type":"t","partition":0,"offset":1}]}"#
        #expect(throws: DecodingError.self) {
            try EventJSONDecoder().decode(TaskBatch.self, from: Array(json.utf8))
        }
    }

    @Test func aRecordThatIsNoEventIsReportedByItsPlace() throws {
        let journal = journal()
        let long = KafkaHeader("ce_id", String(repeating: "x", count: 10_000))
        let record = KafkaRecord(
            topic: "orders", partition: 1, offset: 9, value: nil,
            headers: [long, KafkaHeader("ce_type", bytes: [0xc3, 0x28, 0x00])])
        journal.add(
            Attempt(outcome: .deadLettered, number: 0, startedAt: 7), at: record,
            RecordOrigin(topic: "orders", partition: 1, offset: 9, timestamp: .none), replays: 2, now: 0)
        journal.seal()
        let report = try #require(try take(journal)?.tasks.first)
        #expect(report.event == "" && report.flow == "" && report.type == "\u{fffd}(\u{0}")
        #expect(report.topic == "orders" && report.partition == 1 && report.offset == 9 && report.replays == 2)
    }

    @Test func anEventInStructuredModeIsReportedByItsID() throws {
        let journal = journal()
        let json = #"{"specversion":"1.0","id":"e1","type":"t","source":"/s","correlationid":"f1","data":{}}"#
        let record = KafkaRecord(
            topic: "orders", partition: 1, offset: 9, value: Array(json.utf8),
            headers: [KafkaHeader("content-type", "application/cloudevents+json")])
        journal.add(
            Attempt(outcome: .deadLettered, number: 0, startedAt: 7), at: record,
            RecordOrigin(topic: "orders", partition: 1, offset: 9, timestamp: .none), replays: 0, now: 0)
        journal.seal()
        let report = try #require(try take(journal)?.tasks.first)
        #expect(report.event == "e1" && report.flow == "f1" && report.type == "t")
    }

    @Test func batchesStayBelowTheLimitAndLoseNothing() throws {
        let journal = journal(limit: 2_000)
        let handling = try handling(eventRecord())
        for number in 1...200 {
            journal.add(
                Attempt(outcome: .handled, number: number, startedAt: 0, published: published(number % 7)),
                at: handling,
                now: 0)
        }
        journal.seal()
        var numbers: [Int] = []
        while let batch = journal.next {
            #expect(batch.message.maxWireSize <= 2_000)
            numbers += try #require(try take(journal)).tasks.map(\.attempt)
        }
        #expect(numbers == Array(1...200))
        #expect(journal.lost == 0)
    }

    @Test func idsThatDoNotFitAreLeftOutAndTheReportIsMade() throws {
        let small = journal(limit: 2_000)
        small.add(
            Attempt(outcome: .handled, number: 1, startedAt: 0, published: published(400)),
            at: try handling(eventRecord()), now: 0)
        small.seal()
        #expect(try take(small)?.tasks.map(\.published) == [[]])
        let large = journal()
        large.add(
            Attempt(outcome: .handled, number: 1, startedAt: 0, published: published(600)),
            at: try handling(eventRecord()), now: 0)
        large.seal()
        #expect(try take(large)?.tasks.first?.published.count == 500)
    }

    @Test func aLargeBatchIsSealedByItself() throws {
        let journal = journal()
        let handling = try handling(eventRecord())
        var count = 0
        while journal.next == nil {
            journal.add(Attempt(outcome: .handled, number: 1, startedAt: 0), at: handling, now: 0)
            count += 1
        }
        #expect((2_000...8_000).contains(count))
        #expect(try take(journal)?.tasks.count == count)
    }

    // MARK: What is settled

    private func add(_ journal: TaskJournal, now: UInt64 = 0) throws {
        journal.add(Attempt(outcome: .handled, number: 1, startedAt: 0), at: try handling(eventRecord()), now: now)
    }

    @Test func aBatchIsSettledWhenItAndAllBeforeItAreAcknowledged() throws {
        let journal = journal()
        #expect(journal.seal() == 0)
        #expect(journal.isSettled(through: 0))
        try add(journal)
        #expect(journal.seal() == 1)
        try add(journal)
        #expect(journal.seal() == 2)
        #expect(!journal.isSettled(through: 1))
        journal.sent(now: 0)
        journal.sent(now: 0)
        #expect(!journal.acknowledged(2))
        #expect(!journal.isSettled(through: 2))
        #expect(!journal.acknowledged(1))
        #expect(journal.isSettled(through: 2))
        #expect(journal.isEmpty)
        // What is collected meanwhile is nobody's concern before it is sealed.
        try add(journal)
        #expect(journal.isSettled(through: journal.seal() - 1))
    }

    @Test func aBatchThatIsSentAgainKeepsItsPlaceAndItsDeadline() throws {
        let journal = journal { $0.acknowledgementTimeout = .seconds(1) }
        try add(journal)
        journal.seal()
        journal.sent(now: 5)
        try add(journal)
        journal.seal()
        journal.sendAgain(1)
        #expect(journal.next?.number == 1)
        journal.sent(now: 900)
        #expect(journal.deadline == 1_000_000_005)
        #expect(journal.next?.number == 2)
    }

    @Test func aBatchThatFindsNoRoomHasADeadline() throws {
        let journal = journal { $0.acknowledgementTimeout = .seconds(1) }
        try add(journal)
        let number = journal.seal()
        #expect(journal.deadline == nil)
        journal.delayed(now: 5)
        journal.delayed(now: 600)
        #expect(journal.deadline == 1_000_000_005)
        journal.sent(now: 900)
        #expect(journal.deadline == 1_000_000_005)
        #expect(!journal.acknowledged(number))
        #expect(journal.deadline == nil)
    }

    @Test func aStandstillIsNotCounted() throws {
        let journal = journal { $0.acknowledgementTimeout = .seconds(1) }
        try add(journal)
        journal.seal()
        journal.sent(now: 5)
        try add(journal)
        journal.seal()
        journal.postpone(by: 100)
        #expect(journal.deadline == 1_000_000_105)
        // The second was not offered yet.
        #expect(!journal.acknowledged(1))
        #expect(journal.deadline == nil)
    }

    /// As handlers do that block the service's thread for 2.5 s each: every round is a standstill.
    @Test func manyStandstillsKeepNoFailingTopicFromBeingGivenUp() throws {
        let second: UInt64 = 1_000_000_000
        let journal = journal { $0.acknowledgementTimeout = .seconds(5) }
        try add(journal)
        journal.seal()
        journal.sent(now: 0)
        var now: UInt64 = 0
        while let deadline = journal.deadline, now < deadline {
            now += 5 * second / 2
            journal.postpone(by: 5 * second / 2)
            try #require(now <= 10 * second)
        }
        #expect(now == 15 * second / 2)
        #expect(journal.suspend(now: now) != nil && journal.deadline == nil)
        // A longer one counts as it is, and a shorter one after it adds nothing.
        journal.resume(now: .max - 1)
        try add(journal)
        journal.seal()
        journal.sent(now: 0)
        journal.postpone(by: 3 * second)
        journal.postpone(by: 600 * second)
        journal.postpone(by: 3 * second)
        #expect(journal.deadline == 605 * second)
        #expect(journal.next == nil && journal.isAwaited(2))
    }

    /// Whether the reports wait longer than the transaction, or the transaction longer than the reports.
    @Test(arguments: [(60, 10, 5), (3, 60, 3), (3, 4, 2)])
    func aTransactionThatFailsForItsReportsIsTold(_ timeout: Int, _ transaction: Int, _ patience: UInt64) throws {
        var settings = TrackingSettings()
        settings.acknowledgementTimeout = .seconds(timeout)
        let journal = TaskJournal(
            topic: "troupe.tasks", service: "inventory", instance: "a", limit: 1_000_000, settings: settings,
            transactionTimeout: .seconds(transaction))
        #expect(!journal.isOverdue(now: .max))
        try add(journal)
        let number = journal.seal()
        // Nobody has offered it yet.
        #expect(!journal.isOverdue(now: .max))
        journal.sent(now: 7)
        let due = 7 + patience * 1_000_000_000
        #expect(!journal.isOverdue(now: due - 1))
        #expect(journal.isOverdue(now: due))
        #expect(journal.deadline == 7 + UInt64(timeout) * 1_000_000_000)
        #expect(!journal.acknowledged(number))
        #expect(!journal.isOverdue(now: .max))
    }

    @Test func nothingIsReportedUntilATopicThatIsNotThereHasAppeared() throws {
        let journal = TaskJournal(
            topic: "troupe.tasks", service: "inventory", instance: "a", limit: 1_000_000, settings: TrackingSettings(),
            isTopicAbsent: true)
        try add(journal)
        journal.resume(now: .max - 1)
        #expect(journal.isTopicAbsent && journal.isEmpty && journal.lost == 1)
        #expect(journal.isSettled(through: journal.seal()))
        journal.topicAppeared(limit: 1_000_000)
        try add(journal)
        #expect(!journal.isTopicAbsent && !journal.isEmpty && journal.lost == 1)
        // A topic that fails is not one that is absent.
        #expect(journal.suspend(now: 0) != nil)
        journal.topicAppeared(limit: 1_000_000)
        #expect(journal.isSuspended && !journal.isTopicAbsent)
    }

    @Test func aTopicThatIsNotThereAfterAllSettlesEverything() throws {
        let journal = journal()
        try add(journal)
        journal.seal()
        journal.sent(now: 0)
        try add(journal)
        let last = journal.seal()
        try add(journal)
        journal.topicVanished()
        #expect(journal.isTopicAbsent && journal.isEmpty && journal.isSettled(through: last))
        #expect(journal.lost == 3 && journal.strays == 1 && journal.deadline == nil)
        journal.resume(now: .max - 1)
        try add(journal)
        #expect(journal.lost == 4 && journal.isEmpty)
        journal.topicAppeared(limit: 1_000_000)
        try add(journal)
        #expect(journal.lost == 4 && !journal.isEmpty)
    }

    @Test func batchesStayBelowTheLimitOfATopicThatIsFoundLater() throws {
        let journal = TaskJournal(
            topic: "troupe.tasks", service: "inventory", instance: "a", limit: 1_000_000, settings: TrackingSettings(),
            isTopicAbsent: true)
        journal.topicAppeared(limit: 2_000)
        for _ in 1...200 { try add(journal) }
        journal.seal()
        var count = 0
        while let batch = journal.next {
            #expect(batch.message.maxWireSize <= 2_000)
            count += try #require(try take(journal)).tasks.count
        }
        #expect(count == 200 && journal.lost == 0)
    }

    @Test func aFailingTopicSettlesEverythingAndIsTriedAgainLaterAndLater() throws {
        let journal = journal { $0.suspension = .seconds(30) }
        try add(journal)
        journal.seal()
        journal.sent(now: 0)
        try add(journal)
        let last = journal.seal()
        try add(journal)
        let second: UInt64 = 1_000_000_000
        #expect(journal.suspend(now: 0) == 30 * second)
        #expect(journal.isSettled(through: last) && journal.isEmpty && journal.strays == 1)
        #expect(journal.lost == 3)
        try add(journal)
        #expect(journal.lost == 4 && journal.isEmpty)
        journal.resume(now: 30 * second - 1)
        #expect(journal.isSuspended)
        journal.resume(now: 30 * second)
        try add(journal)
        #expect(!journal.isEmpty)
        // Told once.
        #expect(journal.suspend(now: 30 * second) == nil)
        journal.resume(now: 90 * second - 1)
        #expect(journal.isSuspended)
        journal.resume(now: 90 * second)
        try add(journal)
        let number = journal.seal()
        journal.sent(now: 90 * second)
        #expect(journal.acknowledged(number))
        #expect(journal.suspend(now: 90 * second) == 30 * second)
    }

    @Test func whatAnAbortedTransactionToldIsForgottenAndNotLost() throws {
        let journal = journal()
        try add(journal)
        journal.seal()
        journal.sent(now: 0)
        try add(journal)
        journal.abandon()
        #expect(journal.isEmpty && journal.lost == 0 && journal.strays == 1)
        journal.strayed()
        #expect(journal.strays == 0)
        try add(journal)
        #expect(journal.seal() == 2)
    }

    @Test func tooMuchWithoutAcknowledgementHoldsHandlersBack() throws {
        let journal = journal()
        let handling = try handling(eventRecord())
        while journal.hasRoom {
            journal.add(Attempt(outcome: .handled, number: 1, startedAt: 0), at: handling, now: 0)
            if let batch = journal.next, batch.number > 1_000 { break }
            if journal.next != nil { journal.sent(now: 0) }
        }
        #expect(!journal.hasRoom)
        for number in 1...1_000 { _ = journal.acknowledged(number) }
        #expect(journal.hasRoom)
    }
}
