// What is reported of attempts, batch by batch.

import EventJSON
import KafkaClient
import Testing

@testable import Troupe

@Suite struct TaskJournalTests {
    @Test(arguments: [
        TaskReport.Outcome.handled, .fellBack, .retrying, .redirected, .deadLettered, .ignored,
    ])
    func aReportIsReadBackAsItWasMade(_ outcome: TaskReport.Outcome) throws {
        let journal = TaskJournal.ofTest()
        let record = eventRecord(id: #"id "quoted" \ ü"#, headers: [KafkaHeader("ce_correlationid", "flow-1")])
        let error = ErrorSummary(
            type: "Shop.OutOfStock", message: "no \"screws\"\n" + String(repeating: "é", count: 200))
        journal.add(
            Attempt(
                outcome: outcome, number: 3, startedAt: 1_795_259_700_000, microseconds: 1_250, published: .reserved(2),
                notBefore: 1_795_259_701_000, failure: error, sentTo: "inventory.orders.dlt"),
            at: try .ofTest(record), now: 5)
        journal.seal()
        let batch = try #require(try journal.takeNext())
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
        let journal = TaskJournal.ofTest()
        journal.add(Attempt(outcome: .handled, number: 1, startedAt: 7), at: try .ofTest(), now: 0)
        journal.seal()
        let report = try #require(try journal.takeNext()?.tasks.first)
        #expect(report.notBefore == nil && report.failure == nil && report.published.isEmpty)
        #expect(report.sentTo == nil)
        // An event without a correlation id is its own flow.
        #expect(report.flow == report.event)
    }

    @Test func whatIsAsBeforeOrAsUsualIsLeftOutAndReadBack() throws {
        let journal = TaskJournal.ofTest()
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
                    published: .reserved(published)),
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
            try journal.takeNext()?.tasks == [
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
        #expect(try journal.takeNext()?.tasks == [report("e8")])
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
        let journal = TaskJournal.ofTest()
        let long = KafkaHeader("ce_id", String(repeating: "x", count: 10_000))
        let record = KafkaRecord(
            topic: "orders", partition: 1, offset: 9, value: nil,
            headers: [long, KafkaHeader("ce_type", bytes: [0xc3, 0x28, 0x00])])
        journal.add(
            Attempt(outcome: .deadLettered, number: 0, startedAt: 7), at: record,
            RecordOrigin(topic: "orders", partition: 1, offset: 9, timestamp: .none), replays: 2, now: 0)
        journal.seal()
        let report = try #require(try journal.takeNext()?.tasks.first)
        #expect(report.event == "" && report.flow == "" && report.type == "\u{fffd}(\u{0}")
        #expect(report.topic == "orders" && report.partition == 1 && report.offset == 9 && report.replays == 2)
    }

    @Test func anEventInStructuredModeIsReportedByItsID() throws {
        let journal = TaskJournal.ofTest()
        let json = #"{"specversion":"1.0","id":"e1","type":"t","source":"/s","correlationid":"f1","data":{}}"#
        let record = KafkaRecord(
            topic: "orders", partition: 1, offset: 9, value: Array(json.utf8),
            headers: [KafkaHeader("content-type", "application/cloudevents+json")])
        journal.add(
            Attempt(outcome: .deadLettered, number: 0, startedAt: 7), at: record,
            RecordOrigin(topic: "orders", partition: 1, offset: 9, timestamp: .none), replays: 0, now: 0)
        journal.seal()
        let report = try #require(try journal.takeNext()?.tasks.first)
        #expect(report.event == "e1" && report.flow == "f1" && report.type == "t")
    }

    @Test func batchesStayBelowTheLimitAndLoseNothing() throws {
        let journal = TaskJournal.ofTest(limit: 2_000)
        let handling = try Handling.ofTest()
        for number in 1...200 {
            journal.add(
                Attempt(outcome: .handled, number: number, startedAt: 0, published: .reserved(number % 7)),
                at: handling,
                now: 0)
        }
        journal.seal()
        var numbers: [Int] = []
        while let batch = journal.next {
            #expect(batch.message.maxWireSize <= 2_000)
            numbers += try #require(try journal.takeNext()).tasks.map(\.attempt)
        }
        #expect(numbers == Array(1...200))
        #expect(journal.lost == 0)
    }

    @Test func idsThatDoNotFitAreLeftOutAndTheReportIsMade() throws {
        let small = TaskJournal.ofTest(limit: 2_000)
        small.add(
            Attempt(outcome: .handled, number: 1, startedAt: 0, published: .reserved(400)),
            at: try .ofTest(), now: 0)
        small.seal()
        #expect(try small.takeNext()?.tasks.map(\.published) == [[]])
        let large = TaskJournal.ofTest()
        large.add(
            Attempt(outcome: .handled, number: 1, startedAt: 0, published: .reserved(600)),
            at: try .ofTest(), now: 0)
        large.seal()
        #expect(try large.takeNext()?.tasks.first?.published.count == 500)
    }

    @Test func aLargeBatchIsSealedByItself() throws {
        let journal = TaskJournal.ofTest()
        let handling = try Handling.ofTest()
        var count = 0
        while journal.next == nil {
            journal.add(Attempt(outcome: .handled, number: 1, startedAt: 0), at: handling, now: 0)
            count += 1
        }
        #expect((2_000...8_000).contains(count))
        #expect(try journal.takeNext()?.tasks.count == count)
    }
}
