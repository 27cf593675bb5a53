// The parsed command line, read by typed getters that name the option when a value does not fit.

/// What was given on the command line: arguments, and values of options.
struct Input: Sendable, Equatable {
    /// The positional arguments, in order; as many as the specification asks for.
    let arguments: [String]
    private let values: [String: [String]]

    init(arguments: [String], values: [String: [String]]) {
        self.arguments = arguments
        self.values = values
    }

    /// The argument at `index`; `nil` when it was not given.
    func argument(_ index: Int) -> String? { arguments.indices.contains(index) ? arguments[index] : nil }

    /// The required argument at `index`.
    func required(_ index: Int) throws(UsageError) -> String {
        guard let argument = argument(index) else { throw UsageError("An argument is missing") }
        return argument
    }

    /// Whether the option was given.
    func has(_ option: Option) -> Bool { values[option.name] != nil }

    /// The option's value; `nil` when it was not given.
    func string(_ option: Option) -> String? { values[option.name]?.last }

    /// All values of an option that may be repeated.
    func strings(_ option: Option) -> [String] { values[option.name] ?? [] }

    /// The option's value as a whole number within `range`.
    func integer(_ option: Option, in range: ClosedRange<Int> = 0...Int.max) throws(UsageError) -> Int? {
        guard let text = string(option) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw unfit(option, text, "a whole number \(bounds)")
        }
        return number
    }

    /// The option's value as one of the cases of `Choice`.
    func choice<Choice>(_ option: Option, _ type: Choice.Type = Choice.self) throws(UsageError) -> Choice?
    where Choice: RawRepresentable<String> & CaseIterable {
        guard let text = string(option) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let all = Choice.allCases.map(\.rawValue)
            throw UsageError(
                "Option \(option.spelling) is '\(text.printable)', not one of \(all.joined(separator: ", "))",
                hint: Suggestion.closest(to: text, among: all).map { "Did you mean \($0)?" })
        }
        return choice
    }

    /// The option's value as a length of time, such as `500ms`, `10s`, `5m`, `2h` or `1d`.
    func duration(_ option: Option) throws(UsageError) -> Duration? {
        guard let text = string(option) else { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units: [Substring: Duration] = [
            "ms": .milliseconds(1), "s": .seconds(1), "m": .seconds(60), "h": .seconds(3_600), "d": .seconds(86_400),
        ]
        guard let count = Int32(digits), let unit = units[text.dropFirst(digits.count)] else {
            throw unfit(option, text, "a length of time such as 500ms, 10s, 5m, 2h or 1d")
        }
        return unit * count
    }

    /// The values of a repeatable option, each `key=value`.
    func pairs(_ option: Option) throws(UsageError) -> [(key: String, value: String)] {
        var result: [(String, String)] = []
        for text in strings(option) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // The text may be a secret: it is not repeated in the message.
            guard parts.count == 2, !parts[0].isEmpty else {
                throw UsageError(
                    "A value of option \(option.spelling) is not of the form \(option.valueName ?? "KEY=VALUE")")
            }
            result.append((String(parts[0]), String(parts[1])))
        }
        return result
    }

    private func unfit(_ option: Option, _ text: String, _ expected: String) -> UsageError {
        UsageError("Option \(option.spelling) is '\(text.printable)', not \(expected)")
    }
}
