// `troupe completion`: lets the shell complete commands and options.

/// Prints a script that completes the tool's command lines.
struct CompletionCommand: Command {
    private enum Shell: String, CaseIterable { case bash, zsh }

    static let spec = CommandSpec(
        "completion", summary: "Print a script that lets the shell complete commands and options.",
        arguments: [Argument("SHELL", help: "bash or zsh")],
        examples: [
            Example("troupe completion bash > ~/.local/share/bash-completion/completions/troupe", "for bash, for good"),
            Example("troupe completion zsh >> ~/.zshrc", "for zsh, for good"),
        ])

    private let shell: Shell

    init(_ input: Input) throws {
        let name = try input.required(0)
        guard let shell = Shell(rawValue: name) else {
            throw UsageError("There is no completion for '\(name.printable)', only for bash and zsh")
        }
        self.shell = shell
    }

    func run(_ console: Console) async throws {
        let script = CompletionScript.bash(Tool.troupe.commands.map { $0.spec })
        // zsh runs bash's completions.
        let prelude = shell == .zsh ? "autoload -U +X bashcompinit && bashcompinit\n" : ""
        console.data(prelude + script, terminator: "")
    }
}

/// Writes completion scripts.
enum CompletionScript {
    /// A script for bash that completes the words of commands and the names of options; values are files.
    static func bash(_ specs: [CommandSpec]) -> String {
        var words: [[String]: Set<String>] = [:]
        for spec in specs {
            for depth in spec.path.indices { words[Array(spec.path[..<depth]), default: []].insert(spec.path[depth]) }
            words[spec.path] = Set(spec.options.map(\.spelling))
        }
        // Longer paths first: the first pattern that fits is taken.
        let cases = words.sorted { ($1.key.count, $0.key.joined()) < ($0.key.count, $1.key.joined()) }
            .map { path, words in
                let pattern = path.isEmpty ? "*" : "\"\(path.joined(separator: " ")) \"*"
                return "    \(pattern)) words=\"\(words.sorted().joined(separator: " "))\" ;;"
            }
        return """
            # Completes troupe's command lines; made by 'troupe completion'.
            _troupe() {
              local line="${COMP_WORDS[*]:1:COMP_CWORD-1} " words
              case "$line" in
            \(cases.joined(separator: "\n"))
              esac
              COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _troupe troupe

            """
    }
}
