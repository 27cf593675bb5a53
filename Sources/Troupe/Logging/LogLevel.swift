// How much a log line matters.

/// How much a log line matters, in the vocabulary of swift-log.
public enum LogLevel: String, Sendable, Hashable, CaseIterable, Comparable, Codable {
    /// Every step, for finding a fault in Troupe itself.
    case trace
    /// What a developer wants to see.
    case debug
    /// What happens in normal work.
    case info
    /// Normal but worth noticing.
    case notice
    /// Something is not right, and the service goes on.
    case warning
    /// Something failed.
    case error
    /// Somebody must act now.
    case critical

    private var rank: Int {
        switch self {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }

    /// Orders from `trace` to `critical`.
    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }
}
