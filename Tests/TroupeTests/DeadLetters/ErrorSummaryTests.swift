// Errors as headers hold them.

import Testing

@testable import Troupe

private struct Private: Error {}

@Suite struct ErrorSummaryTests {
    @Test func fingerprintsGroupWhatDiffersInIdsOnly() {
        func fingerprint(_ message: String, _ type: String = "T") -> String {
            ErrorSummary(type: type, message: message).fingerprint
        }
        #expect(fingerprint("order o-17 of 3 lines") == fingerprint("order o-18 of 444 lines"))
        #expect(
            fingerprint("id 0190163d-8694-739b-aea5-966c26f8ad91 is gone")
                == fingerprint("id f47ac10b-58cc-4372-a567-0e02b2c3d479 is gone"))
        #expect(fingerprint("stock is empty") != fingerprint("stock is full"))
        #expect(fingerprint("a", "T") != fingerprint("a", "U"))
        #expect(fingerprint("down").count == 16)
    }

    @Test func theFingerprintIsStableForEver() {
        #expect(ErrorSummary(type: "Bank.Outage", message: "down since 11:15").fingerprint == "516747218a902791")
    }

    @Test func messagesAreCutBetweenCharacters() {
        let long = String(repeating: "a", count: 4095) + "é and more"
        #expect(ErrorSummary(type: "T", message: long).message == String(repeating: "a", count: 4095))
        let exact = String(repeating: "é", count: 2048)
        #expect(ErrorSummary(type: "T", message: exact).message == exact)
        let flags = String(repeating: "🇩🇪", count: 600)
        let cut = ErrorSummary(type: "T", message: flags).message
        #expect(cut.utf8.count == 4096 && cut.allSatisfy { $0 == "🇩🇪" })
    }

    @Test func namesOfPrivateTypesAreStable() {
        struct Local: Error {}
        #expect(ErrorSummary(Private()).type == "TroupeTests.Private")
        #expect(!ErrorSummary(Local()).type.contains("$"))
        #expect(ErrorSummary(CancellationError()).type == "Swift.CancellationError")
    }
}
