// Groups of dead letters that open what they count, also those of letters without a fingerprint.

import Testing
import TroupeWeb

/// Two letters with a fingerprint and one of another framework without.
private struct Desk: DeadLetterDesk {
    func letters() -> DeadLetterList {
        let letters = ["8c0e51d2", "", "8c0e51d2"].enumerated().map { number, fingerprint in
            DeadLetterSummary(
                place: "inventory.orders.dlt/0/\(number)", service: "inventory", topic: "orders",
                fingerprint: fingerprint, writtenAt: 1_795_259_700_000 + Int64(number))
        }
        return DeadLetterList(letters: letters.reversed(), isTruncated: false)
    }
    func letter(at place: String) -> DeadLetterContent? { nil }
    func replay(_ places: [String]) -> DeadLetterReplay { DeadLetterReplay(sent: 0, skipped: 0, refusals: []) }
}

@Suite struct DeadLetterGroupTests {
    @Test func anEmptyNameMeansThatThereIsNoneAndAMissingOneAny() async throws {
        var dashboard = Dashboard(try ShopStore().store)
        dashboard.deadLetters = Desk()
        let server = try HTTPServer(dashboard.router())
        func places(_ query: String) async throws -> [String] {
            let answer = try await RawClient.ask(server.port, "GET /api/dead-letters?\(query)")
            return (answer.json["letters"] as? [[String: Any]] ?? []).compactMap { $0["place"] as? String }
        }
        #expect(try await places("service=inventory&topic=orders&fingerprint=") == ["inventory.orders.dlt/0/1"])
        #expect(try await places("service=inventory&fingerprint=8c0e51d2").count == 2)
        #expect(try await places("service=inventory").count == 3)
        #expect(try await places("service=inventory&topic=").isEmpty)
        await server.stop()
    }

    #if os(Linux)
        @Test(.needsBrowser, .timeLimit(.minutes(5)))
        func aGroupWithoutAFingerprintOpensItsOwnLettersOnly() async throws {
            try await Browser.visit(.filled(), { $0.deadLetters = Desk() }) { browser, address in
                try await browser.open(address + "#/letters")
                #expect(try await browser.count(".row.group") == 2)
                let own = ".row.group[href$='&fingerprint=']"
                #expect(try await browser.count(own) == 1)
                try await browser.click(own)
                try await browser.wait(for: "h1 + a", toShow: "All groups")
                #expect(try await browser.count(".row.letter") == 1)
            }
        }
    #endif
}
