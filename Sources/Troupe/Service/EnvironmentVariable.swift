// The environment variables of Troupe's own in one list, and what is told of those that nobody reads.

import KafkaClient

/// An environment variable that begins with `TROUPE_`.
///
/// Programs read them by these cases, so that the list is whole. It is one for all programs: they often share an
/// environment.
package enum EnvironmentVariable: String, Sendable, CaseIterable {
    // Of services, publishers and gateways; the first of the tool as well.
    case namespace = "TROUPE_NAMESPACE"
    case consumerGroup = "TROUPE_CONSUMER_GROUP"
    case delivery = "TROUPE_DELIVERY"
    case instance = "TROUPE_INSTANCE"
    case serviceVersion = "TROUPE_SERVICE_VERSION"
    case serviceEndpoint = "TROUPE_SERVICE_ENDPOINT"
    case tracking = "TROUPE_TRACKING"
    case provisioning = "TROUPE_PROVISIONING"
    case maxConcurrentHandlers = "TROUPE_MAX_CONCURRENT_HANDLERS"
    case maxRecordsInFlight = "TROUPE_MAX_RECORDS_IN_FLIGHT"
    case drainTimeout = "TROUPE_DRAIN_TIMEOUT_MS"
    case commitInterval = "TROUPE_COMMIT_INTERVAL_MS"
    // Of gateways.
    case httpHost = "TROUPE_HTTP_HOST"
    case httpPort = "TROUPE_HTTP_PORT"
    case httpAllowedHosts = "TROUPE_HTTP_ALLOWED_HOSTS"
    case httpTokens = "TROUPE_HTTP_TOKENS"
    case httpTLSCertificate = "TROUPE_HTTP_TLS_CERTIFICATE"
    case httpTLSKey = "TROUPE_HTTP_TLS_KEY"
    // Of tests in simulated worlds.
    case testSeed = "TROUPE_TEST_SEED"

    private static let prefix = "TROUPE_"

    /// What Troupe's own tests and benchmarks read, and nobody else.
    private static let ofDevelopment: Set<String> = [
        "TROUPE_BUILD", "TROUPE_EXPECT_LIBRDKAFKA", "TROUPE_MODEL", "TROUPE_TEST_WAIT", "TROUPE_TRACKER_KILLS",
        "TROUPE_TRACKER_SEED",
    ]
}

extension [String: String] {
    /// The value of a variable, if it is set.
    package subscript(_ variable: EnvironmentVariable) -> String? { self[variable.rawValue] }
}

// MARK: What nobody reads

/// A variable that looks like one of Troupe's, and that nobody reads.
///
/// Its value is never told: it may be a secret.
package struct UnknownVariable: Sendable, Equatable {
    /// Its name.
    package var name: String
    /// The variable that was probably meant.
    package var suggestion: String?

    /// What is wrong.
    package var problem: String { "The environment variable \(name) is not one that Troupe reads" }
    /// The question whether another one was meant.
    package var hint: String? { suggestion.map { "Did you mean \($0)?" } }
    /// What is wrong, and what was probably meant.
    package var message: String { [problem, hint].compactMap(\.self).joined(separator: ". ") }
}

extension EnvironmentVariable {
    /// The variables of `environment` that look like Troupe's and are none, by name.
    package static func unknown(in environment: [String: String]) -> [UnknownVariable] {
        environment.keys.sorted().compactMap { name in
            guard !isServiceLink(name, in: environment) else { return nil }
            guard name.hasPrefix(prefix) else {
                return KafkaConfiguration.environmentVariable(meantBy: name).map {
                    UnknownVariable(name: name, suggestion: $0)
                }
            }
            guard Self(rawValue: name) == nil, !ofDevelopment.contains(name) else { return nil }
            return UnknownVariable(name: name, suggestion: meant(by: name))
        }
    }

    /// The variable that has all the words of `name`, or else is spelt nearly like it.
    private static func meant(by name: String) -> String? {
        let all = allCases.map(\.rawValue)
        func words(_ name: String) -> Set<Substring> { Set(name.split(separator: "_")) }
        let fuller = all.filter { words($0).isSuperset(of: words(name)) }
        return fuller.count == 1 ? fuller[0] : nearestName(to: name, among: all)
    }

    /// Whether Kubernetes set the variable to tell of a service: for one named `troupe-web` every pod has
    /// `TROUPE_WEB_SERVICE_HOST`, `TROUPE_WEB_SERVICE_PORT`, `TROUPE_WEB_PORT_80_TCP_ADDR` and others.
    private static func isServiceLink(_ name: String, in environment: [String: String]) -> Bool {
        for mark in ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"] {
            guard let range = name.firstRange(of: mark) else { continue }
            let service = name[..<range.lowerBound]
            if environment["\(service)_SERVICE_HOST"] != nil, environment["\(service)_SERVICE_PORT"] != nil {
                return true
            }
        }
        return false
    }
}

extension ServiceConfiguration {
    /// Tells the log which variables of the environment nobody reads; to be called before `resolved()`.
    package func warnOfUnknownVariables(_ logger: Logger) {
        for variable in EnvironmentVariable.unknown(in: environment) { logger.warning(variable.message) }
    }
}
