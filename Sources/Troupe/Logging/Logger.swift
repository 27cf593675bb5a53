// The seam for logging: small, and shaped like swift-log's.

/// Writes log lines with a message and structured values.
///
/// Cheap to copy; each copy has its own values.
public struct Logger: Sendable {
    /// Structured values beside a message.
    public typealias Metadata = [String: String]

    /// What the lines come from.
    public let label: String
    /// Lines below this level are dropped without making their text.
    public var level: LogLevel
    /// Values that stand in every line of this logger.
    public var metadata: Metadata = [:]
    private let handler: any LogHandler

    /// Creates a logger that writes to `handler`.
    public init(label: String, level: LogLevel = .info, handler: any LogHandler) {
        self.label = label
        self.level = level
        self.handler = handler
    }

    /// Creates a logger that writes to standard error as the environment says.
    ///
    /// - `LOG_LEVEL`: `trace`, `debug`, `info` (default), `notice`, `warning`, `error` or `critical`.
    /// - `LOG_FORMAT`: `text` or `json`; `text` on a terminal and `json` elsewhere when nothing is said.
    ///
    /// Another value counts as none; the first logger of a process says so, as a warning.
    public init(label: String) {
        let environment = LogEnvironment()
        self.init(label: label, level: environment.level, handler: StandardErrorLogHandler(format: environment.format))
        environment.tellDefects(self)
    }

    /// The value that stands in every line under `key`.
    public subscript(metadataKey key: String) -> String? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes a line of `level`.
    public func log(
        _ level: LogLevel, _ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]
    ) {
        guard level >= self.level else { return }
        handler.log(
            LogLine(
                label: label, level: level, message: message(),
                metadata: self.metadata.merging(metadata()) { _, new in new }))
    }

    /// Writes a line of level `trace`.
    public func trace(_ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]) {
        log(.trace, message(), metadata: metadata())
    }

    /// Writes a line of level `debug`.
    public func debug(_ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]) {
        log(.debug, message(), metadata: metadata())
    }

    /// Writes a line of level `info`.
    public func info(_ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]) {
        log(.info, message(), metadata: metadata())
    }

    /// Writes a line of level `notice`.
    public func notice(_ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]) {
        log(.notice, message(), metadata: metadata())
    }

    /// Writes a line of level `warning`.
    public func warning(_ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]) {
        log(.warning, message(), metadata: metadata())
    }

    /// Writes a line of level `error`.
    public func error(_ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]) {
        log(.error, message(), metadata: metadata())
    }

    /// Writes a line of level `critical`.
    public func critical(_ message: @autoclosure () -> String, metadata: @autoclosure () -> Metadata = [:]) {
        log(.critical, message(), metadata: metadata())
    }
}

/// One line of a log.
public struct LogLine: Sendable, Hashable {
    /// What the line comes from.
    public var label: String
    /// How much it matters.
    public var level: LogLevel
    /// What happened.
    public var message: String
    /// Structured values.
    public var metadata: Logger.Metadata

    /// Creates a line.
    public init(label: String, level: LogLevel, message: String, metadata: Logger.Metadata = [:]) {
        self.label = label
        self.level = level
        self.message = message
        self.metadata = metadata
    }
}

/// Takes log lines somewhere.
///
/// Called from any thread.
public protocol LogHandler: Sendable {
    /// Takes one line.
    func log(_ line: LogLine)
}

/// A handler that drops every line.
public struct SilentLogHandler: LogHandler {
    /// Creates the handler.
    public init() {}

    /// Drops the line.
    public func log(_ line: LogLine) {}
}
