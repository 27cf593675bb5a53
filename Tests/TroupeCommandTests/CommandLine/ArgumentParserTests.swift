// The conventions of the command line.

import Testing

@testable import TroupeCommand

@Suite struct ArgumentParserTests {
    private static let limit = Option("limit", short: "n", .one("N"), help: "how many")
    private static let topic = Option("topic", short: "t", .many("TOPIC"), help: "a topic")
    private static let follow = Option("follow", short: "f", help: "go on")
    private static let dry = Option("dry-run", short: "d", help: "change nothing")
    private let spec = CommandSpec(
        "dlt", "list", summary: "List.", arguments: [Argument("SERVICE", help: "the service")],
        options: [limit, topic, follow, dry], examples: [Example("troupe dlt list inventory", "all of it")])

    private func parse(_ words: String...) throws -> Input { try ArgumentParser.parse(words, for: spec) }

    @Test func valuesMayStandApartOrAttached() throws {
        for words in [["s", "--limit", "5"], ["--limit=5", "s"], ["-n", "5", "s"], ["-n5", "s"]] {
            let input = try ArgumentParser.parse(words, for: spec)
            #expect(try input.integer(Self.limit) == 5)
            #expect(input.arguments == ["s"])
        }
    }

    @Test func valuesMayContainEqualSignsBeEmptyOrBeginWithADash() throws {
        let input = try parse("s", "--topic=a=b", "--topic=", "--topic", "-x")
        #expect(input.strings(Self.topic) == ["a=b", "", "-x"])
    }

    @Test func flagsMayBeBundledWithAValueAtTheEnd() throws {
        let input = try parse("-fdn7", "s")
        #expect(input.has(Self.follow))
        #expect(input.has(Self.dry))
        #expect(try input.integer(Self.limit) == 7)
    }

    @Test func twoDashesEndTheOptionsAndOneDashIsAnArgument() throws {
        #expect(try parse("--", "--limit").arguments == ["--limit"])
        #expect(try parse("-").arguments == ["-"])
    }

    @Test func helpNeedsNothingElse() throws {
        #expect(try parse("--help", "--nonsense").has(.help))
        #expect(try parse("-h").has(.help))
    }

    private static let misfits: [(words: [String], message: String, hint: String?)] = [
        (["s", "--limt=5"], "Unknown option --limt", "Did you mean --limit?"),
        (["s", "--zzzzz"], "Unknown option --zzzzz", nil),
        (["s", "--dry"], "Unknown option --dry", "Did you mean --dry-run?"),
        (["s", "-x"], "Unknown option -x", nil),
        (["s", "--limit"], "Option --limit needs a value (N)", nil),
        (["s", "--follow=yes"], "Option --follow takes no value", nil),
        (["s", "-n1", "-n2"], "Option --limit is given twice", nil),
        ([], "Missing SERVICE: the service", nil),
        (["s", "t"], "Unexpected argument 't'", nil),
        (["s", "--\u{1b}[2J"], "Unknown option --\\u{1b}[2J", nil),
    ]

    @Test(arguments: misfits)
    func aCommandLineThatDoesNotFitSaysWhy(words: [String], message: String, hint: String?) {
        #expect(throws: UsageError(message, hint: hint)) { try ArgumentParser.parse(words, for: spec) }
    }

    @Test(arguments: ["x", "-1", "4.5", "99999999999999999999", ""])
    func aNumberOutOfRangeIsRefused(text: String) throws {
        let input = try parse("s", "--limit", text)
        #expect(throws: UsageError.self) { try input.integer(Self.limit, in: 0...10) }
    }

    @Test func durationsHaveUnits() throws {
        let expected: [(String, Duration)] = [
            ("500ms", .milliseconds(500)), ("10s", .seconds(10)), ("5m", .seconds(300)), ("2h", .seconds(7_200)),
            ("1d", .seconds(86_400)),
        ]
        for (text, duration) in expected { #expect(try parse("s", "-n", text).duration(Self.limit) == duration) }
        for text in ["10", "s", "-1s", "1.5s", "10 s", "99999999999999s"] {
            let input = try parse("s", "-n", text)
            #expect(throws: UsageError.self) { try input.duration(Self.limit) }
        }
    }

    @Test func choicesAreNamedWhenNoneFits() throws {
        #expect(try parse("s", "--topic", "json").choice(Self.topic, OutputFormat.self) == .json)
        let input = try parse("s", "--topic", "jsn")
        #expect(throws: UsageError("Option --topic is 'jsn', not one of table, json", hint: "Did you mean json?")) {
            try input.choice(Self.topic, OutputFormat.self)
        }
    }

    @Test func aPairThatIsNoPairIsNotRepeatedInTheMessage() throws {
        #expect(try parse("s", "-t", "a=b=c").pairs(Self.topic).map { "\($0.key)|\($0.value)" } == ["a|b=c"])
        let input = try parse("s", "-t", "sasl.password:hunter2")
        let error = #expect(throws: UsageError.self) { try input.pairs(Self.topic) }
        #expect(error?.message.contains("hunter2") == false)
    }
}

@Suite struct SuggestionTests {
    @Test(arguments: [("brokr", "broker"), ("dtl", "dlt"), ("demmo", "demo"), ("topic", "topics"), ("doc", "doctor")])
    func aTypoFindsTheCommand(word: String, meant: String) {
        #expect(Suggestion.closest(to: word, among: ["broker", "demo", "dlt", "doctor", "lag", "topics"]) == meant)
    }

    @Test func somethingElseFindsNothing() {
        #expect(Suggestion.closest(to: "kubernetes", among: ["broker", "demo", "dlt"]) == nil)
        #expect(Suggestion.closest(to: "x", among: []) == nil)
    }

    @Test func distanceCountsSwapsOnce() {
        #expect(Suggestion.distance("dlt", "dtl") == 1)
        #expect(Suggestion.distance("", "abc") == 3)
        #expect(Suggestion.distance("kitten", "sitting") == 3)
    }
}
