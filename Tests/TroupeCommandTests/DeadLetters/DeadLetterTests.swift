// How letters are chosen, planned for replay, grouped and shown.

import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct DeadLetterTests {
    private func letter(
        _ offset: Int64, service: String = "shipping", key: String = "o1", origin: Int64? = nil, error: String = "boom",
        more: [KafkaHeader] = [], value: [UInt8]? = Array(#"{"a":1}"#.utf8)
    ) -> DeadLetter {
        let summary = ErrorSummary(type: "Shop.\(error.capitalized)", message: error)
        return DeadLetter(
            KafkaRecord(
                topic: "\(service).payments.dlt", partition: 1, offset: offset,
                timestamp: KafkaTimestamp(milliseconds: 1_000 + offset), key: Array(key.utf8), value: value,
                headers: [
                    KafkaHeader("ce_id", "id-\(key)"), KafkaHeader("ce_type", "shop.payment.taken"),
                    KafkaHeader("ce_correlationid", "flow-\(key)"), KafkaHeader("troupe-origin-topic", "payments"),
                    KafkaHeader("troupe-origin-partition", "1"),
                    KafkaHeader("troupe-origin-offset", "\(origin ?? offset)"),
                    KafkaHeader("troupe-service", service), KafkaHeader("troupe-reason", "retries-exhausted"),
                    KafkaHeader("troupe-attempt", "3"), KafkaHeader("troupe-error-type", summary.type),
                    KafkaHeader("troupe-error-message", summary.message),
                    KafkaHeader("troupe-fingerprint", summary.fingerprint),
                ] + more))
    }

    private func filter(_ words: String...) throws -> LetterFilter {
        let spec = CommandSpec("x", summary: "", options: LetterFilter.options, examples: [])
        return LetterFilter(try ArgumentParser.parse(words, for: spec))
    }

    @Test func lettersAreChosenByServiceTopicFailureAndKey() throws {
        let letter = letter(7)
        for words in [
            "--service=shipping", "--topic=payments", "--topic=shipping.payments.dlt", "--key=o1",
            "--fingerprint=\(letter.fingerprint.prefix(6).uppercased())",
        ] { #expect(try filter(words).matches(letter), "\(words)") }
        for words in ["--service=ship", "--topic=orders", "--key=o", "--fingerprint=zz"] {
            #expect(try !filter(words).matches(letter), "\(words)")
        }
        #expect(try filter("--service=shipping", "--key=o1").matches(letter))
        #expect(try !filter("--service=shipping", "--key=o2").matches(letter))
        #expect(try filter().isEmpty)
    }

    @Test func aPlaceIsReadAsItIsWritten() {
        let place = LetterPlace(TopicPartition("shipping.payments.dlt", 2), 17)
        #expect(place.description == "shipping.payments.dlt/2/17")
        #expect(LetterPlace("shipping.payments.dlt/2/17") == place)
        for text in ["", "a/b", "/1/2", "a/-1/2", "a/1/-2", "a/1/2/3", "a/x/2"] { #expect(LetterPlace(text) == nil) }
    }

    @Test func aReplayGoesToTheFailedServicesRetryTopicWithIDsKeptAndCounted() throws {
        let counted = letter(7, more: [KafkaHeader("troupe-replay-count", "2")])
        let plan = ReplayPlan([counted], marks: [:], again: false, limit: .max)
        let message = try #require(plan.letters.first).record.message
        #expect(message.topic == "shipping.payments.retry")
        #expect(message.partition == 1)
        #expect(message.key == Array("o1".utf8))
        #expect(message.value == Array(#"{"a":1}"#.utf8))
        let headers = Dictionary(message.headers.map { ($0.name, $0.text) }) { $1 }
        #expect(headers["ce_id"] == "id-o1")
        #expect(headers["ce_correlationid"] == "flow-o1")
        #expect(headers["troupe-replay-count"] == "3")
        #expect(headers["troupe-origin-topic"] == "payments")
        #expect(headers["troupe-error-type"] == nil)
    }

    @Test func aReplayKeepsTheOrderOfTheOrigin() {
        let plan = ReplayPlan(
            [letter(1, origin: 30), letter(2, origin: 10), letter(3, origin: 20)], marks: [:], again: false, limit: 2)
        #expect(plan.letters.map(\.letter.place.offset) == [2, 3])
    }

    @Test func whatWasReplayedIsLeftOutAndCounted() {
        func mark(_ letter: DeadLetter, writtenAt: Int64? = nil) -> ReplayMark {
            ReplayMark(letter: "\(letter.place)", writtenAt: writtenAt ?? letter.writtenAt, replayedAt: 5_000)
        }
        let letters = [letter(1), letter(2), letter(3)]
        let marks = ["\(letters[0].place)": mark(letters[0]), "\(letters[1].place)": mark(letters[1], writtenAt: 5)]
        let plan = ReplayPlan(letters, marks: marks, again: false, limit: .max)
        // The second mark belongs to a letter of a topic that was deleted and made anew.
        #expect(plan.letters.map(\.letter.place.offset) == [2, 3])
        #expect(plan.skipped == 1)
        let again = ReplayPlan(letters, marks: marks, again: true, limit: .max)
        #expect(again.letters.map(\.letter.place.offset) == [1, 2, 3])
        #expect(again.skipped == 0)
    }

    @Test func aLetterThatIsNotWholeIsRefusedByName() {
        let cut = letter(9, more: [KafkaHeader("troupe-value-omitted", "2000000")], value: nil)
        let plan = ReplayPlan([cut, letter(10)], marks: [:], again: false, limit: .max)
        #expect(plan.letters.map(\.letter.place.offset) == [10])
        #expect(plan.refusals.count == 1)
        #expect(plan.refusals.first?.contains("offset 9") == true)
    }

    @Test func groupsAreByServiceTopicAndFailureThoseThatWaitFirst() {
        let rows =
            [letter(1), letter(2, key: "o2"), letter(3, error: "bang")].map { LetterRow($0, nil) }
            + [letter(4, service: "inventory", key: "o9")].map { letter in
                LetterRow(letter, ReplayMark(letter: "\(letter.place)", writtenAt: letter.writtenAt, replayedAt: 9))
            }
        let groups = LetterGroups(rows).groups
        #expect(groups.map(\.service) == ["shipping", "shipping", "inventory"])
        #expect(groups.map(\.letters) == [2, 1, 1])
        #expect(groups.map(\.waiting) == [2, 1, 0])
        #expect(groups[0].failure == "Boom: boom")
        #expect(groups[0].example == "shipping.payments.dlt/1/2")
        #expect(LetterGroups([]).lines(.plain) == [])
    }

    @Test func aListingKeepsTheCauseWholeAndItsEndOnANarrowTerminal() throws {
        let cause = "the carrier " + String(repeating: "very ", count: 30) + "politely said no"
        let rows = [LetterRow(letter(1, error: cause), nil)]
        for lines in [LetterGroups(rows).lines(.plain), LetterRows(letters: rows).lines(.plain)] {
            #expect(lines.count == 2)
            #expect(lines[0].hasSuffix("  FAILURE"))
            #expect(lines[1].hasSuffix(": \(cause)"))
        }
        for lines in [
            LetterGroups(rows).lines(Style(isOn: false, width: 150)),
            LetterRows(letters: rows).lines(Style(isOn: false, width: 150)),
        ] {
            #expect(lines[1].count <= 150)
            #expect(lines[1].hasSuffix("politely said no"))
        }
        #expect(try JSONText.line(LetterGroups(rows)).contains(cause))
    }

    @Test func aLetterIsShownWithCauseOriginAndPayload() {
        let text = LetterDetails(letter(7), nil).lines(.plain).joined(separator: "\n")
        for part in [
            "letter        shipping.payments.dlt/1/7", "cause         Boom: boom", "attempts      3",
            "origin        topic payments, partition 1, offset 7", "correlation   flow-o1", "replayed      no",
            "  ce_type: shop.payment.taken", "payload (JSON, 7 bytes)", "\"a\" : 1",
        ] { #expect(text.contains(part), "\(part)") }
    }

    @Test func aPayloadThatIsNoTextIsShownInHexadecimal() throws {
        let bytes: [UInt8] = Array("{\"a".utf8) + [0xff, 0x00, 0x1b]
        #expect(Payload(bytes).kind == "binary, 6 bytes")
        #expect(Payload(bytes).lines == ["000000  7b 22 61 ff 00 1b                                {\"a..."])
        #expect(Payload(nil).kind == "null")
        #expect(Payload([]).lines == [""])
        #expect(Payload(Array("plain \u{1b}[2J".utf8)).lines == ["plain \\u{1b}[2J"])
        #expect(
            try JSONText.line([Payload(bytes), Payload(nil), Payload(Array("x".utf8))])
                == #"[{"hex":"7b2261ff001b"},null,"x"]"#)
    }

    @Test func aLetterWithoutItsHeadersIsStillALetter() {
        let bare = DeadLetter(
            KafkaRecord(
                topic: "inventory.orders.dlt", partition: 0, offset: 3, timestamp: KafkaTimestamp(milliseconds: 1),
                key: nil,
                value: nil, headers: []))
        #expect(bare.service == "inventory")
        #expect(bare.failure == "unknown")
        #expect(!LetterDetails(bare, nil).lines(.plain).isEmpty)
        #expect(ReplayPlan([bare], marks: [:], again: false, limit: .max).refusals.count == 1)
    }
}
