// `troupe dlt list`: what failed, by service, topic and failure.

import Foundation
import Troupe

/// Lists the letters in the dead-letter topics, grouped by service, topic and failure.
struct DeadLetterListCommand: Command {
    private static let each = Option("each", help: "list each letter instead of groups")
    private static let waiting = Option("waiting", help: "leave out letters that were replayed")

    static let spec = CommandSpec(
        "dlt", "list", summary: "List dead letters, grouped by service, topic and failure.",
        discussion: """
            A letter is an event a service could not handle. Letters stay in their dead-letter topic also when they
            were replayed; those that were not are counted as waiting. On a terminal a failure that is too long for the
            line is shortened inside; its end, which says most, stays. Elsewhere, and as JSON, it is whole.
            """,
        options: [each, waiting] + LetterFilter.options + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe dlt list", "what failed, and how often"),
            Example("troupe dlt list --each --service=shipping", "every letter of the service shipping"),
        ])

    private let kafka: KafkaOptions
    private let filter: LetterFilter
    private let format: OutputFormat
    private let showsEach: Bool
    private let waitingOnly: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        filter = LetterFilter(input)
        format = try OutputFormat(input)
        showsEach = input.has(Self.each)
        waitingOnly = input.has(Self.waiting)
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let marks = try await ReplayLog(cluster).read()
        let box = DeadLetterBox(cluster: cluster)
        let matching = try await box.letters(matching: filter)
        let letters = matching.map { LetterRow($0, marks.mark(of: $0)) }
            .filter { !waitingOnly || $0.replayedAt == nil }
        if matching.isEmpty, !filter.isEmpty {
            console.note(try await box.nothingMatches(filter))
        } else if letters.isEmpty {
            console.note(matching.isEmpty ? "No dead letters." : "No dead letters that wait.")
        }
        if showsEach {
            try console.show(LetterRows(letters: letters), as: format)
        } else {
            try console.show(LetterGroups(letters), as: format)
        }
    }
}

/// One letter in a listing.
struct LetterRow: Encodable, Sendable, Equatable {
    let letter: String
    let service: String
    let originTopic: String?
    let key: String?
    let eventType: String?
    let eventID: String?
    let failure: String
    let fingerprint: String
    let reason: String?
    let attempts: Int?
    let replayCount: Int
    let writtenAt: Date
    let replayedAt: Date?

    init(_ letter: DeadLetter, _ mark: ReplayMark?) {
        self.letter = letter.place.description
        service = letter.service
        originTopic = letter.headers.originTopic
        key = letter.key
        eventType = letter.eventType
        eventID = letter.eventID
        failure = letter.failure
        fingerprint = letter.fingerprint
        reason = letter.headers.reason?.rawValue
        attempts = letter.headers.attempt
        replayCount = letter.headers.replayCount ?? 0
        writtenAt = Date(milliseconds: letter.writtenAt)
        replayedAt = mark.map { Date(milliseconds: $0.replayedAt) }
    }
}

/// A listing of letters.
struct LetterRows: Report {
    let letters: [LetterRow]

    func encode(to encoder: any Encoder) throws { try letters.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        guard !letters.isEmpty else { return [] }
        var table = Table("LETTER", "KEY", "TYPE", ">ATTEMPTS", "WRITTEN", "REPLAYED", "~FAILURE")
        for row in letters {
            table.add([
                row.letter, row.key ?? "-", row.eventType ?? "-", row.attempts.map(String.init) ?? "-",
                Timestamp.text(row.writtenAt), row.replayedAt.map { Timestamp.text($0) } ?? "-", row.failure,
            ])
        }
        return table.lines(style)
    }
}

/// Letters of one service, topic and failure.
struct LetterGroup: Encodable, Sendable, Equatable {
    let service: String
    let originTopic: String?
    let failure: String
    let fingerprint: String
    let letters: Int
    let waiting: Int
    let oldest: Date
    let newest: Date
    /// The newest letter, to look at.
    let example: String
}

/// The groups, those with most letters waiting first.
struct LetterGroups: Report {
    let groups: [LetterGroup]

    init(_ letters: [LetterRow]) {
        let sorted = Dictionary(grouping: letters) { [$0.service, $0.originTopic ?? "", $0.fingerprint] }
        groups = sorted.values.compactMap { members -> LetterGroup? in
            guard let oldest = members.min(by: { $0.writtenAt < $1.writtenAt }),
                let newest = members.max(by: { $0.writtenAt < $1.writtenAt })
            else { return nil }
            return LetterGroup(
                service: newest.service, originTopic: newest.originTopic, failure: newest.failure,
                fingerprint: newest.fingerprint, letters: members.count,
                waiting: members.count { $0.replayedAt == nil }, oldest: oldest.writtenAt, newest: newest.writtenAt,
                example: newest.letter)
        }.sorted { ($1.waiting, $0.service, $0.fingerprint) < ($0.waiting, $1.service, $1.fingerprint) }
    }

    func encode(to encoder: any Encoder) throws { try groups.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        guard !groups.isEmpty else { return [] }
        var table = Table("SERVICE", "TOPIC", ">LETTERS", ">WAITING", "NEWEST LETTER", "FINGERPRINT", "~FAILURE")
        for group in groups {
            table.add([
                group.service, group.originTopic ?? "-", String(group.letters), String(group.waiting), group.example,
                String(group.fingerprint.prefix(8)), group.failure,
            ])
        }
        return table.lines(style)
    }
}

extension Date {
    /// The time `milliseconds` after 1970-01-01T00:00:00Z.
    init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1_000) }
}
