// Which keys must go through the retry topic, and for how long.

import Testing

@testable import Troupe

@Suite struct KeyMarksTests {
    @Test func aKeyIsMarkedFromTheMomentItsRedirectIsQueued() {
        var marks = KeyMarks()
        #expect(!marks.contains(7))
        marks.queued(7)
        #expect(marks.contains(7))
        #expect(!marks.contains(8))
        marks.lift(by: LedgerSnapshot(base: .max))
        #expect(marks.contains(7))
    }

    @Test func aMarkLiftsOnceTheLastRedirectIsCoveredAndNotBefore() {
        var marks = KeyMarks()
        marks.queued(7)
        marks.acknowledged(7, at: 3)
        marks.queued(7)
        marks.acknowledged(7, at: 9)
        marks.lift(by: LedgerSnapshot(base: 9))
        #expect(marks.contains(7))
        marks.lift(by: LedgerSnapshot(base: 10))
        #expect(!marks.contains(7))
        #expect(marks.isEmpty)
    }

    @Test func keysOfOneBucketShareAMark() {
        var marks = KeyMarks()
        let other = 7 + UInt64(KeyMarks.bucketCount)
        marks.queued(7)
        marks.queued(other)
        marks.acknowledged(7, at: 1)
        marks.lift(by: LedgerSnapshot(base: .max))
        #expect(marks.contains(7) && marks.contains(other))
        marks.acknowledged(other, at: 2)
        marks.lift(by: LedgerSnapshot(base: 3))
        #expect(marks.isEmpty)
    }

    @Test func aMarkThatKeysShareWaitsForAllThatLiesBeforeItsLastRedirect() {
        var marks = KeyMarks()
        let other = 7 + UInt64(KeyMarks.bucketCount)
        marks.queued(7)
        marks.acknowledged(7, at: 0)
        marks.queued(other)
        marks.acknowledged(other, at: 1)
        // The other key's is done, this one's is not.
        marks.lift(by: LedgerSnapshot(base: 0, words: [0b10]))
        #expect(marks.contains(7))
        marks.lift(by: LedgerSnapshot(base: 2))
        #expect(marks.isEmpty)
        // A mark of one key is lifted by what is done out of order.
        marks.queued(other)
        marks.acknowledged(other, at: 3)
        marks.lift(by: LedgerSnapshot(base: 2, words: [0b10]))
        #expect(marks.isEmpty)
    }

    @Test func aRedirectWithoutAKnownOffsetKeepsItsKeyUntilALaterOneTellsWhereItLies() {
        var marks = KeyMarks()
        marks.queued(7)
        marks.acknowledged(7, at: -1001)
        marks.lift(by: LedgerSnapshot(base: .max))
        #expect(marks.contains(7))
        marks.queued(7)
        marks.acknowledged(7, at: 40)
        marks.lift(by: LedgerSnapshot(base: 41))
        #expect(marks.isEmpty)
    }

    @Test func aRefusedRedirectLeavesNoMark() {
        var marks = KeyMarks()
        marks.queued(7)
        marks.refused(7)
        #expect(marks.isEmpty)
        marks.found(7, at: 4)
        marks.queued(7)
        marks.refused(7)
        #expect(marks.contains(7))
    }

    @Test func whatIsFoundWaitingMarksItsKey() {
        var marks = KeyMarks()
        marks.found(7, at: 4)
        marks.found(7, at: 2)
        marks.lift(by: LedgerSnapshot(base: 4))
        #expect(marks.contains(7))
        marks.lift(by: LedgerSnapshot(base: 5))
        #expect(marks.isEmpty)
    }

    // Found by a chaos run: the reader of what waits sees the records of open transactions too. One at 35 was aborted, so the
    // ledger had it as done as soon as the next record was read, while the key's event at 8 waited for its retry.
    @Test func anAbortedRecordDoesNotLiftTheMarkOfEarlierOnes() {
        var marks = KeyMarks()
        for offset in [8, 17, 26, 35] as [Int64] { marks.found(7, at: offset) }
        marks.lift(by: LedgerSnapshot(base: 8, words: [1 << 27]))
        #expect(marks.contains(7))
        marks.lift(by: LedgerSnapshot(base: 17, words: [1 << 9 | 1 << 18]))
        #expect(marks.contains(7))
        marks.lift(by: LedgerSnapshot(base: 36))
        #expect(marks.isEmpty)
        // What is redirected meanwhile counts as well.
        marks.found(7, at: 40)
        marks.queued(7)
        marks.acknowledged(7, at: 41)
        marks.lift(by: LedgerSnapshot(base: 40, words: [0b10]))
        #expect(marks.contains(7))
        marks.lift(by: LedgerSnapshot(base: 42))
        #expect(marks.isEmpty)
    }

    @Test func moreThanIsKeptOfWhatWasFoundNeverLiftsEarly() {
        var marks = KeyMarks()
        for offset in 0..<Int64(KeyMarks.maxFound) { marks.found(7, at: offset) }
        marks.found(8, at: 70_000)
        marks.lift(by: LedgerSnapshot(base: .max))
        #expect(!marks.contains(7))
        #expect(marks.contains(8))
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func nothingOverflows(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var marks = KeyMarks()
        for offset in Int64(0)..<100_000 {
            let hash = random.next()
            marks.queued(hash)
            marks.acknowledged(hash, at: offset)
        }
        #expect(marks.count == KeyMarks.bucketCount)
        marks.lift(by: LedgerSnapshot(base: 100_000))
        #expect(marks.isEmpty)
    }
}
