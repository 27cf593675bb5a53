// `troupe dlt replay`: sends letters back to the service that failed.

import Foundation
import KafkaClient
import Troupe

/// Sends chosen letters to the failed service's own retry topic.
struct DeadLetterReplayCommand: Command {
    private static let all = Option("all", help: "replay every letter that waits, of all services")
    private static let dryRun = Option("dry-run", help: "tell what would be replayed, and change nothing")
    private static let limit = Option(
        "limit", short: "n", .one("N"),
        help: "replay at most N letters, those that come first by topic, partition and offset of their origin")
    private static let again = Option("again", help: "replay also letters that were replayed before")

    static let spec = CommandSpec(
        "dlt", "replay", summary: "Send dead letters back to the service that failed, and to no other.",
        discussion: """
            The letters go to the failed service's own retry topic, never to the topic they came from: other services do
            not see the events again. Ids and correlation stay, attempts start again, and each event carries how often
            it was replayed. Only letters that are there when the command begins are replayed. They stay in their
            dead-letter topic; that they were replayed is noted in the topic troupe.replays, so that a second replay
            leaves them out and says so. A crash between sending and noting can replay up to 500 letters once more,
            under the same ids. They go in the order of their origin: topic, partition, offset. Headers whose values
            were redacted (ServiceConfiguration.redactedHeaders) are left out, and the command says which.
            """,
        arguments: [
            Argument("LETTER", help: "letters as 'dlt list --each' names them", isRequired: false, repeats: true)
        ],
        options: [all, dryRun, limit, again] + LetterFilter.options + KafkaOptions.all + [OutputFormat.option],
        examples: [
            Example("troupe dlt replay --service=shipping --dry-run", "what a replay of shipping's letters would do"),
            Example("troupe dlt replay --service=shipping --fingerprint=8c0e", "replay the letters of one failure"),
            Example("troupe dlt replay shipping.payments.dlt/2/17", "replay one letter"),
        ])

    private let kafka: KafkaOptions
    private let filter: LetterFilter
    private let format: OutputFormat
    private let places: Set<LetterPlace>
    private let isDryRun: Bool
    private let limit: Int
    private let replaysAgain: Bool

    init(_ input: Input) throws {
        kafka = try KafkaOptions(input)
        filter = LetterFilter(input)
        format = try OutputFormat(input)
        isDryRun = input.has(Self.dryRun)
        limit = try input.integer(Self.limit, in: 1...Int.max) ?? .max
        replaysAgain = input.has(Self.again)
        places = Set(
            try input.arguments.map { text in
                guard let place = LetterPlace(text) else {
                    throw UsageError("'\(text.printable)' is not a letter's place, TOPIC/PARTITION/OFFSET")
                }
                return place
            })
        guard !filter.isEmpty || !places.isEmpty || input.has(Self.all) else {
            throw UsageError(
                "Which letters? Name their places, choose with --service, --topic, --fingerprint or --key, "
                    + "or give --all")
        }
    }

    func run(_ console: Console) async throws {
        let cluster = try await kafka.connect()
        let log = ReplayLog(cluster)
        let box = DeadLetterBox(cluster: cluster)
        let matching = try await box.letters(matching: filter)
            .filter { places.isEmpty || places.contains($0.place) }
        let missing = places.subtracting(matching.map(\.place))
        guard missing.isEmpty else {
            let names = missing.map { $0.description.printable }.sorted().joined(separator: ", ")
            throw CommandFailure.notFound("There is no such letter: \(names)")
        }
        let plan = ReplayPlan(matching, marks: try await log.read(), again: replaysAgain, limit: limit)
        if plan.skipped > 0 {
            console.note(
                plan.skipped == 1
                    ? "1 of them was replayed before and is left out; --again replays it too."
                    : "\(plan.skipped) of them were replayed before and are left out; --again replays them too.")
        }
        for (name, count) in plan.redactions {
            console.note(
                "The value of the header \(name.printable) was redacted in \(counted(count, "letter")): "
                    + "the events go without that header.")
        }
        for refusal in plan.refusals { console.error(refusal) }
        if !isDryRun, !plan.letters.isEmpty {
            try await LetterReplay(cluster: cluster, log: log).send(plan.letters)
        }
        try console.show(ReplayReport(plan, isDryRun: isDryRun), as: format)
        if matching.isEmpty { throw CommandFailure.notFound(try await box.nothingMatches(filter)) }
        if !plan.refusals.isEmpty {
            throw CommandFailure("\(counted(plan.refusals.count, "letter")) cannot be replayed")
        }
    }
}

/// Which letters are replayed, in which order, and which cannot be.
struct ReplayPlan: Sendable {
    struct Item: Sendable {
        let letter: DeadLetter
        let record: PackedMessage
    }

    /// The letters to send, in the order of their origin, so that one key's events keep theirs.
    let letters: [Item]
    /// Letters left out because they were replayed before.
    let skipped: Int
    /// Why letters cannot be replayed.
    let refusals: [String]
    /// The headers that are left out because their values were redacted, with the number of letters that had them.
    let redactions: [(name: String, letters: Int)]

    init(_ matching: [DeadLetter], marks: [String: ReplayMark], again: Bool, limit: Int) {
        let fresh = again ? matching : matching.filter { marks.mark(of: $0) == nil }
        skipped = matching.count - fresh.count
        var letters: [Item] = []
        var refusals: [String] = []
        var redactions: [String: Int] = [:]
        for letter in fresh.sorted(by: Self.isEarlier).prefix(limit) {
            do {
                letters.append(Item(letter: letter, record: try Replay.record(for: letter.record)))
                for name in Replay.redactedHeaders(of: letter.record) { redactions[name, default: 0] += 1 }
            } catch {
                refusals.append("\(error)")
            }
        }
        self.letters = letters
        self.refusals = refusals
        self.redactions = redactions.sorted { $0.key < $1.key }.map { (name: $0.key, letters: $0.value) }
    }

    private static func isEarlier(_ a: DeadLetter, _ b: DeadLetter) -> Bool {
        func order(_ letter: DeadLetter) -> (String, Int32, Int64, String, Int64) {
            (
                letter.headers.originTopic ?? letter.record.topic,
                letter.headers.originPartition ?? letter.record.partition,
                letter.headers.originOffset ?? letter.record.offset, letter.record.topic, letter.record.offset
            )
        }
        return order(a) < order(b)
    }
}

/// What was replayed.
struct ReplayReport: Report {
    struct Line: Encodable, Sendable, Equatable {
        let letter: String
        let key: String?
        let eventID: String?
        let to: String
        let replay: Int
    }

    let isDryRun: Bool
    let replayed: [Line]
    let skipped: Int

    init(_ plan: ReplayPlan, isDryRun: Bool) {
        self.isDryRun = isDryRun
        skipped = plan.skipped
        replayed = plan.letters.map { item in
            Line(
                letter: "\(item.letter.place)", key: item.letter.key, eventID: item.letter.eventID,
                to: item.record.topic, replay: (item.letter.headers.replayCount ?? 0) + 1)
        }
    }

    func lines(_ style: Style) -> [String] {
        var lines: [String] = []
        if !replayed.isEmpty {
            var table = Table("LETTER", "KEY", "TO", ">REPLAY")
            for line in replayed.prefix(20) { table.add([line.letter, line.key ?? "-", line.to, String(line.replay)]) }
            lines = table.lines(style)
            if replayed.count > 20 { lines.append("... and \(replayed.count - 20) more") }
        }
        return lines + ["\(isDryRun ? "Would replay" : "Replayed") \(counted(replayed.count, "letter"))."]
    }
}
