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
        #expect(!marks.lift { _ in true })
        #expect(marks.contains(7))
    }

    @Test func aMarkLiftsOnceTheLastRedirectIsCoveredAndNotBefore() {
        var marks = KeyMarks()
        marks.queued(7)
        marks.acknowledged(7, at: 3)
        marks.queued(7)
        marks.acknowledged(7, at: 9)
        marks.lift { $0 <= 8 }
        #expect(marks.contains(7))
        marks.lift { $0 <= 9 }
        #expect(!marks.contains(7))
        #expect(marks.isEmpty)
    }

    @Test func keysOfOneBucketShareAMark() {
        var marks = KeyMarks()
        let other = 7 + UInt64(KeyMarks.bucketCount)
        marks.queued(7)
        marks.queued(other)
        marks.acknowledged(7, at: 1)
        marks.lift { _ in true }
        #expect(marks.contains(7) && marks.contains(other))
        marks.acknowledged(other, at: 2)
        marks.lift { $0 <= 2 }
        #expect(marks.isEmpty)
    }

    @Test func aRedirectWithoutAKnownOffsetKeepsItsKeyUntilALaterOneTellsWhereItLies() {
        var marks = KeyMarks()
        marks.queued(7)
        marks.acknowledged(7, at: -1001)
        marks.lift { $0 < .max }
        #expect(marks.contains(7))
        marks.queued(7)
        marks.acknowledged(7, at: 40)
        marks.lift { $0 <= 40 }
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
        marks.lift { $0 <= 3 }
        #expect(marks.contains(7))
        marks.lift { $0 <= 4 }
        #expect(marks.isEmpty)
    }

    // Found by a chaos run: the reader of what waits sees the records of open transactions too. One at 35 was aborted, so the
    // ledger had it as done as soon as the next record was read, while the key's event at 8 waited for its retry.
    @Test func anAbortedRecordDoesNotLiftTheMarkOfEarlierOnes() {
        var marks = KeyMarks()
        for offset in [8, 17, 26, 35] as [Int64] { marks.found(7, at: offset) }
        marks.lift { $0 >= 28 || $0 < 8 }
        #expect(marks.contains(7))
        marks.lift { $0 != 17 }
        #expect(marks.contains(7))
        marks.lift { _ in true }
        #expect(marks.isEmpty)
        // What is redirected meanwhile counts as well.
        marks.found(7, at: 40)
        marks.queued(7)
        marks.acknowledged(7, at: 41)
        marks.lift { $0 == 41 }
        #expect(marks.contains(7))
        marks.lift { $0 == 41 || $0 == 40 }
        #expect(marks.isEmpty)
    }

    @Test func moreThanIsKeptOfWhatWasFoundNeverLiftsEarly() {
        var marks = KeyMarks()
        for offset in 0..<Int64(KeyMarks.maxFound) { marks.found(7, at: offset) }
        marks.found(8, at: 70_000)
        marks.lift { $0 < .max }
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
        marks.lift { $0 < 100_000 }
        #expect(marks.isEmpty)
    }
}
