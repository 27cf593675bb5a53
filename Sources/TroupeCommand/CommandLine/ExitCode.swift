// How the tool ends.

/// The exit codes that scripts may rely on.
enum ExitCode: Int32, Sendable {
    /// Done.
    case ok = 0
    /// It could not be done; a message on standard error says why.
    case failure = 1
    /// The thing that was asked for is not there.
    case notFound = 3
    /// What was checked is not as it should be; the findings are on standard output.
    case nonconforming = 5
    /// The command line makes no sense (EX_USAGE of sysexits.h).
    case usage = 64
    /// Ended by Ctrl-C or SIGTERM.
    case interrupted = 130
}

/// Ends a command with a message for standard error.
struct CommandFailure: Error, Equatable {
    let message: String
    let code: ExitCode

    init(_ message: String, code: ExitCode = .failure) {
        self.message = message
        self.code = code
    }

    /// The thing that was asked for is not there.
    static func notFound(_ message: String) -> CommandFailure { CommandFailure(message, code: .notFound) }
}
