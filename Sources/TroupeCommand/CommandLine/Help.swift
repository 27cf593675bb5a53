// The help texts: of the whole tool, of a group of commands, and of one command.

/// Writes the help texts.
enum Help {
    /// The help of one command.
    static func command(_ spec: CommandSpec) -> String {
        let name = (["troupe"] + spec.path).joined(separator: " ")
        let words = [name, "[options]"] + spec.arguments.map(\.spelling)
        var text = "\(spec.summary)\n\nUsage: \(words.joined(separator: " "))\n"
        if !spec.discussion.isEmpty { text += "\n\(spec.discussion)\n" }
        if !spec.arguments.isEmpty {
            text += "\nArguments:\n" + columns(spec.arguments.map { ($0.name, $0.help) })
        }
        text += "\nOptions:\n" + columns(spec.options.map { (signature($0), description($0)) })
        text += "\nExamples:\n" + spec.examples.map { "  \($0.command)\n      \($0.explanation)\n" }.joined()
        return text
    }

    /// The help of a group of commands, or of the whole tool for an empty `prefix`.
    static func group(_ prefix: [String], of specs: [CommandSpec]) -> String {
        let name = (["troupe"] + prefix).joined(separator: " ")
        let members = specs.filter { $0.path.starts(with: prefix) }
        var text = prefix.isEmpty ? "Choreographed microservices over Kafka.\n\n" : ""
        text += "Usage: \(name) COMMAND [options]\n\nCommands:\n"
        text += columns(members.map { ($0.path.joined(separator: " "), $0.summary) })
        text += "\n'\(name) COMMAND --help' tells more of one command, with an example.\n"
        if prefix.isEmpty { text += "'troupe --version' tells the versions of Troupe and of the client library.\n" }
        return text
    }

    private static func signature(_ option: Option) -> String {
        let short = option.short.map { "-\($0), " } ?? "    "
        return short + option.spelling + (option.valueName.map { "=\($0)" } ?? "")
    }

    private static func description(_ option: Option) -> String {
        var text = option.help
        if case .many = option.value { text += "; may be repeated" }
        if let defaultText = option.defaultText { text += " (default: \(defaultText))" }
        return text
    }

    /// Two columns, the second wrapped at 100 characters.
    private static func columns(_ rows: [(String, String)]) -> String {
        let indent = 4 + (rows.map(\.0.count).max() ?? 0)
        return rows.map { left, right in
            let lines = wrap(right, width: max(30, 100 - indent))
            let first = "  " + left + String(repeating: " ", count: indent - 2 - left.count) + (lines.first ?? "")
            let rest = lines.dropFirst().map { "\n" + String(repeating: " ", count: indent) + $0 }
            return first + rest.joined() + "\n"
        }.joined()
    }

    private static func wrap(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
