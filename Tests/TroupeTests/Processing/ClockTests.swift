// What a wall clock that is set back or forward does to delays.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct ClockTests {
    /// A record of the retry topic, written at `written` by the writer's clock and due at `notBefore`.
    private func delay(
        written: Int64, kind: KafkaTimestamp.Kind = .createTime, notBefore: Int64?, now: Int64
    ) throws -> Int64 {
        let headers = notBefore.map { [KafkaHeader("troupe-not-before", "\($0)")] } ?? []
        var record = eventRecord(
            topic: "inventory.orders.retry", headers: [KafkaHeader("troupe-attempt", "1")] + headers)
        record = KafkaRecord(
            topic: record.topic, partition: 0, offset: 0, timestamp: KafkaTimestamp(milliseconds: written, kind: kind),
            key: record.key.map { Array($0) }, value: record.value.map { Array($0) }, headers: record.headers)
        return try orderProcessor().classify(record).handling().delay(now: now)
    }

    @Test func aDelayEndsWhenItsTimeHasCome() throws {
        #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: testTime + 500) == 1_500)
        #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: testTime + 1_999) == 1)
        #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: testTime + 2_000) == 0)
        #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: testTime + 9_000) == 0)
        #expect(try delay(written: testTime, notBefore: nil, now: testTime) == 0)
    }

    @Test func aClockSetBackNeverMakesADelayLongerThanItWasMeantToBe() throws {
        for jump in [1, 1_000, 3_600_000, testTime, testTime + 86_400_000] as [Int64] {
            #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: testTime - jump) == 2_000, "\(jump)")
        }
        // What was written before the jump and half waited for begins anew: late by at most the delay itself.
        #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: testTime - 500) == 2_000)
    }

    @Test func aBrokersTimeIsNotTakenForTheWriters() throws {
        // The broker's clock is ahead by ten seconds: the delay would be over before it began.
        let left = try delay(
            written: testTime + 1_900, kind: .logAppendTime, notBefore: testTime + 2_000, now: testTime)
        #expect(left == 2_000)
    }

    @Test func hostileTimesNeitherTrapNorEndADelayEarly() throws {
        #expect(try delay(written: 4_000_000_000_000_000, notBefore: testTime + 2_000, now: testTime) == 2_000)
        #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: .min) == 2_000)
        #expect(try delay(written: testTime, notBefore: testTime + 2_000, now: .max) == 0)
    }
}
