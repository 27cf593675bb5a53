// Records of all kinds of nonsense: each ends somewhere with a reason, and nothing crashes.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct MalformedRecordTests {
    @Test func tenThousandMalformedRecordsAllEndAsDeadLetters() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        var router = EventRouter()
        router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, _ in
            StockReserved(orderID: order.orderID)
        }
        let processor = try RecordProcessor(service: "inventory", router: router, settings: .fixed())
        var reasons: [String: Int] = [:]
        for round in 0..<10_000 {
            let record = malformed(round, &random)
            let letter: PackedMessage
            switch processor.classify(record) {
            case .skip(let reason):
                Issue.record("seed \(seed), round \(round): skipped as \(reason)")
                continue
            case .deadLetter(let failure): letter = processor.deadLetter(record, failure, now: testTime)
            case .handle(let handling):
                do {
                    _ = try await processor.handle(handling, attempt: handling.attempt, firstFailedAt: nil)
                    Issue.record("seed \(seed), round \(round): handled \(record.value?.text ?? "nil")")
                    continue
                } catch {
                    guard
                        case .deadLetter(let message, _) = processor.decide(
                            error, handling, attempt: handling.attempt, firstFailedAt: nil, now: testTime)
                    else {
                        Issue.record("seed \(seed), round \(round): \(error) is no dead letter")
                        continue
                    }
                    letter = message
                }
            }
            // The letter says why, keeps the original, and can be read.
            let read = FailureHeaders(KafkaRecord(letter))
            let comment: Comment = "seed \(seed), round \(round)"
            let reason = try #require(read.reason, comment)
            reasons[reason.rawValue, default: 0] += 1
            #expect(letter.topic == "inventory.orders.dlt", comment)
            #expect(letter.message.value == record.value.map { Array($0) }, comment)
            #expect(letter.message.key == record.key.map { Array($0) }, comment)
            #expect(read.originTopic == "orders" && read.errorMessage?.isEmpty == false, comment)
        }
        print("seed \(seed), reasons \(reasons)")
        #expect(reasons.values.reduce(0, +) == 10_000)
        #expect(reasons.count >= 6, "\(reasons)")
    }

    private func malformed(_ round: Int, _ random: inout SeededRandom) -> KafkaRecord {
        func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: count, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        }
        let topic = Bool.random(using: &random) ? "orders" : "inventory.orders.retry"
        let key: [UInt8]? = Bool.random(using: &random) ? bytes(0...30) : nil
        let good = Array(#"{"orderID":"o-1","lines":[{"article":"a","quantity":1}]}"#.utf8)
        var value: [UInt8]? = good
        var headers = eventRecord().headers
        switch Int.random(in: 0..<9, using: &random) {
        case 0: value = bytes(0...200)
        case 1: value = Array(good.prefix(Int.random(in: 0..<good.count, using: &random)))
        case 2:
            // A byte that breaks JSON, wherever it stands.
            value?[Int.random(in: 0..<good.count, using: &random)] = UInt8.random(in: 0...8, using: &random)
        case 3: value = nil
        case 4: headers = []
        case 5:
            let missing = ["ce_id", "ce_source", "ce_specversion", "ce_type"].randomElement(using: &random)
            headers.removeAll { $0.name == missing }
        case 6:
            let name = ["ce_id", "ce_source", "ce_correlationid", "ce_causationid", "ce_subject"].randomElement(
                using: &random)
            headers.append(
                KafkaHeader(name ?? "ce_id", bytes: bytes(0...20) + [UInt8.random(in: 0...31, using: &random)]))
        case 7: headers.append(KafkaHeader("ce_specversion", bytes: bytes(1...10)))
        default:
            headers.append(KafkaHeader("content-type", "application/cloudevents+json"))
            value = Array((#"{"specversion":"1.0","id":"#).utf8) + bytes(0...100)
        }
        // Headers of any kind beside them change nothing about it.
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let names = ["troupe-attempt", "troupe-not-before", "traceparent", "ce_time", "x"]
            let header = KafkaHeader(
                names.randomElement(using: &random) ?? "x", bytes: Bool.random(using: &random) ? bytes(0...30) : nil)
            headers.insert(header, at: Int.random(in: 0...headers.count, using: &random))
        }
        return KafkaRecord(
            topic: topic, partition: 1, offset: Int64(round), timestamp: KafkaTimestamp(milliseconds: 1), key: key,
            value: value, headers: headers)
    }
}
