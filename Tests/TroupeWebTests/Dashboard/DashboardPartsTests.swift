// The page's small parts: masks, quotes, cut texts, and the files that are embedded.

import Foundation
import Testing

@testable import TroupeWeb

@Suite struct DashboardPartsTests {
    @Test(arguments: [
        ("{\"email\":\"a\"}", "{\"email\":\"•••\"}", 1),
        ("{\"EMail\" : 12 , \"b\":1}", "{\"EMail\" : \"•••\", \"b\":1}", 1),
        (
            "{\"email\":{\"a\":[1,\"}\"]},\"b\":[{\"email\":null}]}", "{\"email\":\"•••\",\"b\":[{\"email\":\"•••\"}]}",
            2
        ),
        ("[{\"x\":\"email\"},\"email\"]", "[{\"x\":\"email\"},\"email\"]", 0),
        ("{\"\\u0065mail\":\"a\"}", "{\"\\u0065mail\":\"•••\"}", 1), ("{\"email\":\"a", "{\"email\":\"•••\"", 1),
        ("{\"a\\\"email\":\"x\",\"email", "{\"a\\\"email\":\"x\",\"email", 0),
        ("{\"card\":{\"number\":1},\"number\":2}", "{\"card\":{\"number\":\"•••\"},\"number\":2}", 1),
        ("{\"card\":[{\"number\":[1,2]}]}", "{\"card\":[{\"number\":\"•••\"}]}", 1), ("{}", "{}", 0),
    ])
    func membersAreMasked(_ json: String, _ expected: String, _ count: Int) throws {
        let masked = try #require(PayloadMask(["Email", "card.number"]).masked(Array(json.utf8)))
        #expect(String(decoding: masked.bytes, as: UTF8.self) == expected)
        #expect(masked.count == count)
    }

    @Test(arguments: ["email: a", "", "<a/>", "{\"a\":'b'}", "{\"a\" \"b\"}", "}", "{\"a\":B}"])
    func whatIsNoJSONIsNotMasked(_ text: String) {
        #expect(PayloadMask(["email"]).masked(Array(text.utf8)) == nil)
    }

    @Test(arguments: [
        ("order-42", "order-42"), ("", "''"), ("a b", "'a b'"), ("it's", "'it'\\''s'"),
        ("$(rm -rf /)", "'$(rm -rf /)'"),
        ("grün", "'grün'"), ("a\nb", "$'a\\x0ab'"), ("\u{3}'\\", "$'\\x03\\'\\\\'"),
        ("a\u{202e}b", "$'a\\xe2\\x80\\xaeb'"),
    ])
    func wordsAreQuotedForShells(_ word: String, _ expected: String) { #expect(ShellText.quoted(word) == expected) }

    @Test func quotedWordsReachAShellAsTheyWere() throws {
        let script = FileManager.default.temporaryDirectory.appending(path: "troupe-\(UUID().uuidString).sh")
        defer { try? FileManager.default.removeItem(at: script) }
        for word in ["a b", "it's", "$HOME `id`", "\u{3}\n\t'\\\"", "a\u{202e}ß", "-n", "*"] {
            try Data("printf %s \(ShellText.quoted(word))".utf8).write(to: script)
            let (status, output) = try outputOfShell("/bin/bash '\(script.path)'")
            #expect(status == 0)
            #expect(output == word)
        }
    }

    @Test func longTextsAreCutBetweenCharacters() {
        #expect("short".clipped(to: 5) == "short")
        #expect("longer".clipped(to: 5) == "longe…")
        #expect("äöü".clipped(to: 3) == "ä…")
        #expect("e\u{301}e\u{301}".clipped(to: 4).utf8.count <= 4 + 3)
    }

    @Test func embeddedFilesAreThoseOfTheRepository() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources/TroupeWeb/Dashboard/Assets").standardizedFileURL
        for (name, text) in [
            ("index.html", DashboardAssets.page), ("dashboard.css", DashboardAssets.style),
            ("dashboard.js", DashboardAssets.script),
        ] {
            let file = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            #expect(text + "\n" == file, "run Scripts/embed-dashboard")
        }
    }

    @Test func pageHasNoMarkupWithScriptOrStyleAndNoWayToMakeAny() {
        for forbidden in ["onclick=", "onload=", "<style", "style=\"", "javascript:", "https://", "src=\"http"] {
            #expect(!DashboardAssets.page.contains(forbidden))
        }
        for forbidden in [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://",
        ] {
            #expect(!DashboardAssets.script.contains(forbidden))
        }
        #expect(!DashboardAssets.style.contains("url("))
        #expect(!DashboardAssets.style.contains("@import"))
    }
}
