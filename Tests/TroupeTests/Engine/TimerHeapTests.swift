// Timers fire in order and never early.

import Testing

@testable import Troupe

@Suite struct TimerHeapTests {
    @Test func nothingIsDueEarly() {
        var heap = TimerHeap<String>()
        heap.add("later", due: 20)
        heap.add("sooner", due: 10)
        #expect(heap.popDue(at: 9) == nil)
        #expect(heap.popDue(at: 10) == "sooner")
        #expect(heap.popDue(at: 19) == nil)
        #expect(heap.earliest == 20)
        #expect(heap.popDue(at: 25) == "later")
        #expect(heap.count == 0)
    }

    @Test(arguments: [21, 22, 23] as [UInt64])
    func comesOutSortedAndStable(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var heap = TimerHeap<Int>()
        var expected: [(due: UInt64, index: Int)] = []
        for index in 0..<1_000 {
            let due = UInt64.random(in: 0..<100, using: &random)
            heap.add(index, due: due)
            expected.append((due, index))
        }
        expected.sort { ($0.due, $0.index) < ($1.due, $1.index) }
        var got: [Int] = []
        while let index = heap.popDue(at: 100) { got.append(index) }
        #expect(got == expected.map(\.index), "seed \(seed)")
    }
}

@Suite struct LatencyHistogramTests {
    @Test func quantilesAreWithinAnEighth() throws {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == nil)
        for value in 1...10_000 { histogram.add(microseconds: UInt64(value)) }
        let median = try #require(histogram.quantile(0.5))
        let high = try #require(histogram.quantile(0.99))
        #expect(median >= 5_000 && median <= 5_000 * 9 / 8)
        #expect(high >= 9_900 && high <= 9_900 * 9 / 8)
    }

    @Test func hugeDurationsAreCounted() {
        var histogram = LatencyHistogram()
        histogram.add(microseconds: .max)
        histogram.add(microseconds: 0)
        #expect(histogram.count == 2)
        #expect(histogram.quantile(0) == 0)
    }
}
