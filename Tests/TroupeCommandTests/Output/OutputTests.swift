// The forms of a command's data.

import Foundation
import Testing

@testable import TroupeCommand

@Suite struct OutputTests {
    @Test func numbersAgreeWithTheirWords() {
        #expect([0, 1, 2].map { counted($0, "letter") } == ["0 letters", "1 letter", "2 letters"])
        #expect(counted(2, "topic in all", "topics in all") == "2 topics in all")
    }

    private struct Pair: Report {
        let name: String
        let at: Date

        func lines(_ style: Style) -> [String] { Table("NAME", rows: [[name]]).lines(style) }
    }

    @Test func columnsAreAlignedAndNoLineEndsInSpaces() {
        let table = Table("NAME", ">COUNT", "NOTE", rows: [["a", "1", ""], ["longer", "1000", "x"]])
        #expect(table.lines(.plain) == ["NAME    COUNT  NOTE", "a           1", "longer   1000  x"])
    }

    @Test func aTableGivesWayInsideItsLongCellsWhereTheTerminalIsNarrow() {
        let cause = "InvalidOrder: " + String(repeating: "x", count: 60) + " at lines[3].quantity"
        let table = Table("NAME", "~FAILURE", ">N", rows: [["a", cause, "1"], ["b", "short", "2"]])
        #expect(table.lines(.plain)[1] == "a     \(cause)  1")
        let lines = table.lines(Style(isOn: false, width: 60))
        #expect(lines.map(\.count) == [60, 60, 60])
        #expect(lines[1].hasPrefix("a     InvalidOrder: ") && lines[1].hasSuffix("xxx at lines[3].quantity  1"))
        #expect(lines[2].hasPrefix("b     short "))
        // A terminal that is too narrow for the rest does not swallow the cause.
        #expect(table.lines(Style(isOn: false, width: 5))[1] == "a     Invalid…ines[3].quantity  1")
        #expect(table.lines(Style(isOn: false, width: 200)) == table.lines(.plain))
    }

    @Test func whatIsShortenedInsideKeepsItsEnd() {
        #expect("abcdefghij".shortenedInside(to: 10) == "abcdefghij")
        #expect("abcdefghij".shortenedInside(to: 7) == "ab…ghij")
        #expect("abcdefghij".shortenedInside(to: 1) == "…")
    }

    @Test func colourIsOnlyThereWhenItIsAskedFor() {
        #expect(Table("A").lines(.plain) == ["A"])
        #expect(Table("A").lines(.colored) == ["\u{1b}[1mA\u{1b}[0m"])
    }

    @Test func dataCannotCommandTheTerminal() {
        let hostile = "a\u{1b}[2Jb\nc\u{9b}d\u{202e}e\u{7f}"
        #expect(hostile.printable == "a\\u{1b}[2Jb\\nc\\u{9b}d\\u{202e}e\\u{7f}")
        #expect(Table("A", rows: [[hostile]]).lines(.plain).count == 2)
        #expect("naïve 日本 ✓".printable == "naïve 日本 ✓")
    }

    @Test func oneReportHasTwoForms() throws {
        let report = Pair(name: "x/y", at: Date(timeIntervalSince1970: 1.5))
        let recorder = Recorder()
        try recorder.console().show(report, as: .table)
        #expect(recorder.out == "NAME\nx/y\n")
        let json = Recorder()
        try json.console().show(report, as: .json)
        #expect(json.out == "{\n  \"at\" : \"1970-01-01T00:00:01.500Z\",\n  \"name\" : \"x/y\"\n}\n")
        #expect(try JSONText.line(report) == #"{"at":"1970-01-01T00:00:01.500Z","name":"x/y"}"#)
    }
}
