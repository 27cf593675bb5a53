// Where a test runs its services: in a simulation, on the embedded broker, or on a real Kafka.

import KafkaClient
import Troupe

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Where a test runs its services.
///
/// | | broker | clock | takes |
/// |---|---|---|---|
/// | `.simulated` | none | virtual | milliseconds |
/// | `.embedded` | librdkafka's, in this process | real | about four seconds to form the group |
/// | `.kafka(bootstrapServers:)` | a real Kafka | real | about four seconds to form the group |
public struct TestEnvironment: Sendable {
    enum Kind: Sendable {
        case simulated(seed: UInt64, faults: SimulatedFaults)
        case embedded
        case kafka(bootstrapServers: String)
    }

    let kind: Kind

    /// The number of partitions of the topics that are made for the test, at least 1.
    public private(set) var partitions = 4
    /// How long a call may wait, in real time, for what was given to be settled before it throws `TestTimedOut`.
    public private(set) var timeout: Duration = .seconds(30)

    /// The seed of `.simulated`: that of the environment variable `TROUPE_TEST_SEED`, or 1.
    ///
    /// A value that is no whole number is told on standard error.
    public static let defaultSeed = seed(in: ProcessInfo.processInfo.environment, Logger(label: "troupe.testing"))

    static func seed(in environment: [String: String], _ logger: @autoclosure () -> Logger) -> UInt64 {
        guard let text = environment[.testSeed], !text.isEmpty else { return 1 }
        if let seed = UInt64(text) { return seed }
        logger().warning(
            "\(EnvironmentVariable.testSeed.rawValue) is \"\(text)\"; it takes a whole number. The seed is 1 now")
        return 1
    }

    /// No broker, no threads, no waiting: a virtual clock, and one interleaving chosen by `defaultSeed`.
    public static let simulated = TestEnvironment.simulated(seed: defaultSeed)

    /// No broker, no threads, no waiting: a virtual clock, and the interleaving that the seed chooses.
    ///
    /// The same seed gives the same run. To try many, make the seed a test's argument; a failure then names it:
    ///
    /// ```swift
    /// @Test(arguments: 0..<100 as Range<UInt64>) func stockIsNeverSoldTwice(seed: UInt64) async throws {
    ///     try await service.test(.simulated(seed: seed)) { world in ... }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - seed: Chooses the interleaving, the ids, the jitter of retries and the moments of faults.
    ///   - faults: What goes wrong by itself; nothing when it is left out.
    public static func simulated(seed: UInt64, faults: SimulatedFaults = .none) -> TestEnvironment {
        TestEnvironment(kind: .simulated(seed: seed, faults: faults))
    }

    /// The embedded broker: the real engine and the real protocol, in this process.
    ///
    /// Each test has a broker of its own.
    public static let embedded = TestEnvironment(kind: .embedded)

    /// A real Kafka, in a namespace of the test's own that is deleted afterwards.
    ///
    /// Everything else about reaching it, such as credentials, is taken from the first service's configuration.
    ///
    /// - Parameter bootstrapServers: `host:port`, separated by commas.
    public static func kafka(bootstrapServers: String) -> TestEnvironment {
        TestEnvironment(kind: .kafka(bootstrapServers: bootstrapServers))
    }

    /// The same environment whose topics have `count` partitions.
    public func partitions(_ count: Int) -> TestEnvironment {
        var copy = self
        copy.partitions = max(count, 1)
        return copy
    }

    /// The same environment that waits for `duration`, in real time, before a call throws `TestTimedOut`.
    public func timeout(_ duration: Duration) -> TestEnvironment {
        var copy = self
        copy.timeout = duration
        return copy
    }
}

extension TestEnvironment: CustomStringConvertible {
    /// How the environment is written.
    public var description: String {
        switch kind {
        case .simulated(let seed, _): ".simulated(seed: \(seed))"
        case .embedded: ".embedded"
        case .kafka(let bootstrapServers): ".kafka(bootstrapServers: \"\(bootstrapServers)\")"
        }
    }
}
