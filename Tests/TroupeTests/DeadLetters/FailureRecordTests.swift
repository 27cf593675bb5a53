// Retry records and dead letters, and their sizes.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct FailureRecordTests {
    private let stamp = FailureStamp(
        origin: RecordOrigin(topic: "orders", partition: 7, offset: 5, timestamp: KafkaTimestamp(milliseconds: 3)),
        service: "inventory", reason: .retriesExhausted, attempt: 4, notBefore: 9, firstFailedAt: 8,
        error: ErrorSummary(type: "Outage", message: "down"), replayCount: 2)

    private func record(_ valueBytes: Int, headerBytes: Int = 10, keyBytes: Int = 3) -> KafkaRecord {
        KafkaRecord(
            topic: "orders", partition: 7, offset: 5, key: [UInt8](repeating: 1, count: keyBytes),
            value: [UInt8](repeating: 2, count: valueBytes),
            headers: [KafkaHeader("h", bytes: [UInt8](repeating: 3, count: headerBytes))])
    }

    @Test func headersAreWrittenAndReadBack() {
        let letter = FailureRecordBuilder(maxMessageBytes: 10_000).deadLetter(record(10), to: "x.dlt", stamp)
        let read = FailureHeaders(KafkaRecord(letter))
        #expect(read.originTopic == "orders" && read.originPartition == 7 && read.originOffset == 5)
        #expect(read.originTimestamp == 3 && read.service == "inventory" && read.reason == .retriesExhausted)
        #expect(read.attempt == 4 && read.notBefore == 9 && read.firstFailedAt == 8 && read.replayCount == 2)
        #expect(read.errorType == "Outage" && read.errorMessage == "down")
        #expect(read.fingerprint == stamp.error?.fingerprint && read.valueOmitted == nil)
    }

    @Test func failureHeadersAreReplacedAndNotRepeated() {
        let builder = FailureRecordBuilder(maxMessageBytes: 10_000)
        let first = builder.deadLetter(record(10), to: "x.dlt", stamp)
        let second = builder.deadLetter(KafkaRecord(first), to: "x.dlt", stamp)
        #expect(first.message.headers == second.message.headers)
    }

    @Test(arguments: [-1, 0, 1]) func aLetterKeepsItsValueUpToTheLimit(_ excess: Int) {
        let limit = 4000
        let builder = FailureRecordBuilder(maxMessageBytes: limit)
        let overhead = FailureRecordBuilder(maxMessageBytes: .max).deadLetter(record(0), to: "x.dlt", stamp).maxWireSize
        let size = limit - overhead + excess
        let letter = builder.deadLetter(record(size), to: "x.dlt", stamp)
        let retry = builder.retryRecord(record(size), to: "x.retry", stamp)
        if excess <= 0 {
            #expect(letter.maxWireSize == limit + excess && letter.message.value?.count == size)
            #expect(letter.header("troupe-value-omitted") == nil && retry?.maxWireSize == limit + excess)
        } else {
            #expect(letter.maxWireSize < limit && letter.message.value == nil && retry == nil)
            #expect(letter.header("troupe-value-omitted") == String(size))
            #expect(letter.header("h") != nil && letter.message.key?.count == 3)
            #expect(letter.header("troupe-origin-offset") == "5")
        }
    }

    @Test func enormousHeadersAndKeysAreLeftOutToo() {
        let builder = FailureRecordBuilder(maxMessageBytes: 2000)
        let headers = builder.deadLetter(record(10, headerBytes: 3000), to: "x.dlt", stamp)
        #expect(headers.header("h") == nil && headers.header("troupe-headers-omitted") == "1")
        #expect(headers.message.key?.count == 3 && headers.maxWireSize <= 2000)
        let key = builder.deadLetter(record(10, headerBytes: 3000, keyBytes: 3000), to: "x.dlt", stamp)
        #expect(key.message.key == nil && key.header("troupe-key-omitted") == "3000" && key.maxWireSize <= 2000)
        #expect(key.partition == 7, "the partition stays, though nothing is left of the key")
    }

    @Test func nullsAndEmptyValuesStayApart() {
        let builder = FailureRecordBuilder(maxMessageBytes: 2000)
        let null = builder.deadLetter(KafkaRecord(topic: "orders", value: nil), to: "x.dlt", stamp)
        let empty = builder.deadLetter(KafkaRecord(topic: "orders", key: [], value: []), to: "x.dlt", stamp)
        #expect(
            null.message.key == nil && null.message.value == nil && empty.message.key == [] && empty.message.value == []
        )
    }

    @Test func headerNamesThatAreNoTextAreKeptAsTheyAre() {
        var message = PackedMessage(topic: "orders")
        let name: [UInt8] = [0xff, 0x41]
        name.withUnsafeBytes { message.addHeader($0, nil) }
        #expect(message.byteCount == 2)
        let record = KafkaRecord(topic: "orders", value: [], headers: [KafkaHeader("troupe-other", "kept")])
        let letter = FailureRecordBuilder(maxMessageBytes: 2000).deadLetter(record, to: "x.dlt", stamp)
        #expect(letter.header("troupe-other") == "kept", "only Troupe's own failure headers are replaced")
    }

    @Test func partitionsAreWrappedWhereThereAreFewer() {
        for (count, expected) in [(12, 7), (8, 7), (7, 0), (4, 3), (0, 7)] as [(Int32, Int32)] {
            var message = PackedMessage(topic: "x")
            message.partition = 7
            message.wrapPartition(count: count)
            #expect(message.partition == expected)
        }
    }
}
