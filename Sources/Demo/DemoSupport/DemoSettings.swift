// What a demo service reads from its environment.

public import Foundation

/// What a demo service reads from its environment, beside what the SDK reads itself.
///
/// | Variable | Meaning | Default |
/// |---|---|---|
/// | `DEMO_STATE_DIR` | the directory of the services' SQLite files | `demo-state` |
/// | `DEMO_STATUS_FD` | a file descriptor to which the status is written, one JSON object a line | none |
/// | `DEMO_END_WITH_PARENT` | `1`: standard input is a pipe, the process ends when it is closed | off |
/// | `DEMO_ORDERS`, `DEMO_SEED`, `DEMO_RATE` | storefront: orders to place, their seed, orders per second | 0, 1, 25 |
/// | `DEMO_SHIPPING_RELEASE` | shipping: 1 has a bug, 2 has not | 2 |
public struct DemoSettings: Sendable {
    /// The directory of the services' files.
    public var stateDirectory: String
    /// Where the status is written, if anywhere.
    public var statusDescriptor: Int32?
    /// Whether the process ends when its standard input is closed.
    public var endsWithParent: Bool
    /// How many orders the storefront places.
    public var orders: Int
    /// What the orders are drawn from.
    public var seed: UInt64
    /// How many orders are placed in a second.
    public var rate: Double
    /// Which release of shipping runs.
    public var shippingRelease: Int

    /// Reads the settings; what is not set, or makes no sense, has its default.
    public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        func number<Number: LosslessStringConvertible>(_ name: String, _ fallback: Number) -> Number {
            environment[name].flatMap { Number($0) } ?? fallback
        }
        stateDirectory = environment["DEMO_STATE_DIR"] ?? "demo-state"
        statusDescriptor = environment["DEMO_STATUS_FD"].flatMap { Int32($0) }
        endsWithParent = environment["DEMO_END_WITH_PARENT"] == "1"
        orders = number("DEMO_ORDERS", 0)
        seed = number("DEMO_SEED", 1)
        rate = max(0.1, number("DEMO_RATE", 25))
        shippingRelease = number("DEMO_SHIPPING_RELEASE", 2)
    }

    /// The path of a file in the state directory, which is created when it is missing.
    public func file(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: stateDirectory, withIntermediateDirectories: true)
        return stateDirectory + "/" + name
    }
}
