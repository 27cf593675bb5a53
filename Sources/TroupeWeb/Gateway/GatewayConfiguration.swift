// How a gateway reaches Kafka, listens, and what it remembers.

import KafkaClient
public import Troupe

/// How a gateway reaches Kafka, listens, and what it remembers.
///
/// Environment variables go over what the code says; those of `ServiceConfiguration` that concern Kafka, and:
///
/// | Variable | Meaning |
/// |---|---|
/// | `TROUPE_HTTP_HOST` | `http.host` |
/// | `TROUPE_HTTP_PORT` | `http.port` |
/// | `TROUPE_HTTP_ALLOWED_HOSTS` | `http.allowedHosts`, separated by commas; `*` for any |
/// | `TROUPE_HTTP_TOKENS` | `tokens`, separated by commas |
/// | `TROUPE_HTTP_TLS_CERTIFICATE`, `TROUPE_HTTP_TLS_KEY` | `http.tls`: paths of files in PEM |
public struct GatewayConfiguration: Sendable {
    /// How it reaches Kafka, the namespace, and the environment that goes over all this.
    public var service: ServiceConfiguration
    /// Where it listens, and its limits.
    public var http: HTTPServerConfiguration
    /// Who may ask, for routes that do not say it themselves; everybody when `nil`.
    public var tokens: BearerTokens?
    /// How long an event may take to be acknowledged before the client is told 503.
    ///
    /// The gateway keeps this time by its own clock. It becomes Kafka's `delivery.timeout.ms` too, unless that is set: after
    /// it librdkafka gives the event up when it looks next, some seconds later. Until then the event may still be written.
    public var publishTimeout: Duration = .seconds(5)
    /// The longest a request waits for its flow's end, whatever it asks for.
    public var maxWait: Duration = .seconds(60)
    /// How long a flow that is asked for and unknown is waited for before the client is told 404.
    ///
    /// A client may ask another gateway than the one that started its flow, a moment after it did.
    public var patienceWithUnknownFlows: Duration = .milliseconds(250)
    /// What it remembers of flows.
    public var memory = FlowMemory()
    /// How many of each partition's last records are read at the start, so that a gateway which comes back knows the
    /// latest flows.
    public var lookback = 1000
    /// Whether it learns from the services' declarations which events end a flow, and which topics carry events.
    public var followsDeclarations = true
    /// Which events' payloads clients get to see.
    public var payloads = PayloadVisibility.endings
    /// Who answers for flows that the gateway does not remember, or whose end it may have missed; nobody when `nil`.
    public var archive: (any FlowArchive)?

    /// Creates a configuration.
    ///
    /// - Parameters:
    ///   - service: How it reaches Kafka; by default what the environment says.
    ///   - http: Where it listens; on this machine only, port 8080, when nothing is said.
    public init(
        service: ServiceConfiguration = ServiceConfiguration(),
        http: HTTPServerConfiguration = HTTPServerConfiguration(port: 8080)
    ) {
        self.service = service
        self.http = http
    }

    /// The same configuration with the environment applied.
    ///
    /// - Throws: `StartupError` or `KafkaError` that name the variable.
    func resolved() throws -> GatewayConfiguration {
        var copy = self
        let environment = service.environment
        copy.service = try service.resolved()
        if copy.service.kafka.deliveryTimeout == nil { copy.service.kafka.deliveryTimeout = publishTimeout }
        if copy.http.logger == nil { copy.http.logger = copy.service.logger }
        func value(_ variable: EnvironmentVariable) -> String? {
            environment[variable].flatMap { $0.isEmpty ? nil : $0 }
        }
        func list(_ variable: EnvironmentVariable) throws -> [String]? {
            guard let text = value(variable) else { return nil }
            let entries = text.split(separator: ",").map { WaitPreference.trimmed($0) }.filter { !$0.isEmpty }
            guard !entries.isEmpty else {
                throw StartupError(["\(variable.rawValue) is set and names nothing; unset it instead"])
            }
            return entries.map { String($0) }
        }
        if let host = value(.httpHost) { copy.http.host = host }
        if let text = value(.httpPort) {
            guard let port = UInt16(text) else {
                throw StartupError(["TROUPE_HTTP_PORT is \"\(text)\"; it takes a number from 0 to 65535"])
            }
            copy.http.port = port
        }
        if let hosts = try list(.httpAllowedHosts) {
            copy.http.allowedHosts = hosts == ["*"] ? nil : Set(hosts.map { $0.lowercased() })
        }
        if let tokens = try list(.httpTokens) { copy.tokens = BearerTokens(tokens.map { Secret($0) }) }
        switch (value(.httpTLSCertificate), value(.httpTLSKey)) {
        case (let certificate?, let key?): copy.http.tls = TLSFiles(certificate: certificate, key: key)
        case (nil, nil): break
        default:
            throw StartupError(["TROUPE_HTTP_TLS_CERTIFICATE and TROUPE_HTTP_TLS_KEY are set together or not at all"])
        }
        return copy
    }
}
