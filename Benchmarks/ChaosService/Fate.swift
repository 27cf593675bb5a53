// What happens to an event at a service, as the plan says.

import Troupe

/// What happens to an event at a service.
enum Fate {
    /// Its first so many attempts fail.
    case failing(Int)
    /// Every attempt fails, until no retry is left.
    case exhausting
    /// It is refused at once, and no retry would help.
    case refused

    /// The fate at the service number `index` of the chain.
    init(_ plan: String, _ index: Int) throws {
        let characters = Array(plan.utf8)
        guard characters.indices.contains(index) else { throw UnknownFate(plan: plan) }
        switch characters[index] {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self = .failing(Int(characters[index] - UInt8(ascii: "0")))
        case UInt8(ascii: "p"): self = .exhausting
        case UInt8(ascii: "x"): self = .refused
        default: throw UnknownFate(plan: plan)
        }
    }

    /// The first retry waits in place, the others through the retry topic, whose delays are above `inPlaceRetryLimit`.
    static let policy = RetryPolicy.exponential(
        initial: .milliseconds(100), multiplier: 4, maxDelay: .seconds(2), maxRetries: 3, jitter: 0
    ).notRetrying(Refused.self)
    static let inPlaceRetryLimit: Duration = .milliseconds(200)

    /// How the attempt ends.
    func outcome(attempt: Int) -> Outcome {
        switch self {
        case .failing(let count): attempt <= count ? .failed : .succeeded
        case .exhausting: attempt <= Self.policy.maxRetries ? .failed : .dead
        case .refused: .dead
        }
    }
}

/// How an attempt ended.
enum Outcome: String {
    case succeeded = "ok"
    /// A retry follows.
    case failed
    /// The dead letter follows.
    case dead
    /// The service stopped meanwhile.
    case cancelled
}

/// The failure of an attempt that a retry follows, or that was the last.
struct NotYet: Error, CustomStringConvertible {
    let description = "not yet"
}

/// A failure that no retry mends.
struct Refused: Error, CustomStringConvertible {
    let description = "refused"
}

/// A plan that says nothing of the service.
struct UnknownFate: Error, CustomStringConvertible {
    let plan: String
    var description: String { "The plan \"\(plan)\" says nothing known of this service" }
}
