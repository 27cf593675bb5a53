// Whatever is published is read back the same, for many random events.

import EventJSON
import KafkaClient
import Testing

@testable import Troupe

private struct Blob: RawEvent {
    static let type: EventType = "test.blob"
    static let topic: Topic = "blobs"
    var rawBytes: [UInt8]
    var key: EventKey = .none
    var subject: String?
    init(rawBytes: [UInt8]) { self.rawBytes = rawBytes }
}

@Suite struct EnvelopePropertyTests {
    @Test func whatIsPublishedIsReadBack() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        func text(_ length: ClosedRange<Int>) -> String {
            let letters: [Character] = ["a", "Z", "0", "/", "-", " ", "ö", "漢", "🦊", "\"", "\\", "~"]
            return String(
                (0..<Int.random(in: length, using: &random)).map { _ in
                    letters[Int.random(in: 0..<letters.count, using: &random)]
                })
        }
        for round in 0..<2000 {
            var parent = [
                KafkaHeader("ce_time", RFC3339.text(milliseconds: Int64.random(in: 0...testTime, using: &random)))
            ]
            let correlation = Bool.random(using: &random) ? text(1...40) : nil
            if let correlation { parent.append(KafkaHeader("ce_correlationid", correlation)) }
            if Bool.random(using: &random) {
                parent.append(KafkaHeader("traceparent", TraceContext(startingWith: random.random).text))
                parent.append(KafkaHeader("tracestate", "v=\(round)"))
            }
            parent.shuffle(using: &random)
            let parentID = text(1...60)
            let processor = try blobProcessor()
            let record = eventRecord("test.blob", topic: "blobs", value: "x", id: parentID, headers: parent)
            let handling = try processor.classify(record).handling()
            var emitter = EventEmitter(
                publisher: processor.publisher, cause: .parent(handling), now: testTime + Int64(round),
                random: random.random)
            var blob = Blob(
                rawBytes: (0..<Int.random(in: 0...50, using: &random)).map { _ in
                    UInt8.random(in: .min ... .max, using: &random)
                })
            blob.key = Bool.random(using: &random) ? EventKey(text(0...20)) : .none
            blob.subject = Bool.random(using: &random) ? text(1...20) : nil
            var ids: [EventID?] = []
            for _ in 0..<2 {
                try emitter.emit(blob)
                ids.append(emitter.lastID)
            }
            #expect(emitter.messages.count == 2)
            for (ordinal, message) in emitter.messages.enumerated() {
                let published = KafkaRecord(message)
                let envelope = try EventEnvelope(published)
                let comment: Comment = "seed \(seed), round \(round)"
                #expect(envelope.id == ids[ordinal]?.text, comment)
                #expect(envelope.type == "test.blob" && envelope.source == "/services/blobber", comment)
                #expect(envelope.time == testTime + Int64(round), comment)
                #expect(envelope.subject == blob.subject, comment)
                #expect(envelope.correlationID == correlation ?? parentID, comment)
                #expect(envelope.causationID == parentID, comment)
                #expect(envelope.contentType == "application/octet-stream", comment)
                #expect(envelope.traceParent != nil, comment)
                #expect(envelope.traceState == (try EventEnvelope(record).traceState), comment)
                #expect(EventKey(recordKey: published.key) == blob.key, comment)
                #expect(published.value.map { Array($0) } == blob.rawBytes, comment)
                #expect(message.maxWireSize >= message.byteCount, comment)
            }
            #expect(ids[0] != ids[1])
        }
        print("seed \(seed)")
    }

    private func blobProcessor() throws -> RecordProcessor {
        var router = EventRouter()
        router.on(Blob.self) { _, _ in }
        return try RecordProcessor(service: "blobber", router: router, settings: .fixed())
    }
}
