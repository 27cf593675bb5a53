// When a failed event is tried again, and when no more.

/// Says what happens when a handler throws: try again after a delay, dead-letter, or ignore.
///
/// ```swift
/// retry: .exponential(initial: .seconds(1), multiplier: 2, maxDelay: .seconds(60), maxRetries: 3)
///     .notRetrying(InvalidOrder.self)
/// ```
///
/// Delays up to the service's limit (1 s when nothing else is said) are waited for in place; a longer one sends the
/// record to the retry topic, which it leaves no earlier than the delay demands. Events that cannot be decoded are
/// never retried.
public struct RetryPolicy: Sendable {
    /// What to do about an error.
    public enum Decision: Sendable, Hashable {
        /// Try again, as long as retries are left.
        case retry
        /// Dead-letter at once.
        case deadLetter
        /// Count the event as handled, with a line in the log.
        case ignore
    }

    private enum Delays: Sendable {
        case fixed(Duration)
        case exponential(initial: Duration, multiplier: Double, maxDelay: Duration)
    }

    private var delays: Delays
    private var delayedRetries: Int
    private var immediateRetries = 0
    private var jitter: Double
    private var rules: [@Sendable (any Error) -> Decision?] = []

    private init(_ delays: Delays, retries: Int, jitter: Double) {
        self.delays = delays
        delayedRetries = max(retries, 0)
        self.jitter = min(max(jitter, 0), 1)
    }

    /// No retry: the first failure dead-letters.
    ///
    /// Not called `none`: where a policy is optional, Swift takes `.none` for no policy, which is the standard one.
    public static let never = RetryPolicy(.fixed(.zero), retries: 0, jitter: 0)

    /// What a route has when nothing else is said: 1 s, 2 s and 4 s, each shortened by up to 10 %.
    public static let standard = RetryPolicy.exponential()

    /// The same delay before each retry.
    /// - Parameters:
    ///   - delay: the delay.
    ///   - maxRetries: how many retries follow the first attempt.
    ///   - jitter: the share of the delay, 0 to 1, by which it may be shortened at random.
    public static func fixed(_ delay: Duration, maxRetries: Int, jitter: Double = 0) -> RetryPolicy {
        RetryPolicy(.fixed(max(delay, .zero)), retries: maxRetries, jitter: jitter)
    }

    /// A delay that grows from retry to retry.
    /// - Parameters:
    ///   - initial: the delay before the first retry.
    ///   - multiplier: the factor from one delay to the next; at least 1.
    ///   - maxDelay: no delay is longer.
    ///   - maxRetries: how many retries follow the first attempt.
    ///   - jitter: the share of the delay, 0 to 1, by which it may be shortened at random, so that many events that
    ///     failed together do not come back together.
    public static func exponential(
        initial: Duration = .seconds(1), multiplier: Double = 2, maxDelay: Duration = .seconds(60),
        maxRetries: Int = 3, jitter: Double = 0.1
    ) -> RetryPolicy {
        RetryPolicy(
            .exponential(
                initial: max(initial, .zero), multiplier: multiplier.isFinite ? max(multiplier, 1) : 1,
                maxDelay: max(maxDelay, .zero)),
            retries: maxRetries, jitter: jitter)
    }

    /// The same policy with `count` retries without delay before the delayed ones.
    public func immediately(_ count: Int) -> RetryPolicy {
        with { $0.immediateRetries = max(count, 0) }
    }

    /// The same policy, but errors of type `E` dead-letter at once.
    public func notRetrying<E: Error>(_ type: E.Type) -> RetryPolicy {
        deciding { $0 is E ? .deadLetter : nil }
    }

    /// The same policy, but errors of type `E` count as handled, with a line in the log.
    public func ignoring<E: Error>(_ type: E.Type) -> RetryPolicy {
        deciding { $0 is E ? .ignore : nil }
    }

    /// The same policy, with a closure that decides about errors; it returns `nil` where it has nothing to say.
    ///
    /// What was added first is asked first.
    public func deciding(_ rule: @escaping @Sendable (any Error) -> Decision?) -> RetryPolicy {
        with { $0.rules.append(rule) }
    }

    private func with(_ change: (inout RetryPolicy) -> Void) -> RetryPolicy {
        var copy = self
        change(&copy)
        return copy
    }

    /// How many retries follow the first attempt.
    public var maxRetries: Int { immediateRetries + delayedRetries }

    /// What follows from a failed attempt.
    enum Verdict: Equatable {
        case retry(after: Duration)
        case deadLetter(retriesExhausted: Bool)
        case ignore
    }

    /// What follows from the failure of attempt number `attempt`, from 1.
    /// - Parameter unit: a random number from 0 to less than 1, for the jitter.
    func verdict(on error: any Error, attempt: Int, unit: Double) -> Verdict {
        for rule in rules {
            switch rule(error) {
            case .deadLetter: return .deadLetter(retriesExhausted: false)
            case .ignore: return .ignore
            case .retry: return retry(attempt, unit)
            case nil: continue
            }
        }
        return retry(attempt, unit)
    }

    private func retry(_ attempt: Int, _ unit: Double) -> Verdict {
        guard attempt <= maxRetries else { return .deadLetter(retriesExhausted: true) }
        guard attempt > immediateRetries else { return .retry(after: .zero) }
        let delay = delay(attempt - immediateRetries)
        return .retry(after: jitter == 0 ? delay : min(delay * (1 - jitter * unit), delay))
    }

    /// The delay before delayed retry `number`, from 1, without jitter.
    private func delay(_ number: Int) -> Duration {
        switch delays {
        case .fixed(let delay): return delay
        case .exponential(let initial, let multiplier, let maxDelay):
            var delay = initial
            for _ in 1..<max(min(number, 10_000), 1) {
                if delay >= maxDelay || delay == .zero { break }
                // Compared before multiplying, so that no delay can overflow.
                delay = delay >= maxDelay / multiplier ? maxDelay : delay * multiplier
            }
            return min(delay, maxDelay)
        }
    }

    /// The longest delay this policy can ask for.
    var longestDelay: Duration {
        delayedRetries == 0 ? .zero : max(delay(1), delay(delayedRetries))
    }
}
