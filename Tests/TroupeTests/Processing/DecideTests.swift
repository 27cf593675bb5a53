// What follows from a failed handling.

import KafkaClient
import Testing

@testable import Troupe

private struct Outage: Error, CustomStringConvertible {
    var description: String { "The bank is down since 11:15, call 4711" }
}

@Suite struct DecideTests {
    private let record = eventRecord(
        headers: [
            KafkaHeader("authorization", "secret"), KafkaHeader("twice", "a"), KafkaHeader("twice", "b"),
            KafkaHeader("null", bytes: nil), KafkaHeader("empty", ""), KafkaHeader("troupe-attempt", "999"),
        ])

    private func decide(
        _ processor: RecordProcessor, _ record: KafkaRecord, _ error: any Error = Outage(), attempt: Int = 1,
        firstFailedAt: Int64? = nil, now: Int64 = testTime
    ) throws -> FailureAction {
        processor.decide(
            error, try processor.classify(record).handling(), attempt: attempt, firstFailedAt: firstFailedAt, now: now)
    }

    @Test func shortDelaysAreWaitedForInPlace() throws {
        let processor = try orderProcessor(retry: .fixed(.seconds(1), maxRetries: 1))
        guard case .retryInPlace(.seconds(1)) = try decide(processor, record) else {
            Issue.record("Not in place")
            return
        }
        guard case .deadLetter(let letter, let summary) = try decide(processor, record, attempt: 2, firstFailedAt: 7)
        else {
            Issue.record("No dead letter")
            return
        }
        #expect(letter.topic == "inventory.orders.dlt" && summary.attempt == 2 && summary.reason == .retriesExhausted)
        #expect(letter.header("troupe-attempt") == "2" && letter.header("troupe-first-failed-at") == "7")
        #expect(letter.header("troupe-reason") == "retries-exhausted")
    }

    @Test func longDelaysGoThroughTheRetryTopic() throws {
        let processor = try orderProcessor(retry: .fixed(.milliseconds(1001), maxRetries: 3))
        guard case .retryTopic(let message, let notBefore, let summary) = try decide(processor, record) else {
            Issue.record("Not through the retry topic")
            return
        }
        #expect(notBefore == testTime + 1001 && summary.reason == .retry)
        #expect(message.topic == "inventory.orders.retry" && message.partition == 3)
        let expected = [
            "troupe-origin-topic": "orders", "troupe-origin-partition": "3", "troupe-origin-offset": "42",
            "troupe-origin-timestamp": "1000", "troupe-service": "inventory", "troupe-reason": "retry",
            "troupe-attempt": "1", "troupe-not-before": String(notBefore), "troupe-first-failed-at": String(testTime),
            "troupe-error-message": "The bank is down since 11:15, call 4711",
        ]
        for (name, value) in expected { #expect(message.header(name) == value) }
        #expect(message.header("troupe-error-type")?.hasSuffix("Outage") == true)
        // The original is there byte for byte.
        let original = record.headers.filter { !$0.name.hasPrefix("troupe-") }
        #expect(Array(message.message.headers.prefix(original.count)) == original)
        #expect(
            message.message.key == record.key.map { Array($0) }
                && message.message.value == record.value.map { Array($0) })
    }

    @Test func delaysAreRoundedUpSoThatNothingIsEarly() throws {
        let processor = try orderProcessor(retry: .fixed(.seconds(2) + .nanoseconds(1), maxRetries: 3))
        guard case .retryTopic(_, let notBefore, _) = try decide(processor, record) else {
            Issue.record("Not through the retry topic")
            return
        }
        #expect(notBefore == testTime + 2001)
    }

    @Test func inTheRetryTopicFailuresAreHeldInPlace() throws {
        let processor = try orderProcessor(retry: .fixed(.seconds(60), maxRetries: 3))
        guard case .retryTopic(let message, let notBefore, _) = try decide(processor, record) else {
            Issue.record("Not through the retry topic")
            return
        }
        let retried = KafkaRecord(message, offset: 1000)
        let handling = try processor.classify(retried).handling()
        #expect(handling.isFromRetryTopic && handling.attempt == 2 && handling.firstFailedAt == testTime)
        #expect(handling.notBefore == notBefore && processor.notBefore(of: retried) == notBefore)
        #expect(handling.origin.topic == "orders" && handling.origin.offset == 42 && handling.origin.partition == 3)
        guard case .retryInPlace(.seconds(60)) = try decide(processor, retried, attempt: 2) else {
            Issue.record("Not in place")
            return
        }
        guard case .deadLetter(let letter, _) = try decide(processor, retried, attempt: 4, firstFailedAt: testTime)
        else {
            Issue.record("No dead letter")
            return
        }
        #expect(letter.topic == "inventory.orders.dlt" && letter.partition == 3)
        #expect(letter.header("troupe-origin-offset") == "42" && letter.header("troupe-attempt") == "4")
        #expect(letter.header("troupe-not-before") == nil)
    }

    @Test func failureHeadersOfStrangersMeanNothing() throws {
        let record = eventRecord(headers: [
            KafkaHeader("troupe-attempt", "2"), KafkaHeader("troupe-not-before", "9999999999999"),
            KafkaHeader("troupe-origin-topic", "elsewhere"), KafkaHeader("troupe-replay-count", "3"),
        ])
        let handling = try orderProcessor().classify(record).handling()
        #expect(handling.attempt == 1 && handling.notBefore == nil && handling.origin.topic == "orders")
        #expect(handling.replayCount == 0)
    }

    @Test func hostileFailureHeadersInTheRetryTopicDoNoHarm() throws {
        let processor = try orderProcessor()
        let record = eventRecord(
            topic: "inventory.orders.retry",
            headers: [
                KafkaHeader("troupe-attempt", "-5"), KafkaHeader("troupe-not-before", "253402300799999"),
                KafkaHeader("troupe-origin-topic", "a b"), KafkaHeader("troupe-origin-partition", "-1"),
                KafkaHeader("troupe-origin-offset", "x"), KafkaHeader("troupe-first-failed-at", "1e3"),
                KafkaHeader("troupe-replay-count", "99999999999999999999999"),
            ])
        let handling = try processor.classify(record).handling()
        #expect(handling.attempt == 1 && handling.firstFailedAt == nil && handling.replayCount == 0)
        #expect(handling.origin.topic == "orders" && handling.origin.partition == 3 && handling.origin.offset == 42)
        // No longer than the topic keeps its records: a day, after the record's own time.
        #expect(handling.notBefore == 86_401_000)
    }

    @Test func errorsThatCannotHealAreNotRetried() throws {
        let processor = try orderProcessor()
        func reason(_ error: any Error) throws -> String? {
            guard case .deadLetter(let letter, _) = try decide(processor, record, error) else { return nil }
            return letter.header("troupe-reason")
        }
        #expect(try reason(DecodeFailure(type: "t", underlying: Outage())) == "undecodable")
        #expect(try reason(PublicationFailure(type: "t", topic: "x", detail: "d")) == "unpublishable")
        let strict = try orderProcessor(retry: .standard.notRetrying(Outage.self))
        guard case .deadLetter(let letter, _) = try decide(strict, record) else {
            Issue.record("No dead letter")
            return
        }
        #expect(letter.header("troupe-reason") == "not-retryable" && letter.header("troupe-attempt") == "1")
        guard case .ignore(let summary) = try decide(try orderProcessor(retry: .standard.ignoring(Outage.self)), record)
        else {
            Issue.record("Not ignored")
            return
        }
        #expect(summary.description.contains("orders[3] offset 42"))
    }

    @Test func routesHaveTheirOwnPolicy() throws {
        var router = EventRouter(retry: .never)
        router.on(OrderPlaced.self, retry: .fixed(.zero, maxRetries: 1)) { _, _ in }
        let processor = try RecordProcessor(service: "inventory", router: router, settings: .fixed())
        guard case .retryInPlace(.zero) = try decide(processor, record) else {
            Issue.record("Not retried")
            return
        }
    }

    @Test func aRecordWithoutRoomForFailureHeadersWaitsInPlace() throws {
        let processor = try orderProcessor(retry: .fixed(.seconds(60), maxRetries: 1)) {
            // Even with 64 KiB more the record does not fit.
            $0.maxMessageBytes = 100
        }
        let large = eventRecord(headers: [KafkaHeader("big", String(repeating: "x", count: 66_000))])
        guard case .retryInPlace(.seconds(60)) = try decide(processor, large) else {
            Issue.record("Not in place")
            return
        }
    }

    @Test func lettersHideRedactedHeadersAndRetriesDoNot() throws {
        let processor = try orderProcessor(retry: .fixed(.seconds(60), maxRetries: 1)) {
            $0.redactedHeaders = ["Authorization"]
        }
        guard case .retryTopic(let message, _, _) = try decide(processor, record),
            case .deadLetter(let letter, _) = try decide(processor, record, attempt: 2)
        else {
            Issue.record("Neither retry nor letter")
            return
        }
        #expect(message.header("authorization") == "secret" && letter.header("authorization") == "[redacted]")
    }

    @Test func followersCarryNoTimeOfTheirOwn() throws {
        let processor = try orderProcessor()
        let message = try #require(processor.follower(try processor.classify(record).handling()))
        #expect(message.topic == "inventory.orders.retry" && message.header("troupe-reason") == "follower")
        #expect(message.header("troupe-not-before") == nil && message.header("troupe-attempt") == "0")
        #expect(try processor.classify(KafkaRecord(message)).handling().attempt == 1)
    }

    @Test func theStatedSummaryNamesThePlace() throws {
        let processor = try orderProcessor()
        let record = eventRecord(value: nil)
        guard case .deadLetter(let failure) = processor.classify(record) else {
            Issue.record("No dead letter")
            return
        }
        let letter = processor.deadLetter(record, failure, now: testTime)
        #expect(letter.header("troupe-reason") == "tombstone" && letter.header("troupe-attempt") == "0")
        #expect(letter.header("troupe-first-failed-at") == String(testTime) && letter.partition == 3)
        #expect(processor.summary(record, failure).description.contains("orders[3] offset 42: tombstone"))
    }
}
