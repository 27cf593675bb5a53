// What the demo shows while it runs: a story that scrolls, and on a terminal a table below it that stays.

import Foundation
import Synchronization

/// Tells the story and keeps a table below it.
final class LiveDisplay: Sendable {
    private struct State {
        var lines: [String] = []
        var drawn = 0
        var lastPlainLine: ContinuousClock.Instant?
    }

    private let console: Console
    private let state = Mutex(State())

    init(_ console: Console) { self.console = console }

    /// Adds text to the story.
    func say(_ text: String) {
        state.withLock { state in
            erase(&state)
            console.data(text)
            draw(&state)
        }
    }

    /// A console whose data and messages become part of the story.
    var storyConsole: Console {
        Console(
            out: { self.say(Self.withoutNewline($0)) }, err: { self.say(Self.withoutNewline($0)) },
            isInteractive: false,
            style: console.style, errorStyle: console.style)
    }

    /// Replaces the table; without a terminal `summary` is told instead, every two seconds.
    func update(_ lines: [String], summary: String) {
        state.withLock { state in
            if console.isInteractive {
                erase(&state)
                state.lines = Self.fit(lines)
                draw(&state)
            } else if state.lastPlainLine.map({ $0.duration(to: .now) >= .seconds(2) }) ?? true {
                state.lastPlainLine = .now
                console.data(summary)
            }
        }
    }

    /// Takes the table away.
    func clear() {
        state.withLock { state in
            erase(&state)
            state.lines = []
        }
    }

    private func erase(_ state: inout State) {
        if state.drawn > 0 { console.data("\u{1b}[\(state.drawn)A\r\u{1b}[J", terminator: "") }
        state.drawn = 0
    }

    private func draw(_ state: inout State) {
        guard !state.lines.isEmpty else { return }
        console.data(state.lines.joined(separator: "\n"))
        state.drawn = state.lines.count
    }

    private static func withoutNewline(_ text: String) -> String {
        text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// Cuts the lines to the terminal's width: a line that wraps could not be erased.
    private static func fit(_ lines: [String]) -> [String] {
        let width = StandardStreams.width(of: STDOUT_FILENO) ?? 80
        return lines.map { String($0.prefix(width)) }
    }
}
