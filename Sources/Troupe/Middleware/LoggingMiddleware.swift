// A line in the log for each handling.

/// Logs every handling with its duration, and every failure with its error.
public struct LoggingMiddleware: EventMiddleware {
    private let level: LogLevel

    /// Creates a middleware that logs handled events at `level` and failures as warnings.
    public init(level: LogLevel = .debug) { self.level = level }

    /// Logs around the handling.
    public nonisolated(nonsending) func handle(_ context: EventContext, next: @escaping Next) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            try await next(context)
            context.logger.log(
                level, "Handled",
                metadata: [LogKey.durationMilliseconds: Self.milliseconds(start.duration(to: clock.now))])
        } catch {
            let failure = ErrorSummary(error)
            context.logger.warning(
                "Failed",
                metadata: [
                    LogKey.durationMilliseconds: Self.milliseconds(start.duration(to: clock.now)),
                    LogKey.errorType: failure.type, LogKey.error: failure.message,
                ])
            throw error
        }
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let micros = duration / .microseconds(1)
        return String((micros).rounded() / 1000)
    }
}
