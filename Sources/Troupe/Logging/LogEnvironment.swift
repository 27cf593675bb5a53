// What the environment says about logging, and what of it cannot be followed.

import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the environment says about logging.
struct LogEnvironment: Equatable {
    private(set) var level = LogLevel.info
    private(set) var format: LogFormat
    /// What it says that cannot be followed, a sentence each.
    private(set) var defects: [String] = []

    /// Reads values; a missing or an empty one says nothing.
    ///
    /// - Parameter isTerminal: Whether lines go to a terminal.
    init(level: String?, format: String?, isTerminal: Bool) {
        self.format = isTerminal ? .text : .json
        take("LOG_LEVEL", level, into: \.level)
        take("LOG_FORMAT", format, into: \.format)
    }

    /// Reads this process's environment.
    init() {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        self.init(
            level: variable("LOG_LEVEL"), format: variable("LOG_FORMAT"), isTerminal: isatty(STDERR_FILENO) == 1)
    }

    private mutating func take<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ text: String?, into path: WritableKeyPath<Self, Choice>
    ) {
        guard let text, !text.isEmpty else { return }
        if let choice = Choice(rawValue: text.lowercased()) {
            self[keyPath: path] = choice
        } else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            defects.append("\(name) is \"\(text)\"; it takes \(choices). It is \(self[keyPath: path].rawValue) now")
        }
    }

    private static let isTold = Atomic(false)

    /// Writes what cannot be followed to `logger`, once in a process.
    func tellDefects(_ logger: Logger) {
        guard !defects.isEmpty, !Self.isTold.exchange(true, ordering: .relaxed) else { return }
        for defect in defects { logger.warning(defect) }
    }
}
