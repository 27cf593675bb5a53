// The ledger against a plain set of offsets.

import Testing

@testable import Troupe

@Suite struct OffsetLedgerTests {
    @Test func baseMovesOnlyOverContiguousCompletion() {
        var ledger = OffsetLedger()
        for offset in 100..<105 { #expect(ledger.take(Int64(offset)) == .taken) }
        ledger.complete(101)
        ledger.complete(103)
        #expect(ledger.base == 100)
        ledger.complete(100)
        #expect(ledger.base == 102)
        ledger.complete(102)
        #expect(ledger.base == 104)
    }

    @Test func gapsCountAsDone() {
        var ledger = OffsetLedger()
        #expect(ledger.take(5) == .taken)
        #expect(ledger.take(9) == .taken)
        ledger.complete(5)
        #expect(ledger.base == 9)
        ledger.complete(9)
        #expect(ledger.base == 10)
    }

    @Test func anotherLogIsTakenFromItsStartOnceNothingIsOpen() {
        var ledger = OffsetLedger()
        #expect(ledger.take(5) == .taken)
        #expect(ledger.take(6) == .taken)
        #expect(ledger.take(0) == .noRoom)
        #expect(!ledger.hasRoom(for: 0))
        ledger.complete(6)
        ledger.complete(5)
        #expect(ledger.base == 7)
        #expect(ledger.hasRoom(for: 0))
        #expect(ledger.take(0) == .restarted)
        #expect(ledger.base == 0)
        #expect(ledger.take(1) == .taken)
        ledger.complete(0)
        ledger.complete(1)
        #expect(ledger.base == 2)
    }

    @Test func fullWindowRefusesUntilTheBaseMoves() {
        var ledger = OffsetLedger()
        for offset in 0..<OffsetLedger.window { #expect(ledger.take(offset) == .taken) }
        #expect(ledger.isFull)
        #expect(ledger.take(OffsetLedger.window) == .noRoom)
        ledger.complete(0)
        #expect(!ledger.isFull)
        #expect(ledger.take(OffsetLedger.window) == .taken)
    }

    @Test func aGapWiderThanTheWindowWaitsForWhatIsOpen() {
        var ledger = OffsetLedger()
        #expect(ledger.take(0) == .taken)
        #expect(ledger.take(1_000_000) == .noRoom)
        #expect(!ledger.hasRoom(for: 1_000_000))
        #expect(ledger.hasRoom(for: 1))
        ledger.complete(0)
        #expect(ledger.take(1_000_000) == .taken)
        #expect(ledger.base == 1_000_000)
    }

    @Test func aNewOwnerSkipsWhatWasCompletedOutOfOrder() throws {
        var first = OffsetLedger()
        for offset in 10..<20 { #expect(first.take(Int64(offset)) == .taken) }
        for offset in [12, 13, 17, 19] { first.complete(Int64(offset)) }
        let snapshot = first.snapshot
        #expect(snapshot.base == 10)
        for offset in 0..<30 {
            #expect(snapshot.covers(Int64(offset)) == (offset < 10 || [12, 13, 17, 19].contains(offset)))
        }
        var second = OffsetLedger(try LedgerSnapshot(base: 10, metadata: snapshot.metadata))
        var taken: [Int64] = []
        for offset in Int64(10)..<22 {
            switch second.take(offset) {
            case .taken: taken.append(offset)
            case .alreadyDone: break
            case .restarted, .noRoom: Issue.record("\(offset)")
            }
        }
        #expect(taken == [10, 11, 14, 15, 16, 18, 20, 21])
        for offset in taken.dropLast() { second.complete(offset) }
        #expect(second.base == 21)
        #expect(second.snapshot.isContiguous)
    }

    @Test func whatAnEarlierOwnerDidIsNotCommittedAsTheBaseBeforeItIsRead() {
        var ledger = OffsetLedger(LedgerSnapshot(base: 5, words: [0b1110]))
        #expect(ledger.take(5) == .taken)
        ledger.complete(5)
        #expect(ledger.base == 6)
        #expect(ledger.snapshot == LedgerSnapshot(base: 6, words: [0b111]))
        for offset in Int64(6)..<9 { #expect(ledger.take(offset) == .alreadyDone) }
        #expect(ledger.base == 9)
        #expect(ledger.snapshot == LedgerSnapshot(base: 9))
    }

    @Test func theEndOfThePartitionPassesMarkersAndIsNoReasonToCommit() {
        var ledger = OffsetLedger()
        #expect(ledger.take(5) == .taken)
        ledger.skip(to: 7)
        #expect(ledger.base == 5)
        ledger.complete(5)
        #expect(ledger.base == 7)
        let revision = ledger.revision
        ledger.skip(to: 9)
        ledger.skip(to: 8)
        #expect(ledger.base == 9)
        #expect(ledger.next == 9)
        #expect(ledger.revision == revision)
        #expect(ledger.take(9) == .taken)
        ledger.skip(to: 9 + OffsetLedger.window)
        #expect(ledger.base == 9)
    }

    @Test func aRestoredLedgerThatReadsAnotherLogForgetsTheFirstOne() {
        var ledger = OffsetLedger(LedgerSnapshot(base: 100, words: [0b10]))
        #expect(ledger.take(0) == .restarted)
        #expect(ledger.snapshot == LedgerSnapshot(base: 0))
        #expect(ledger.take(1) == .taken)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func agreesWithASetOfOffsets(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var ledger = OffsetLedger()
        var open: [Int64] = []
        var highest: Int64 = Int64.random(in: 0..<1_000, using: &random)
        let first = highest
        var log: [Int64] = []
        for _ in 0..<50_000 {
            if Bool.random(using: &random), !ledger.isFull {
                let offset = highest + (Int.random(in: 0..<10, using: &random) == 0 ? 3 : 0)
                switch ledger.take(offset) {
                case .taken:
                    open.append(offset)
                    log.append(offset)
                    highest = offset + 1
                case .noRoom: #expect(offset - ledger.base >= OffsetLedger.window, "seed \(seed)")
                case .restarted, .alreadyDone: Issue.record("seed \(seed): offset \(offset) was never taken")
                }
            } else if !open.isEmpty {
                let index = Int.random(in: 0..<min(open.count, 200), using: &random)
                ledger.complete(open.remove(at: index))
            }
            if Int.random(in: 0..<500, using: &random) == 0, !ledger.isEmpty {
                // Handed over: the new owner takes from the log what is not done, and nothing else.
                let snapshot = ledger.snapshot
                let restored = try LedgerSnapshot(base: snapshot.base, metadata: snapshot.metadata)
                #expect(restored == snapshot, "seed \(seed)")
                ledger = OffsetLedger(restored)
                var again: [Int64] = []
                for offset in log where offset >= snapshot.base {
                    switch ledger.take(offset) {
                    case .taken: again.append(offset)
                    case .alreadyDone: break
                    case .noRoom, .restarted: Issue.record("seed \(seed): \(offset)")
                    }
                }
                #expect(again == open.sorted(), "seed \(seed)")
                open = again
            }
            let expected = open.min() ?? (ledger.isEmpty ? -1 : highest)
            #expect(ledger.base == expected, "seed \(seed)")
        }
        #expect(highest > first)
    }
}

/// SplitMix64: small, seeded, good enough to draw test cases.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
