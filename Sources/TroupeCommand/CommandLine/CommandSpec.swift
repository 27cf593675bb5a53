// What a command is called, what it takes, and how it explains itself.

/// An option of a command, such as `--limit=N` or `-f`.
struct Option: Sendable, Equatable {
    /// What follows the option's name.
    enum Value: Sendable, Equatable {
        /// Nothing: the option is there or not.
        case flag
        /// A value, called so in the help.
        case one(String)
        /// A value, and the option may be given several times.
        case many(String)
    }

    /// The long name, without the dashes.
    let name: String
    let short: Character?
    let value: Value
    let help: String
    /// The default, as the help words it.
    let defaultText: String?

    init(_ name: String, short: Character? = nil, _ value: Value = .flag, help: String, default: String? = nil) {
        self.name = name
        self.short = short
        self.value = value
        self.help = help
        self.defaultText = `default`
    }

    /// Asks for the help of a command; every command has it.
    static let help = Option("help", short: "h", help: "show this help and exit")

    /// How the option is written in a usage line and in messages.
    var spelling: String { "--\(name)" }

    /// The name of the option's value in the help.
    var valueName: String? {
        switch value {
        case .flag: nil
        case .one(let name), .many(let name): name
        }
    }
}

/// A positional argument of a command.
struct Argument: Sendable, Equatable {
    let name: String
    let help: String
    let isRequired: Bool
    let repeats: Bool

    init(_ name: String, help: String, isRequired: Bool = true, repeats: Bool = false) {
        self.name = name
        self.help = help
        self.isRequired = isRequired
        self.repeats = repeats
    }

    /// How the argument is written in a usage line.
    var spelling: String {
        let text = repeats ? "\(name)..." : name
        return isRequired ? text : "[\(text)]"
    }
}

/// A command line that shows how a command is used.
struct Example: Sendable, Equatable {
    let command: String
    let explanation: String

    init(_ command: String, _ explanation: String) {
        self.command = command
        self.explanation = explanation
    }
}

/// Everything the parser and the help need to know of a command.
struct CommandSpec: Sendable, Equatable {
    /// The words that call the command: `["dlt", "replay"]`.
    let path: [String]
    /// One line that says what the command does.
    let summary: String
    /// Further paragraphs for the command's own help.
    let discussion: String
    let arguments: [Argument]
    let options: [Option]
    let examples: [Example]

    init(
        _ path: String..., summary: String, discussion: String = "", arguments: [Argument] = [], options: [Option] = [],
        examples: [Example]
    ) {
        self.path = path
        self.summary = summary
        self.discussion = discussion
        self.arguments = arguments
        self.options = options + [.help]
        self.examples = examples
    }
}

/// One command of the tool: a specification, its input, and what it does.
protocol Command: Sendable {
    /// What the command is called and takes.
    static var spec: CommandSpec { get }

    /// Takes what it needs from the parsed command line; throws `UsageError` when a value does not fit.
    init(_ input: Input) throws

    /// Does the work, until it is done or the task is cancelled.
    func run(_ console: Console) async throws
}
