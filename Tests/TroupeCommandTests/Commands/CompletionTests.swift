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
        let bash = Process()
        let output = Pipe()
        bash.executableURL = URL(filePath: "/bin/bash")
        bash.arguments = ["-c", script + typed + #"; printf '%s\n' "${COMPREPLY[@]}""#]
        bash.standardOutput = output
        try bash.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        bash.waitUntilExit()
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
