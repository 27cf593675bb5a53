// Log lines.

import Foundation
import Testing

@testable import Troupe

@Suite struct LoggingTests {
    private let line = LogLine(
        label: "troupe", level: .warning, message: "Line one\nline \"two\" \u{1b}[31m",
        metadata: ["topic": "orders", "error": "a b=c", "message": "forged", "empty": ""])

    @Test func textIsOneLineWithoutControlCharacters() {
        #expect(
            LogFormat.text.render(line, milliseconds: testTime)
                == "2026-11-21T11:15:00.000Z WARNING troupe: Line one\\u{a}line \"two\" \\u{1b}[31m"
                + " empty=\"\" error=\"a b=c\" message=forged topic=orders\n")
    }

    @Test func jsonIsReadBack() throws {
        let text = LogFormat.json.render(line, milliseconds: testTime)
        #expect(text.filter { $0 == "\n" }.count == 1 && text.hasSuffix("\n"))
        let read = try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        #expect(
            read == [
                "time": "2026-11-21T11:15:00.000Z", "level": "warning", "label": "troupe",
                "message": line.message, "_message": "forged", "topic": "orders", "error": "a b=c", "empty": "",
            ])
    }

    @Test func whatTheEnvironmentSaysOfLoggingIsFollowedOrTold() {
        let followed = LogEnvironment(level: "Warning", format: "TEXT", isTerminal: false)
        #expect(followed.level == .warning && followed.format == .text && followed.defects.isEmpty)
        for nothing in [nil, ""] {
            let usual = LogEnvironment(level: nothing, format: nothing, isTerminal: true)
            #expect(usual.level == .info && usual.format == .text && usual.defects.isEmpty)
        }
        let wrong = LogEnvironment(level: "verbose", format: "xml", isTerminal: false)
        #expect(wrong.level == .info && wrong.format == .json)
        #expect(
            wrong.defects == [
                #"LOG_LEVEL is "verbose"; it takes trace, debug, info, notice, warning, error, critical. It is info now"#,
                #"LOG_FORMAT is "xml"; it takes text, json. It is json now"#,
            ])
    }

    @Test func levelsBelowTheLoggersAreNotEvenMade() {
        let recorder = LogRecorder()
        var logger = Logger(label: "l", level: .warning, handler: recorder)
        logger[metadataKey: "a"] = "1"
        var made = 0
        func message() -> String {
            made += 1
            return "m"
        }
        logger.info(message())
        logger.trace(message())
        #expect(made == 0 && recorder.lines.isEmpty)
        logger.warning(message(), metadata: ["b": "2"])
        logger.critical(message(), metadata: ["a": "3"])
        #expect(made == 2 && recorder.lines.map(\.level) == [.warning, .critical])
        #expect(recorder.lines.map(\.metadata) == [["a": "1", "b": "2"], ["a": "3"]])
        #expect(LogLevel.allCases == LogLevel.allCases.sorted())
    }
}
