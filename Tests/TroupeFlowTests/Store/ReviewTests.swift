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
        var (newest, last) = (Int64(30), Int64(0))
        var judged: Set<Int64> = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            review.restart(from: newest)
            last = newest
            judged = []
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                judged.formUnion(take(&review, Int.random(in: 1...8, using: &random), newest: newest))
            }
            newest += Int64.random(in: 0...5, using: &random)
        }
        while !review.isDone { judged.formUnion(take(&review, 5, newest: newest)) }
        #expect(judged.isSuperset(of: 1...last))
        #expect(review == Review())
    }

    @Test func changesThatKeepComingKeepItFromNoFlow() {
        // A change after every slice, and ten times as many flows as a slice has, or a hundred.
        for limit in [1, 10] {
            var review = Review()
            for _ in 0..<3 {
                var judged: Set<Int64> = []
                for _ in 0..<220 {
                    review.restart(from: 100)
                    judged.formUnion(take(&review, limit, newest: 100))
                }
                #expect(judged == Set(1...100))
            }
        }
    }

    @Test func aChangeMeanwhileIsAppliedToAllFlowsOfAStore() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        for number in 1...20 { log.publish("e\(number)", Shop.placed, flow: "f\(number)", at: 1_000) }
        try writer.apply(log.records, at: 2_000)
        func tasks() throws -> [Int] {
            try store.reader.read { connection in
                try connection.query("SELECT (SELECT COUNT(*) FROM task WHERE flow = number) FROM flow ORDER BY number")
                {
                    try $0.get(0, as: Int.self)
                }
            }
        }
        #expect(try tasks() == Array(repeating: 0, count: 20))
        for (service, expected) in [
            ("mail", Array(repeating: 0, count: 14) + Array(repeating: 1, count: 6)),
            ("audit", Array(repeating: 0, count: 11) + [2, 2, 2, 1, 1, 1, 2, 2, 2]),
        ] {
            try log.declare(Shop.declaration(service, [Shop.route(service, Shop.placed)]), at: 1)
            try writer.apply(log.records, at: 2_000)
            #expect(try writer.sweep(at: 2_000, limit: 6))
            #expect(try tasks() == expected)
        }
        while try writer.sweep(at: 2_000, limit: 6) {}
        #expect(try tasks() == Array(repeating: 2, count: 20))
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
