// The properties that are set, and where each value comes from.

import Foundation
import KafkaClient

/// Traces the properties of a configuration to their sources.
struct SettingSources: Sendable {
    /// The properties in force, credentials masked.
    ///
    /// - Parameters:
    ///   - configuration: What is in force.
    ///   - options: The names of properties that were set on the command line.
    ///   - environment: The environment variables.
    static func settings(
        of configuration: KafkaConfiguration, options: Set<String>, environment: [String: String]
    ) -> [Setting] {
        let variables = environment.filter { $0.key != "KAFKA_CLIENT_PROPERTIES" }
        let fromEnvironment = (try? KafkaConfiguration(environment: variables))?.properties ?? [:]
        return configuration.properties.names.map { name in
            let source =
                options.contains(name)
                ? "option" : fromEnvironment[name] != nil ? "environment" : "client properties file"
            let value = configuration.properties[name] ?? ""
            return Setting(
                name: name, value: KafkaProperties.isCredential(name) ? "(hidden)" : value, source: source)
        }
    }
}
