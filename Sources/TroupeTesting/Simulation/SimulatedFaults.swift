// What goes wrong by itself in a simulation.

/// What goes wrong by itself in a simulation, at moments that the seed chooses.
///
/// Whatever a handler throws is a failure anyway; these are the failures of everything else.
public struct SimulatedFaults: Sendable, Hashable {
    /// The chance, 0 to 1, that a service is killed after a step: what it had not committed comes to it once more.
    ///
    /// At most three times between two calls of `advance`, so that the simulation comes to an end.
    public var crashes: Double
    /// The chance, 0 to 1, that a published event lies in its topic twice.
    public var duplicates: Double

    /// Sets the chances.
    public init(crashes: Double = 0, duplicates: Double = 0) {
        self.crashes = crashes
        self.duplicates = duplicates
    }

    /// Nothing goes wrong by itself.
    public static let none = SimulatedFaults()
}
