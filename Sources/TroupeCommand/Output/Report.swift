// A command's result, for people as a table and for programs as JSON.

import EventJSON
import Foundation
import Troupe

/// The form of a command's data.
enum OutputFormat: String, Sendable, CaseIterable {
    /// Aligned columns for people. They may change; scripts use JSON.
    case table
    /// One JSON value, or one a line for commands that go on.
    case json

    static let option = Option("format", .one("FORMAT"), help: "form of the data: table or json", default: "table")

    /// The form that was asked for.
    init(_ input: Input) throws(UsageError) { self = try input.choice(Self.option) ?? .table }
}

/// A command's result.
protocol Report: Encodable, Sendable {
    /// The result for people.
    func lines(_ style: Style) -> [String]
}

extension Console {
    /// Writes a result in the form that was asked for.
    func show(_ report: some Report, as format: OutputFormat) throws {
        switch format {
        case .table: for line in report.lines(style) { data(line) }
        case .json: data(try JSONText.pretty(report))
        }
    }
}

/// JSON as the tool writes it: keys in order, times by RFC 3339.
enum JSONText {
    /// Over several lines.
    static func pretty(_ value: some Encodable) throws -> String { try text(value, [.prettyPrinted]) }

    /// On one line.
    static func line(_ value: some Encodable) throws -> String { try text(value, []) }

    private static func text(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Timestamp.text(date))
        }
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// Times as the tool writes them.
enum Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    static func text(_ date: Date) -> String {
        // Rounded, because a date made of milliseconds may lie a hair before them.
        text(milliseconds: Int64((date.timeIntervalSince1970 * 1_000).rounded()))
    }

    /// RFC 3339 in UTC with milliseconds, of milliseconds since 1970.
    static func text(milliseconds: Int64) -> String { RFC3339.text(milliseconds: milliseconds) }
}
