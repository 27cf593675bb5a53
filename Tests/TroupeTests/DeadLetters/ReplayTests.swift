// Sending dead letters back.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct ReplayTests {
    private func letter(_ processor: RecordProcessor, _ record: KafkaRecord) throws -> KafkaRecord {
        let handling = try processor.classify(record).handling()
        guard
            case .deadLetter(let letter, _) = processor.decide(
                InvalidOrder(), handling, attempt: 4, firstFailedAt: 5, now: testTime)
        else { throw CancellationError() }
        return KafkaRecord(letter, offset: 77)
    }

    @Test func aReplayedLetterIsHandledAgainByTheServiceThatFailed() throws {
        let processor = try orderProcessor()
        let record = eventRecord(headers: [KafkaHeader("ce_correlationid", "flow")])
        let replayed = try Replay.record(for: try letter(processor, record))
        #expect(replayed.topic == "inventory.orders.retry" && replayed.partition == 3)
        let handling = try processor.classify(KafkaRecord(replayed, offset: 9)).handling()
        #expect(handling.attempt == 1 && handling.notBefore == nil && handling.replayCount == 1)
        #expect(handling.eventID == "0190163d-8694-739b-aea5-966c26f8ad91" && handling.correlationID == "flow")
        #expect(handling.origin.offset == 42 && handling.firstFailedAt == 5)
        #expect(replayed.header("troupe-error-message") == nil && replayed.header("troupe-reason") == "replay")
        // Failed and sent back once more, it counts on.
        let again = try Replay.record(for: try letter(processor, KafkaRecord(replayed, offset: 9)))
        #expect(again.header("troupe-replay-count") == "2")
        #expect(again.message.value == record.value.map { Array($0) })
    }

    @Test func whatWasRedactedIsLeftOutOfAReplay() throws {
        let letter = eventRecord(
            topic: "x.orders.dlt",
            headers: [
                KafkaHeader("troupe-origin-topic", "orders"), KafkaHeader("Authorization", "[redacted]"),
                KafkaHeader("a", "b"), KafkaHeader("c", bytes: nil),
            ])
        #expect(Replay.redactedHeaders(of: letter) == ["Authorization"])
        let replayed = try Replay.record(for: letter)
        #expect(replayed.header("Authorization") == nil && replayed.header("a") == "b")
        #expect(replayed.message.headers.contains { $0.name == "c" && $0.value == nil })
    }

    @Test func whatCannotBeSentBackSaysWhy() throws {
        #expect(throws: ReplayFailure.self) { try Replay.record(for: eventRecord()) }
        #expect(throws: ReplayFailure.self) { try Replay.record(for: eventRecord(topic: "x.orders.dlt")) }
        let omitted = eventRecord(
            topic: "x.orders.dlt", value: nil,
            headers: [
                KafkaHeader("troupe-value-omitted", "9"), KafkaHeader("troupe-origin-topic", "orders"),
                KafkaHeader("troupe-origin-partition", "3"), KafkaHeader("troupe-origin-offset", "42"),
            ])
        let failure = #expect(throws: ReplayFailure.self) { try Replay.record(for: omitted) }
        #expect(failure?.description.contains("topic orders, partition 3, offset 42") == true)
    }
}
