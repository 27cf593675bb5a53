// Where a command writes: data to standard output, messages to standard error.

/// The two streams of a command and what the terminal behind them can do.
struct Console: Sendable {
    /// Writes bytes to one stream.
    typealias Sink = @Sendable (String) -> Void

    private let out: Sink
    private let err: Sink
    /// Whether standard output is a terminal that may be drawn on.
    let isInteractive: Bool
    /// Colours for standard output.
    let style: Style
    /// Colours for standard error.
    let errorStyle: Style

    init(out: @escaping Sink, err: @escaping Sink, isInteractive: Bool, style: Style, errorStyle: Style) {
        self.out = out
        self.err = err
        self.isInteractive = isInteractive
        self.style = style
        self.errorStyle = errorStyle
    }

    /// Writes a line of data to standard output.
    func data(_ text: String, terminator: String = "\n") { out(text + terminator) }

    /// Writes a line of information to standard error.
    func note(_ text: String) { err(text + "\n") }

    /// Writes text to standard error as it is.
    func message(_ text: String) { err(text) }

    /// Writes what went wrong to standard error.
    func error(_ text: String) { err("\(errorStyle.red("troupe:")) \(text)\n") }
}

/// Colours and weights of text, or none of them, and how wide what is written may be.
struct Style: Sendable, Equatable {
    let isOn: Bool
    /// The columns of the terminal; `nil` where there is none, and nothing is shortened.
    var width: Int?

    static let plain = Style(isOn: false)
    static let colored = Style(isOn: true)

    func bold(_ text: String) -> String { wrap(text, "1") }
    func dim(_ text: String) -> String { wrap(text, "2") }
    func red(_ text: String) -> String { wrap(text, "31") }
    func green(_ text: String) -> String { wrap(text, "32") }
    func yellow(_ text: String) -> String { wrap(text, "33") }
    func cyan(_ text: String) -> String { wrap(text, "36") }

    private func wrap(_ text: String, _ code: String) -> String { isOn ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
}

extension String {
    /// The text with control characters written as escapes, so that data can neither move the cursor nor break a line.
    var printable: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.isControl: text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension String {
    /// At most `count` characters: in place of what is too much, a sign stands after the first third.
    ///
    /// Of a cause the end says most, and the beginning what kind of failure it is.
    func shortenedInside(to count: Int) -> String {
        guard self.count > count, count > 0 else { return self }
        let head = (count - 1) / 3
        return prefix(head) + "…" + suffix(count - 1 - head)
    }
}

extension Int {
    /// The number with a noun: `1 broker`, `2 brokers`.
    func of(_ noun: String) -> String { self == 1 ? "1 \(noun)" : "\(self) \(noun)s" }
}

extension Unicode.Scalar {
    /// Whether a terminal may obey the scalar rather than show it: C0 and C1 controls, and changes of direction.
    fileprivate var isControl: Bool {
        value < 0x20 || (0x7f...0x9f).contains(value) || (0x202a...0x202e).contains(value)
            || (0x2066...0x2069).contains(value)
    }
}
