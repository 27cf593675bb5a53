// What clients ask for in headers and queries: keys, waiting, going on.

import KafkaClient
import Testing

@testable import TroupeWeb

@Suite struct RequestWishTests {
    @Test func keysAreReadWithAndWithoutQuotes() throws {
        #expect(try IdempotencyKey.read([:]) == nil)
        #expect(try IdempotencyKey.read(["idempotency-key": "\"8e03978e\""]) == "8e03978e")
        #expect(try IdempotencyKey.read(["Idempotency-Key": "8e03978e"]) == "8e03978e")
        for broken in ["", "\"\"", "a b", "a\"b", "grün", String(repeating: "x", count: 256)] {
            #expect(throws: HTTPProblem.self, "\(broken)") { try IdempotencyKey.read(["Idempotency-Key": broken]) }
        }
        var twice: HTTPHeaders = ["Idempotency-Key": "a"]
        twice.append("Idempotency-Key", "b")
        #expect(throws: HTTPProblem.self) { try IdempotencyKey.read(twice) }
    }

    private func wait(_ query: String, _ headers: HTTPHeaders = [:]) throws -> WaitPreference? {
        try WaitPreference.read(
            HTTPRequest(.get, "/", query: HTTPQuery(query) ?? HTTPQuery(), headers: headers), longest: .seconds(60))
    }

    @Test func waitingIsReadFromQueryAndHeader() throws {
        #expect(try wait("") == nil)
        #expect(try wait("wait=5s") == WaitPreference(time: .seconds(5)))
        #expect(try wait("wait=250ms") == WaitPreference(time: .milliseconds(250)))
        #expect(try wait("wait=7") == WaitPreference(time: .seconds(7)))
        #expect(try wait("wait=100000s") == WaitPreference(time: .seconds(60)))
        #expect(
            try wait("", ["Prefer": "respond-async, wait=5"]) == WaitPreference(time: .seconds(5), applied: "wait=5"))
        #expect(try wait("", ["prefer": "wait = 500; x=y"]) == WaitPreference(time: .seconds(60), applied: "wait=60"))
        #expect(try wait("", ["Prefer": "wait=soon"]) == nil)
        #expect(try wait("wait=1s", ["Prefer": "wait=5"]) == WaitPreference(time: .seconds(1)))
        for broken in ["wait=", "wait=-1s", "wait=1e9", "wait=soon", "wait=9999999999s", "wait=s", "wait=ms"] {
            #expect(throws: HTTPProblem.self, "\(broken)") { try wait(broken) }
        }
    }

    @Test func clientsGoOnWhereTheyWere() throws {
        var point = ResumePoint()
        let first = try flowEvent("1", of: "f", partition: 0, offset: 7)
        let second = try flowEvent("2", of: "f", partition: 3, offset: 2)
        #expect(!point.covers(first))
        point.add(first)
        #expect(point.covers(first))
        #expect(!point.covers(second))
        point.add(second)
        #expect(point.text == "orders:0:8,orders:3:3")
        #expect(ResumePoint(point.text) == point)
        point.isEnd = true
        #expect(point.text == "orders:0:8,orders:3:3,end")
        #expect(ResumePoint(point.text) == point)
        for strange in [nil, "", "x", "a:b:c", "a:1:-4", ",,,", "a:1"] {
            #expect(ResumePoint(strange) == ResumePoint())
        }
        #expect(ResumePoint("junk,orders:0:8").covers(first))
    }
}
