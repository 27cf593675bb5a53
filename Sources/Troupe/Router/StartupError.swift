// Why a service cannot start.

/// A service cannot start as it is written or configured: what is wrong and where.
public struct StartupError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Every defect found, each in one sentence that names the route or setting.
    public let problems: [String]

    /// Lists what is wrong.
    public init(_ problems: [String]) { self.problems = problems }

    /// What is wrong, a line each.
    public var description: String { problems.joined(separator: "\n") }
}
