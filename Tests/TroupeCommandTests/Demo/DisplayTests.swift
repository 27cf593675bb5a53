// What the demo shows, on a terminal and without one.

import Foundation
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct DisplayTests {
    private func console(_ recorder: Recorder, isInteractive: Bool) -> Console {
        let plain = recorder.console()
        return Console(
            out: { plain.data($0, terminator: "") }, err: { plain.message($0) }, isInteractive: isInteractive,
            style: .plain, errorStyle: .plain)
    }

    @Test func onATerminalTheTableStaysBelowTheStory() {
        let recorder = Recorder()
        let display = LiveDisplay(console(recorder, isInteractive: true))
        display.update(["a", "b"], summary: "unused")
        display.say("story")
        display.update(["c"], summary: "unused")
        display.clear()
        display.say("end")
        #expect(recorder.out == "a\nb\n\u{1b}[2A\r\u{1b}[Jstory\na\nb\n\u{1b}[2A\r\u{1b}[Jc\n\u{1b}[1A\r\u{1b}[Jend\n")
    }

    @Test func withoutATerminalThereAreOnlyLines() {
        let recorder = Recorder()
        let display = LiveDisplay(console(recorder, isInteractive: false))
        display.update(["a", "b"], summary: "one")
        display.update(["a", "b"], summary: "too soon")
        display.say("story")
        display.clear()
        #expect(recorder.out == "one\nstory\n")
    }

    @Test func commandsOfTheStoryWriteIntoIt() {
        let recorder = Recorder()
        let story = LiveDisplay(console(recorder, isInteractive: false)).storyConsole
        story.data("data")
        story.note("note")
        #expect(recorder.out == "data\nnote\n")
        #expect(recorder.err.isEmpty)
    }
}

@Suite struct StatusBoardTests {
    private func line(_ service: String, handled: Int, inFlight: Int) throws -> Data {
        var status = ServiceStatus()
        status.service = service
        status.phase = .running
        status.handled = handled
        status.inFlight = inFlight
        return try JSONEncoder().encode(status)
    }

    @Test func countsOfAKilledProcessStayAndItsWorkInFlightIsGone() throws {
        let board = StatusBoard()
        #expect(board.status(of: "payments") == nil)
        board.take(try line("payments", handled: 5, inFlight: 3), from: "payments")
        board.take(try line("payments", handled: 7, inFlight: 2), from: "payments")
        board.processEnded("payments")
        #expect(board.current(of: "payments") == nil)
        #expect(board.status(of: "payments")?.handled == 7)
        #expect(board.status(of: "payments")?.inFlight == 0)
        #expect(board.status(of: "payments")?.phase == .stopped)
        board.take(try line("payments", handled: 4, inFlight: 1), from: "payments")
        #expect(board.status(of: "payments")?.handled == 11)
        #expect(board.status(of: "payments")?.inFlight == 1)
        board.processEnded("payments")
        #expect(board.status(of: "payments")?.handled == 11)
    }

    @Test func whatIsNoStatusIsLeftAlone() throws {
        let board = StatusBoard()
        board.take(Data("not a status".utf8), from: "payments")
        #expect(board.status(of: "payments") == nil)
    }
}
