// Lanes against plain queues by key.

import Testing

@testable import Troupe

@Suite struct LaneTableTests {
    struct Work: Equatable, LaneWork {
        var key: UInt64 = 0
        var sequence = -1
        var outstanding = false

        mutating func clear() { sequence = -1 }
    }

    func table() -> LaneTable<Work> { LaneTable(buckets: 8) }

    func next(_ lanes: inout LaneTable<Work>) throws -> Int32 {
        let node = lanes.nextReady()
        return try #require(node)
    }

    @Test func oneKeyRunsInOrderAndAloneAtATime() throws {
        var lanes = table()
        for sequence in 0..<3 { lanes.append(Work(key: 1, sequence: sequence), partition: 0, hash: 1) }
        for sequence in 0..<3 {
            let node = try next(&lanes)
            #expect(lanes[node].sequence == sequence)
            #expect(lanes.nextReady() == nil)
            lanes.advance(node)
            lanes.remove(node)
        }
        #expect(lanes.count == 0)
        #expect(!lanes.hasReady)
    }

    @Test func differentKeysAndPartitionsRunSideBySide() {
        var lanes = table()
        lanes.append(Work(key: 1, sequence: 0), partition: 0, hash: 1)
        lanes.append(Work(key: 9, sequence: 1), partition: 0, hash: 9)
        lanes.append(Work(key: 1, sequence: 2), partition: 1, hash: 1)
        var seen: Set<Int> = []
        while let node = lanes.nextReady() { seen.insert(lanes[node].sequence) }
        #expect(seen == [0, 1, 2])
    }

    @Test func heldLaneRunsNothingUntilItIsResumed() throws {
        var lanes = table()
        lanes.append(Work(key: 1, sequence: 0), partition: 0, hash: 1)
        lanes.append(Work(key: 1, sequence: 1), partition: 0, hash: 1)
        let first = try next(&lanes)
        lanes.hold(first)
        #expect(lanes.nextReady() == nil)
        lanes.resume(first)
        #expect(lanes.nextReady() == first)
    }

    @Test func droppingAPartitionKeepsRunningAndOutstandingRecords() throws {
        var lanes = table()
        for sequence in 0..<3 { lanes.append(Work(key: 1, sequence: sequence), partition: 0, hash: 1) }
        lanes.append(Work(key: 2, sequence: 3, outstanding: true), partition: 0, hash: 2)
        lanes.append(Work(key: 3, sequence: 4), partition: 0, hash: 3)
        lanes.append(Work(key: 1, sequence: 5), partition: 1, hash: 1)
        let running = try next(&lanes)
        let letter = try next(&lanes)
        lanes.hold(letter)
        let dropped = lanes.drop(partition: 0, isOutstanding: \.outstanding)
        #expect(Set(dropped.map(\.sequence)) == [1, 2, 4])
        #expect(lanes.count == 3)
        let other = try next(&lanes)
        #expect(lanes[other].sequence == 5)
        #expect(lanes.nextReady() == nil)
        lanes.advance(running)
        lanes.remove(running)
        lanes.advance(letter)
        lanes.remove(letter)
        #expect(lanes.count == 1)
        #expect(lanes.nextReady() == nil)
    }

    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func keepsEachKeysOrderUnderRandomUse(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var lanes = table()
        var expected: [UInt64: [Int]] = [:]
        var held: [Int32] = []
        var running: [Int32] = []
        var sequence = 0
        var handled = 0
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                let key = UInt64.random(in: 0..<20, using: &random)
                lanes.append(Work(key: key, sequence: sequence), partition: Int32(key % 3), hash: key)
                expected[key, default: []].append(sequence)
                sequence += 1
            case 2:
                if let node = lanes.nextReady() {
                    #expect(expected[lanes[node].key]?.first == lanes[node].sequence, "seed \(seed)")
                    running.append(node)
                }
            case 3:
                guard !running.isEmpty else { continue }
                let node = running.remove(at: Int.random(in: 0..<running.count, using: &random))
                if Bool.random(using: &random) {
                    lanes.hold(node)
                    held.append(node)
                } else {
                    expected[lanes[node].key]?.removeFirst()
                    handled += 1
                    lanes.advance(node)
                    lanes.remove(node)
                }
            default:
                guard !held.isEmpty else { continue }
                lanes.resume(held.remove(at: Int.random(in: 0..<held.count, using: &random)))
            }
        }
        #expect(lanes.count == expected.values.reduce(0) { $0 + $1.count }, "seed \(seed)")
        #expect(handled > 1_000, "seed \(seed)")
    }
}
