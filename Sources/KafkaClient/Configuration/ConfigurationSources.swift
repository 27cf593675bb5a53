// Where a configuration comes from: environment over file over code over default.

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension KafkaConfiguration {
    /// Reads a configuration from the environment, over a client properties file, over `code`.
    ///
    /// | Environment variable | Property |
    /// |---|---|
    /// | `KAFKA_CLIENT_PROPERTIES` | the path of a Java-style client properties file, read first |
    /// | `KAFKA_BOOTSTRAP_SERVERS` | `bootstrap.servers` |
    /// | `KAFKA_CLIENT_ID` | `client.id` |
    /// | `KAFKA_SECURITY_PROTOCOL` | `security.protocol`: plaintext, ssl, sasl_plaintext or sasl_ssl |
    /// | `KAFKA_SASL_MECHANISM` | `sasl.mechanism`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI |
    /// | `KAFKA_SASL_USERNAME` | `sasl.username` |
    /// | `KAFKA_SASL_PASSWORD` | `sasl.password` |
    /// | `KAFKA_SASL_JAAS_CONFIG` | a Java login line, translated |
    /// | `KAFKA_SSL_CA_LOCATION` | `ssl.ca.location` (PEM) |
    /// | `KAFKA_SSL_CERTIFICATE_LOCATION` | `ssl.certificate.location` (PEM) |
    /// | `KAFKA_SSL_KEY_LOCATION` | `ssl.key.location` (PEM) |
    /// | `KAFKA_SSL_KEY_PASSWORD` | `ssl.key.password` |
    /// | `KAFKA_PROPERTY_X_Y` | any other property: `KAFKA_PROPERTY_LINGER_MS` is `linger.ms` |
    ///
    /// An empty variable counts as unset. In a file, Java's names are translated: login lines (JAAS) for PLAIN, SCRAM
    /// and OAUTHBEARER, PEM key stores and trust stores, inline or as files, and names that differ.
    ///
    /// - Parameters:
    ///   - file: The path of a client properties file; `nil` for the one `KAFKA_CLIENT_PROPERTIES` names, if any.
    ///   - environment: The environment variables; this process's own by default.
    ///   - code: What the program itself asks for.
    /// - Throws: `KafkaError` with `.invalidConfiguration` that names the file, or the property that is unknown,
    ///   invalid or untranslatable.
    public init(
        file: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment,
        over code: KafkaConfiguration = KafkaConfiguration()
    ) throws(KafkaError) {
        self = code
        let environment = environment.filter { !$0.value.isEmpty }
        if let path = file ?? environment[Self.file] {
            properties.merge(try Self.properties(inFile: path))
        }
        properties.merge(try Self.properties(inEnvironment: environment))
        try checkNames()
    }

    /// Reads a Java-style client properties file.
    ///
    /// - Throws: `KafkaError` with `.invalidConfiguration` that names the file or the property.
    public static func properties(inFile path: String) throws(KafkaError) -> KafkaProperties {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw KafkaError(
                .invalidConfiguration, "the client properties file \(path) cannot be read as UTF-8",
                advice: "Check its path and permissions")
        }
        return try JavaClientProperties.translate(PropertiesFile(text: text))
    }

    private static let variables = [
        "KAFKA_BOOTSTRAP_SERVERS": "bootstrap.servers",
        "KAFKA_CLIENT_ID": "client.id",
        "KAFKA_SECURITY_PROTOCOL": "security.protocol",
        "KAFKA_SASL_MECHANISM": "sasl.mechanism",
        "KAFKA_SASL_USERNAME": "sasl.username",
        "KAFKA_SASL_PASSWORD": "sasl.password",
        "KAFKA_SASL_JAAS_CONFIG": "sasl.jaas.config",
        "KAFKA_SSL_CA_LOCATION": "ssl.ca.location",
        "KAFKA_SSL_CERTIFICATE_LOCATION": "ssl.certificate.location",
        "KAFKA_SSL_KEY_LOCATION": "ssl.key.location",
        "KAFKA_SSL_KEY_PASSWORD": "ssl.key.password",
    ]
    private static let anyProperty = "KAFKA_PROPERTY_"
    private static let file = "KAFKA_CLIENT_PROPERTIES"

    /// The names of the variables that are read, but for those of other properties.
    package static let environmentVariables = variables.keys.sorted() + [file]

    /// The variable that `name` was probably meant to be; `nil` for one that is read, and for one of another program's.
    ///
    /// `KAFKA_` is not a prefix of Troupe's own: only what is all but one of its variables is taken for it.
    package static func environmentVariable(meantBy name: String) -> String? {
        guard !environmentVariables.contains(name), !name.hasPrefix(anyProperty) else { return nil }
        return nearestName(to: name, among: environmentVariables, within: 2)
    }

    private static func properties(inEnvironment environment: [String: String]) throws(KafkaError) -> KafkaProperties {
        var entries: [(name: String, value: String)] = []
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) {
            if let name = variables[variable] {
                entries.append((name, value))
            } else if variable.hasPrefix(anyProperty) {
                let words = variable.dropFirst(anyProperty.count).split(separator: "_")
                entries.append((words.joined(separator: ".").lowercased(), value))
            }
        }
        return try JavaClientProperties.translate(PropertiesFile(entries: entries))
    }

    /// Finds an unknown name where it was read, before any client is made.
    private func checkNames() throws(KafkaError) {
        for name in properties.names where PropertyCatalogue.current.scopes[name] == nil {
            throw .unknownProperty(name)
        }
    }
}
