// From a command line to an exit code.

import Synchronization
import Testing

@testable import TroupeCommand

/// A console that remembers what was written to it.
final class Recorder: Sendable {
    private let texts = Mutex((out: "", err: ""))

    var out: String { texts.withLock { $0.out } }
    var err: String { texts.withLock { $0.err } }

    func console(_ style: Style = .plain) -> Console {
        Console(
            out: { text in self.texts.withLock { $0.out += text } },
            err: { text in self.texts.withLock { $0.err += text } },
            isInteractive: false, style: style, errorStyle: style)
    }
}

/// Prints its argument, or fails as it is told to.
private struct Say: Command {
    static let spec = CommandSpec(
        "say", summary: "Say a word.", arguments: [Argument("WORD", help: "the word to say")],
        options: [OutputFormat.option], examples: [Example("troupe say hello", "prints hello")])
    let word: String

    init(_ input: Input) throws { word = try input.required(0) }

    func run(_ console: Console) async throws {
        switch word {
        case "missing": throw CommandFailure.notFound("There is no such word")
        case "wrong": throw CommandFailure("It went wrong")
        case "cancel": throw CancellationError()
        default: console.data(word)
        }
    }
}

private struct List: Command {
    static let spec = CommandSpec(
        "dlt", "list", summary: "List letters.", examples: [Example("troupe dlt list", "lists all")])
    init(_ input: Input) throws {}
    func run(_ console: Console) async throws { console.data("letters") }
}

@Suite struct ToolTests {
    private let recorder = Recorder()
    private let tool = Tool(commands: [Say.self, List.self], version: "troupe 9")

    private func run(_ words: String...) async -> ExitCode { await tool.run(words, recorder.console()) }

    @Test func dataGoesToStandardOutput() async {
        #expect(await run("say", "hello") == .ok)
        #expect(recorder.out == "hello\n")
        #expect(recorder.err == "")
    }

    @Test(arguments: [("missing", ExitCode.notFound), ("wrong", .failure), ("cancel", .interrupted)])
    func failuresHaveTheirExitCode(word: String, code: ExitCode) async {
        #expect(await run("say", word) == code)
        #expect(recorder.out == "")
        #expect(recorder.err.isEmpty == (code == .interrupted))
    }

    @Test func aMistypedCommandGetsASuggestion() async {
        #expect(await run("sya", "hello") == .usage)
        #expect(recorder.out == "")
        #expect(recorder.err == "troupe: Unknown command 'sya'\nDid you mean 'troupe say'?\nTry 'troupe --help'.\n")
    }

    @Test func aMistypedCommandOfAGroupGetsASuggestion() async {
        #expect(await run("dlt", "lst") == .usage)
        #expect(
            recorder.err
                == "troupe: Unknown command 'dlt lst'\nDid you mean 'troupe dlt list'?\nTry 'troupe dlt --help'.\n")
    }

    @Test func aWrongOptionPointsToTheHelpOfItsCommand() async {
        #expect(await run("dlt", "list", "--frmat=json") == .usage)
        #expect(recorder.err.hasSuffix("Try 'troupe dlt list --help'.\n"))
    }

    @Test(arguments: [[], ["dlt"]])
    func withoutACommandTheHelpIsAMessage(words: [String]) async {
        #expect(await tool.run(words, recorder.console()) == .usage)
        #expect(recorder.out == "")
        #expect(recorder.err.contains("dlt list"))
    }

    @Test(arguments: [
        ["--help"], ["-h"], ["help"], ["dlt", "--help"], ["help", "dlt"], ["dlt", "list", "-h"],
        ["help", "dlt", "list"],
    ])
    func helpThatWasAskedForIsData(words: [String]) async {
        #expect(await tool.run(words, recorder.console()) == .ok)
        #expect(recorder.out.contains("dlt list"))
        #expect(recorder.err == "")
    }

    @Test func variablesThatNobodyReadsAreToldOnStandardError() async {
        var tool = tool
        tool.environment = ["TROUPE_NAMESPAC": "hunter2", "TROUPE_NAMESPACE": "staging."]
        #expect(await tool.run(["say", "hello"], recorder.console()) == .ok)
        #expect(recorder.out == "hello\n")
        #expect(
            recorder.err
                == "The environment variable TROUPE_NAMESPAC is not one that Troupe reads. Did you mean TROUPE_NAMESPACE?\n"
        )
    }

    @Test func versionIsData() async {
        #expect(await run("--version") == .ok)
        #expect(recorder.out == "troupe 9\n")
    }

    @Test func everyCommandHasHelpWithAnExampleThatCallsIt() throws {
        for command in Tool.troupe.commands {
            let spec = command.spec
            let help = Help.command(spec)
            #expect(!spec.examples.isEmpty)
            for example in spec.examples {
                let words = example.command.split(separator: " ").map(String.init).drop { $0 != "troupe" }.dropFirst()
                #expect(words.starts(with: spec.path), "\(example.command)")
                #expect(help.contains(example.command))
            }
            for option in spec.options { #expect(help.contains("--" + option.name)) }
            #expect(Set(spec.options.map(\.name)).count == spec.options.count)
            #expect(Set(spec.options.compactMap(\.short)).count == spec.options.compactMap(\.short).count)
            #expect(help.split(separator: "\n").allSatisfy { $0.count <= 120 }, "\(spec.path)")
        }
    }
}
