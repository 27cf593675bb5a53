// Turns the words of a command line into options and arguments, by GNU's conventions.

/// A command line that does not fit the command: what is wrong, and what might have been meant.
struct UsageError: Error, Equatable {
    let message: String
    let hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }
}

/// Parses by GNU's conventions: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-abc` for three flags, options
/// and arguments in any order, and `--` before arguments that begin with a dash.
struct ArgumentParser {
    private let spec: CommandSpec
    private var words: ArraySlice<String>
    private var values: [String: [String]] = [:]
    private var arguments: [String] = []

    /// Parses `words`, which follow the command's name.
    ///
    /// With `--help` among the options nothing else is checked.
    static func parse(_ words: some Collection<String>, for spec: CommandSpec) throws(UsageError) -> Input {
        var parser = ArgumentParser(spec: spec, words: ArraySlice(words))
        return try parser.parse()
    }

    private init(spec: CommandSpec, words: ArraySlice<String>) {
        self.spec = spec
        self.words = words
    }

    private mutating func parse() throws(UsageError) -> Input {
        while let word = words.popFirst() {
            if word == "--" {
                arguments += words
                break
            } else if word.hasPrefix("--") {
                try parseLong(word.dropFirst(2))
            } else if word.hasPrefix("-"), word != "-" {
                try parseShort(word.dropFirst())
            } else {
                arguments.append(word)
            }
            if values[Option.help.name] != nil { return Input(arguments: [], values: values) }
        }
        try checkArguments()
        return Input(arguments: arguments, values: values)
    }

    private mutating func parseLong(_ word: Substring) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = spec.options.first(where: { $0.name == name }) else {
            throw UsageError(
                "Unknown option --\(name.printable)",
                hint: Suggestion.closest(to: name, among: spec.options.map(\.name)).map { "Did you mean --\($0)?" })
        }
        let attached = parts.count == 2 ? String(parts[1]) : nil
        if case .flag = option.value {
            guard attached == nil else { throw UsageError("Option \(option.spelling) takes no value") }
            try store("", for: option)
        } else if let attached {
            try store(attached, for: option)
        } else {
            try store(try next(after: option), for: option)
        }
    }

    private mutating func parseShort(_ word: Substring) throws(UsageError) {
        var rest = word
        while let letter = rest.popFirst() {
            guard let option = spec.options.first(where: { $0.short == letter }) else {
                throw UsageError("Unknown option -\(String(letter).printable)")
            }
            if case .flag = option.value {
                try store("", for: option)
            } else {
                let value = rest.isEmpty ? try next(after: option) : String(rest)
                try store(value, for: option)
                return
            }
        }
    }

    private mutating func next(after option: Option) throws(UsageError) -> String {
        guard let value = words.popFirst() else {
            throw UsageError("Option \(option.spelling) needs a value (\(option.valueName ?? "VALUE"))")
        }
        return value
    }

    private mutating func store(_ value: String, for option: Option) throws(UsageError) {
        if case .one = option.value, values[option.name] != nil {
            throw UsageError("Option \(option.spelling) is given twice")
        }
        values[option.name, default: []].append(value)
    }

    private func checkArguments() throws(UsageError) {
        let required = spec.arguments.filter(\.isRequired)
        if arguments.count < required.count {
            throw UsageError("Missing \(required[arguments.count].name): \(required[arguments.count].help)")
        }
        if spec.arguments.last?.repeats != true, arguments.count > spec.arguments.count {
            throw UsageError("Unexpected argument '\(arguments[spec.arguments.count].printable)'")
        }
    }
}
