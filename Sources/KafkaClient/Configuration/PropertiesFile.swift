// Reads the text of a Java properties file.

/// The entries of a Java properties file, in order, as `java.util.Properties.load` reads them.
struct PropertiesFile {
    private(set) var entries: [(name: String, value: String)] = []

    /// Wraps entries that come from elsewhere, such as the environment.
    init(entries: [(name: String, value: String)]) { self.entries = entries }

    /// Reads the text of a file.
    init(text: String) {
        for line in Self.logicalLines(text) {
            var parser = LineParser(line)
            let name = parser.name()
            entries.append((name, parser.value()))
        }
    }

    /// Lines without comments and blank ones, with continued ones joined.
    private static func logicalLines(_ text: String) -> [[Unicode.Scalar]] {
        var lines: [[Unicode.Scalar]] = []
        var current: [Unicode.Scalar]?
        // Scalars, not characters: to Swift "\r\n" is one character.
        let normalized = Array(text.unicodeScalars.filter { $0 != "\r" })
        for physical in normalized.split(separator: "\n", omittingEmptySubsequences: false) {
            let line = Array(physical.drop { $0 == " " || $0 == "\t" || $0 == "\u{c}" })
            if current == nil, line.isEmpty || line[0] == "#" || line[0] == "!" { continue }
            let backslashes = line.reversed().prefix { $0 == "\\" }.count
            let isContinued = backslashes % 2 == 1
            let joined = (current ?? []) + (isContinued ? Array(line.dropLast()) : line)
            current = isContinued ? joined : nil
            if !isContinued { lines.append(joined) }
        }
        if let current { lines.append(current) }
        return lines
    }

    private struct LineParser {
        let line: [Unicode.Scalar]
        var position = 0

        init(_ line: [Unicode.Scalar]) { self.line = line }

        mutating func name() -> String {
            unescaped { $0 == "=" || $0 == ":" || $0 == " " || $0 == "\t" }
        }

        mutating func value() -> String {
            skipBlanks()
            if position < line.count, line[position] == "=" || line[position] == ":" {
                position += 1
                skipBlanks()
            }
            return unescaped { _ in false }
        }

        private mutating func skipBlanks() {
            while position < line.count, line[position] == " " || line[position] == "\t" { position += 1 }
        }

        private mutating func unescaped(until isEnd: (Unicode.Scalar) -> Bool) -> String {
            var text = String.UnicodeScalarView()
            while position < line.count, !isEnd(line[position]) {
                let scalar = line[position]
                position += 1
                guard scalar == "\\", position < line.count else {
                    text.append(scalar)
                    continue
                }
                let escaped = line[position]
                position += 1
                switch escaped {
                case "n": text.append("\n")
                case "t": text.append("\t")
                case "r": text.append("\r")
                case "f": text.append("\u{c}")
                case "u":
                    let digits = String(String.UnicodeScalarView(line[position...].prefix(4)))
                    if digits.utf8.count == 4, let number = UInt32(digits, radix: 16),
                        let decoded = Unicode.Scalar(number)
                    {
                        text.append(decoded)
                        position += 4
                    } else {
                        text.append(escaped)
                    }
                default: text.append(escaped)
                }
            }
            return String(text)
        }
    }
}
