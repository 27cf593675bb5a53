// Child processes: their lines, their ends, and the leash that ends them with their parent.

import Foundation
import Testing

@testable import TroupeCommand

@Suite struct ChildProcessTests {
    private let log = NSTemporaryDirectory() + "troupe-child-\(UUID().uuidString).log"

    /// Starts a shell script as a child.
    private func child(_ script: String, _ lines: Collected<String> = Collected()) throws -> ChildProcess {
        try ChildProcess(
            "child", executable: "/bin/sh", arguments: ["-c", script], environment: ["WORD": "hello"], log: log
        ) { lines.append(String(decoding: $0, as: UTF8.self)) }
    }

    private func removeFiles() { try? FileManager.default.removeItem(atPath: log) }

    @Test func aChildTellsLinesWritesItsLogAndEnds() async throws {
        defer { removeFiles() }
        let lines = Collected<String>()
        let child = try child(
            "echo $WORD >&3; printf 'half' >&3; printf ' line\\n' >&3; echo out; echo err >&2; exit 7", lines)
        #expect(await child.waitForEnd() == .exited(7))
        #expect(child.end == .exited(7))
        #expect(try await eventually { lines.all.count == 2 })
        #expect(lines.all == ["hello", "half line"])
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "out\nerr\n")
        child.send(SIGKILL)
    }

    @Test func aChildIsKilledByASignal() async throws {
        defer { removeFiles() }
        let child = try child("echo ready >&3; exec sleep 100")
        child.send(SIGKILL)
        #expect(await child.waitForEnd() == .killed(signal: SIGKILL))
    }

    @Test func aChildThatDoesNotStopIsKilledAfterItsGrace() async throws {
        defer { removeFiles() }
        let lines = Collected<String>()
        let child = try child("trap '' TERM; echo ready >&3; while :; do sleep 0.05; done", lines)
        #expect(try await eventually { lines.all == ["ready"] })
        #expect(await child.stop(grace: .milliseconds(50)) == .killed(signal: SIGKILL))
    }

    @Test func aStoppedChildCanStillBeEnded() async throws {
        defer { removeFiles() }
        let child = try child("exec sleep 100")
        child.send(SIGSTOP)
        #expect(await child.stop(grace: .seconds(30)) == .killed(signal: SIGTERM))
    }

    @Test func theStandardInputOfAChildEndsWithItsOwner() async throws {
        defer { removeFiles() }
        let marker = log + ".marker"
        defer { try? FileManager.default.removeItem(atPath: marker) }
        var child: ChildProcess? = try child("cat; echo over > '\(marker)'")
        #expect(child?.end == nil)
        // Its own threads hold a child until it has ended; what closes the leash is the end of the whole process.
        child?.dropLeash()
        #expect(try await eventually { FileManager.default.fileExists(atPath: marker) })
        _ = await child?.waitForEnd()
        child = nil
    }

    @Test func anExecutableThatIsNotThereIsNamed() {
        #expect(throws: CommandFailure.self) {
            try ChildProcess("x", executable: "/nowhere/demo-x", environment: [:], log: log) { _ in }
        }
        removeFiles()
    }
}
