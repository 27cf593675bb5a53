// All flows are judged again after a change of declarations, the newest first, however often declarations change meanwhile.

import SQLite
import Testing

@testable import TroupeFlow

@Suite struct ReviewTests {
    /// Flows with numbers up to `newest`, all that are in the store.
    private func take(_ review: inout Review, _ limit: Int, newest: Int64) -> [Int64] {
        review.take(limit) { above, through, limit in
            (1...newest).reversed().filter { $0 > above && $0 <= through }.prefix(limit).map { $0 }
        }
    }

    @Test func theNewestComeFirstAndEachOnce() {
        var review = Review()
        #expect(review.isDone)
        review.restart(from: 7)
        #expect(take(&review, 3, newest: 7) == [7, 6, 5])
        #expect(take(&review, 3, newest: 9) == [4, 3, 2])
        #expect(!review.isDone)
        #expect(take(&review, 3, newest: 9) == [1])
        #expect(review.isDone)
        review.restart(from: 0)
        #expect(review.isDone)
    }

    @Test func aChangeMeanwhileBeginsWithTheNewestAndGoesOnWithTheRest() {
        var review = Review()
        review.restart(from: 10)
        #expect(take(&review, 4, newest: 10) == [10, 9, 8, 7])
        review.restart(from: 12)
        #expect(take(&review, 4, newest: 12) == [12, 11, 6, 5])
        #expect(take(&review, 4, newest: 12) == [10, 9, 4, 3])
        // Once more: from the newest down to where the rest is, and the rest.
        review.restart(from: 12)
        #expect(take(&review, 4, newest: 12) == [12, 11, 2, 1])
        #expect(take(&review, 4, newest: 12) == [10, 9, 8, 7])
        #expect(take(&review, 4, newest: 12) == [6, 5, 4, 3])
        #expect(review.isDone)
    }

    @Test(arguments: 1...20) func everyFlowIsJudgedAfterTheLastChange(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var review = Review()
        var newest: Int64 = 30
        var judged: Set<Int64> = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            review.restart(from: newest)
            judged = []
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                judged.formUnion(take(&review, Int.random(in: 1...8, using: &random), newest: newest))
            }
            newest += Int64.random(in: 0...5, using: &random)
        }
        while !review.isDone { judged.formUnion(take(&review, 5, newest: newest)) }
        #expect(judged.isSuperset(of: 1...30))
    }

    @Test func changesThatKeepComingKeepItFromNoFlow() {
        var review = Review()
        var judged: Set<Int64> = []
        // A change after every slice, and a hundred times as many flows as a slice has.
        for _ in 0..<420 {
            review.restart(from: 1_000)
            judged.formUnion(take(&review, 10, newest: 1_000))
        }
        #expect(judged == Set(1...1_000))
    }

    @Test func whereTheStoreIsIsKept() throws {
        let store = try FlowStore(path: ":memory:")
        var review = Review()
        review.restart(from: 10)
        _ = take(&review, 4, newest: 10)
        review.restart(from: 12)
        _ = take(&review, 4, newest: 12)
        let written = review
        let read = try store.writer.transaction { connection in
            try written.write(connection)
            return try Review(connection)
        }
        #expect(read == written)
    }
}
