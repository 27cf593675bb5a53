// The topics on which services tell of themselves, and the keys of their records.

/// The system topics of one namespace.
public struct SystemTopics: Sendable, Hashable {
    /// The compacted topic of declarations and heartbeats: the service registry.
    ///
    /// It has one partition.
    public let services: String
    /// The topic of what each handling did.
    public let tasks: String

    /// Names the system topics.
    ///
    /// - Parameter namespace: What stands before the name of every topic.
    public init(namespace: String = "") {
        services = namespace + "troupe.services"
        tasks = namespace + "troupe.tasks"
    }
}

/// The key of a record of the topic `troupe.services`.
///
/// As text: `declaration/<service>/<fingerprint>` and `instance/<service>/<instance>`. A service's name has no slash.
public enum RegistryKey: Sendable, Hashable {
    /// The record holds a `ServiceDeclaration`.
    case declaration(service: String, fingerprint: String)
    /// The record holds an `InstanceHeartbeat`.
    case instance(service: String, instance: String)

    /// The key as text.
    public var text: String {
        switch self {
        case .declaration(let service, let fingerprint): "declaration/\(service)/\(fingerprint)"
        case .instance(let service, let instance): "instance/\(service)/\(instance)"
        }
    }

    /// Reads a key; `nil` when it is none.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty else { return nil }
        switch parts[0] {
        case "declaration": self = .declaration(service: String(parts[1]), fingerprint: String(parts[2]))
        case "instance": self = .instance(service: String(parts[1]), instance: String(parts[2]))
        default: return nil
        }
    }
}
