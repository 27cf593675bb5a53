// What can go wrong in a test's world itself.

/// Something did not settle in time.
public struct TestTimedOut: Error, Sendable, CustomStringConvertible {
    /// How long was waited, in real time.
    public let timeout: Duration
    /// Where the test ran.
    public let environment: TestEnvironment
    /// What was still under way, a line each.
    public let underWay: [String]

    /// What was still under way after how long.
    public var description: String {
        "Not settled after \(timeout) in \(environment). Still under way:\n"
            + (underWay.isEmpty ? "  nothing that is known" : underWay.map { "  " + $0 }.joined(separator: "\n"))
    }
}

/// A record was given to a topic that no service of the test reads.
public struct UnreadTopic: Error, Sendable, CustomStringConvertible {
    /// The topic.
    public let topic: String
    /// The topics that are read.
    public let known: [String]

    /// Which topic nobody reads, and which are read.
    public var description: String {
        "No service of this test reads the topic \(topic). They read: \(known.joined(separator: ", "))"
    }
}

/// Something was asked of a broker's world that only a simulation can do.
public struct NotSimulated: Error, Sendable, CustomStringConvertible {
    /// What was asked for.
    public let operation: String

    /// What only a simulation can do.
    public var description: String { "`\(operation)` works in `.simulated` only" }
}
