// Completion, as bash itself carries it out.

import Foundation
import Testing

@testable import TroupeCommand

@Suite struct CompletionTests {
    /// What bash would offer for a command line whose last word is being typed.
    private func completions(_ words: String...) throws -> [String] {
        let script = CompletionScript.bash(Tool.troupe.commands.map { $0.spec })
        let line = (["troupe"] + words).map { "'\($0)'" }.joined(separator: " ")
        let typed = "COMP_WORDS=(\(line)); COMP_CWORD=\(words.count); _troupe"
        let file = FileManager.default.temporaryDirectory.appending(path: "troupe-\(UUID().uuidString).sh")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data((script + typed + #"; printf '%s\n' "${COMPREPLY[@]}""#).utf8).write(to: file)
        // By popen, which waits for this child alone: Foundation's Process waits for ever where another child has
        // inherited the descriptor it watches.
        let stream = try #require(popen("/bin/bash '\(file.path)'", "r"))
        defer { pclose(stream) }
        var data: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 { data += buffer[..<count] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/bash"), "needs bash"))
    func commandsAndOptionsAreCompleted() throws {
        #expect(try completions("to") == ["topics"])
        #expect(try completions("d") == ["dashboard", "demo", "dlt", "doctor"])
        #expect(try completions("topics", "d") == ["delete", "describe"])
        #expect(try completions("topics", "list", "--a") == ["--all"])
        #expect(try completions("tail", "orders", "--from") == ["--from-beginning"])
        #expect(try completions("nonsense", "--x") == [])
    }
}
