// `troupe dashboard` as users run it: what it refuses, and that it serves what a cluster holds.

import Foundation
import KafkaClient
import Testing

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

@testable import TroupeCommand

@Suite struct DashboardCommandTests {
    private func run(_ words: String...) async -> (code: ExitCode, err: String) {
        let recorder = Recorder()
        return (await Tool.troupe.run(["dashboard"] + words, recorder.console()), recorder.err)
    }

    @Test(.disabled(if: TestCluster.isKafkaNamed)) func withoutKafkaAndStoreThereIsNothingToShow() async {
        let result = await run()
        #expect(result.code == .usage)
        #expect(result.err.contains("Neither Kafka nor a store is named"))
    }

    @Test(.disabled(if: TestCluster.isKafkaNamed)) func missingStoreIsNotMade() async {
        let path = NSTemporaryDirectory() + "troupe-missing-\(UUID().uuidString).sqlite"
        let result = await run("--store=\(path)", "--port=0")
        #expect(result.code == .notFound)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func weakTokensAreRefused() async throws {
        let path = NSTemporaryDirectory() + "troupe-token-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        for token in ["", "short", "has a blank inside it", "zu-kurz-und-ümlaut"] {
            try Data((token + "\n").utf8).write(to: URL(filePath: path))
            let result = await run("--bootstrap-servers=127.0.0.1:1", "--port=0", "--replay-token-file=\(path)")
            #expect(result.code == .usage, "\(token)")
            #expect(token.isEmpty || !result.err.contains(token))
        }
        let missing = await run("--bootstrap-servers=127.0.0.1:1", "--port=0", "--replay-token-file=\(path)-none")
        #expect(missing.code == .failure)
    }

    @Test(.timeLimit(.minutes(5))) func pageIsServedUntilItIsInterrupted() async throws {
        let tool = try ToolOnCluster(.embedded)
        let recorder = Recorder()
        let running = Task { await tool.run("dashboard", "--port=0", recorder: recorder) }
        try await wait { recorder.out.hasSuffix("/\n") }
        let address = recorder.out.dropLast()
        #expect(address.hasPrefix("http://127.0.0.1:"))
        let url = try #require(URL(string: address + "api/overview"))
        let answer = try JSONDecoder().decode(JSONValue.self, from: try await URLSession.shared.data(from: url).0)
        #expect(answer["hasDeadLetters"] == .bool(true))
        #expect(answer["canReplay"] == .bool(false))
        running.cancel()
        #expect(await running.value.code == .interrupted)
        await #expect(throws: (any Error).self) { try await URLSession.shared.data(from: url) }
    }
}
