// The demo as users run it: real processes, a hard kill, and the account.

import Foundation
import Testing

@testable import TroupeCommand

@Suite(.serialized) struct DemoProcessTests {
    private func freshDirectory() -> String { NSTemporaryDirectory() + "troupe-demo-test-\(UUID().uuidString)" }

    @Test(.timeLimit(.minutes(10))) func killedServicesLoseNothingAndTheAccountIsBalanced() async throws {
        let directory = freshDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // Slow, so that none is settled before the services are killed at their work.
        let demo = try ToolProcess(
            "demo", "--orders=120", "--rate=4", "--seed=11", "--kills=2", "--state-dir=\(directory)")
        let result = await demo.finish()
        #expect(result.code == 0, "\(result.out)\n\(result.err)")
        #expect(result.out.components(separatedBy: "kill -9").count == 3)
        #expect(result.out.hasPrefix("Look on in a browser: http://127.0.0.1:"))
        #expect(result.out.contains("dies while it charges"))
        #expect(result.out.contains("ok     placed: 120 orders"))
        #expect(result.out.contains("120 placed = 90 shipped + 24 cancelled + 6 waiting in a dead-letter topic"))
        #expect(result.out.contains("The account is balanced: every order is where it should be."))
        #expect(!result.out.contains("\u{1b}"))
        #expect(try await eventually { processes(containing: "DEMO_STATE_DIR=\(directory)").isEmpty })
    }

    @Test(.timeLimit(.minutes(10)), arguments: [SIGINT, SIGTERM, SIGKILL])
    func whateverEndsTheDemoLeavesNoProcess(signal: Int32) async throws {
        let directory = freshDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // Slow, so that it does not end before it is ended.
        let demo = try ToolProcess("demo", "--rate=2", "--state-dir=\(directory)")
        #expect(try await eventually { processes(containing: "DEMO_STATE_DIR=\(directory)").count == 5 })
        demo.send(signal)
        let result = await demo.finish()
        #expect(result.code == (signal == SIGKILL ? SIGKILL : 130))
        #expect(try await eventually { processes(containing: "DEMO_STATE_DIR=\(directory)").isEmpty })
    }

    @Test func aStateDirectoryThatHoldsSomethingIsLeftAlone() async throws {
        let directory = freshDirectory()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Data("mine".utf8).write(to: URL(filePath: directory + "/inventory.db"))
        let result = try await ToolProcess("demo", "--state-dir=\(directory)").finish()
        #expect(result.code == 1)
        #expect(result.err.contains("not empty"))
        #expect(FileManager.default.contents(atPath: directory + "/inventory.db") == Data("mine".utf8))
    }
}

@Suite struct BrokerProcessTests {
    @Test func aBrokerTellsItsAddressAndTakesItsFileAway() async throws {
        let file = NSTemporaryDirectory() + "troupe-address-\(UUID().uuidString)"
        let broker = try ToolProcess("broker", "--topic=orders:3", "--address-file=\(file)")
        #expect(try await eventually { broker.out.hasSuffix("\n") })
        let address = String(broker.out.dropLast())
        #expect(address.hasPrefix("127.0.0.1:"))
        #expect(try await eventually { FileManager.default.contents(atPath: file) == Data("\(address)\n".utf8) })
        let empty = try await ToolProcess("dlt", "list", "--bootstrap-servers=\(address)", "--format=json").finish()
        #expect(empty.code == 0)
        #expect(empty.out == "[\n\n]\n")
        let missing = try await ToolProcess("dlt", "show", "x.dlt/0/0", "--bootstrap-servers=\(address)").finish()
        #expect(missing.code == 3)
        #expect(missing.out.isEmpty)
        broker.send(SIGINT)
        #expect(await broker.finish().code == 130)
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    @Test func withoutAKafkaTheHintSaysWhatToDo() async throws {
        let result = try await ToolProcess("dlt", "list", environment: ["KAFKA_BOOTSTRAP_SERVERS": nil]).finish()
        #expect(result.code == 64)
        #expect(result.out.isEmpty)
        #expect(result.err.contains("--bootstrap-servers"))
    }
}
