// Finds the command that was called, runs it, and turns errors into messages and exit codes.

import Troupe

/// The tool: its commands, and the way from a command line to an exit code.
struct Tool: Sendable {
    let commands: [any Command.Type]
    /// What `--version` prints.
    let version: String
    /// The environment, of which variables that nobody reads are told.
    var environment: [String: String] = [:]

    private var specs: [CommandSpec] { commands.map { $0.spec } }

    /// Runs the command line `words`, which do not include the program's name.
    func run(_ words: [String], _ console: Console) async -> ExitCode {
        do {
            return try await dispatch(words, console)
        } catch let error as UsageError {
            console.error(error.message)
            if let hint = error.hint { console.note(hint) }
            console.note("Try '\(helpCommand(for: words))'.")
            return .usage
        } catch let failure as CommandFailure {
            console.error(failure.message)
            return failure.code
        } catch is CancellationError {
            return .interrupted
        } catch {
            if Task.isCancelled { return .interrupted }
            console.error("\(error)")
            return .failure
        }
    }

    private func dispatch(_ words: [String], _ console: Console) async throws -> ExitCode {
        if words.first == "--version" {
            console.data(version)
            return .ok
        }
        if words.first == "help" { return try await dispatch(words.dropFirst() + ["--help"], console) }
        guard let command = commands.first(where: { words.starts(with: $0.spec.path) }) else {
            return try explain(words, console)
        }
        let input = try ArgumentParser.parse(words.dropFirst(command.spec.path.count), for: command.spec)
        if input.has(.help) {
            console.data(Help.command(command.spec), terminator: "")
            return .ok
        }
        // The doctor has them among its findings.
        if command != DoctorCommand.self {
            for variable in EnvironmentVariable.unknown(in: environment) { console.note(variable.message.printable) }
        }
        try await command.init(input).run(console)
        return .ok
    }

    /// Answers a command line that names a group, asks for help, or misspells a command.
    private func explain(_ words: [String], _ console: Console) throws -> ExitCode {
        let group = groupPrefix(of: words)
        let help = Help.group(group, of: specs)
        let rest = words.dropFirst(group.count)
        guard let word = rest.first else {
            console.message(help)
            return .usage
        }
        if word == "--help" || word == "-h" {
            console.data(help, terminator: "")
            return .ok
        }
        let candidates = Set(specs.filter { $0.path.starts(with: group) }.map { $0.path[group.count] }).sorted()
        throw UsageError(
            "Unknown command '\((group + [word]).joined(separator: " ").printable)'",
            hint: Suggestion.closest(to: word, among: candidates).map {
                "Did you mean 'troupe \((group + [$0]).joined(separator: " "))'?"
            })
    }

    /// The words at the beginning that name a group of commands.
    private func groupPrefix(of words: [String]) -> [String] {
        let isGroup = words.first.map { word in specs.contains { $0.path.count > 1 && $0.path[0] == word } } ?? false
        return isGroup ? Array(words.prefix(1)) : []
    }

    private func helpCommand(for words: [String]) -> String {
        let path = specs.first { words.starts(with: $0.path) }?.path ?? groupPrefix(of: words)
        return (["troupe"] + path + ["--help"]).joined(separator: " ")
    }
}
