// Whether anybody knows a type of event that was given on the command line.

import KafkaClient
import Troupe
import TroupeFlow

/// Looks for a type among those that services declare.
enum TypeCheck {
    /// What is to be said of a type that no service on the cluster declares; `nil` where one does, or none declares itself.
    ///
    /// - Throws: `KafkaError` when the registry cannot be read, or `CancellationError` when that takes longer than 5 s.
    static func doubt(of type: String, on cluster: Cluster) async throws -> String? {
        try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask {
                let registry = try await RegistryTopic(cluster).read()
                return doubt(of: type, among: registry.declarations(at: nowInMilliseconds()))
            }
            group.addTask {
                try await Task.sleep(for: .seconds(5))
                throw CancellationError()
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// What is to be said of a type that no declaration names; `nil` where one does, or there is none.
    static func doubt(of type: String, among declarations: [ServiceDeclaration]) -> String? {
        let known = Set(
            declarations.flatMap { declaration in
                declaration.starts + declaration.routes.flatMap { [$0.type] + $0.acceptedTypes + $0.publishes }
            })
        guard !known.isEmpty, !known.contains(type) else { return nil }
        let meant = Suggestion.closest(to: type, among: known.sorted())
        return "Warning: no service declares that it handles or publishes \(type.printable). "
            + (meant.map { "Did you mean \($0.printable)?" } ?? "'troupe graph' shows the types there are.")
    }
}
