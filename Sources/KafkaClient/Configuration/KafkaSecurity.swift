// How a client proves who it is, and how the connection is protected.

/// How a client connects: plain or encrypted, with or without a user.
public struct KafkaSecurity: Sendable, Hashable {
    /// How the connection is encrypted; `nil` for not at all.
    public var tls: TLS?
    /// How the client proves who it is; `nil` for not at all, or by the TLS certificate alone.
    public var sasl: SASL?

    /// Creates a security setting.
    public init(tls: TLS? = nil, sasl: SASL? = nil) {
        self.tls = tls
        self.sasl = sasl
    }

    /// Neither encryption nor a user.
    public static let plaintext = KafkaSecurity()
    /// An encrypted connection, with the client's own certificate if it has one.
    public static func tls(_ tls: TLS = TLS()) -> KafkaSecurity { KafkaSecurity(tls: tls) }
    /// A user, over an encrypted connection unless `tls` is `nil`.
    public static func sasl(_ sasl: SASL, over tls: TLS? = TLS()) -> KafkaSecurity {
        KafkaSecurity(tls: tls, sasl: sasl)
    }

    /// Certificates and keys in PEM form, as a file or as text.
    public enum PEM: Sendable, Hashable {
        /// The path of a file.
        case file(String)
        /// The text itself.
        case text(Secret)
    }

    /// How a connection is encrypted.
    public struct TLS: Sendable, Hashable {
        /// The certificates of the authorities that are trusted; `nil` for the system's.
        public var authorities: PEM?
        /// The client's own certificate chain.
        public var certificate: PEM?
        /// The private key of the client's certificate.
        public var key: PEM?
        /// The pass phrase of the private key.
        public var keyPassword: Secret?
        /// Whether the broker's certificate must bear the name the client connected to.
        public var verifiesHostname: Bool

        /// Creates a TLS setting; without arguments the system's authorities are trusted.
        public init(
            authorities: PEM? = nil, certificate: PEM? = nil, key: PEM? = nil, keyPassword: Secret? = nil,
            verifiesHostname: Bool = true
        ) {
            self.authorities = authorities
            self.certificate = certificate
            self.key = key
            self.keyPassword = keyPassword
            self.verifiesHostname = verifiesHostname
        }
    }

    /// How a client proves who it is.
    public enum SASL: Sendable, Hashable {
        /// SASL/PLAIN: the password travels as it is, so use it over TLS.
        case plain(username: String, password: Secret)
        /// SASL/SCRAM-SHA-256. Refused with librdkafka below 2.6.1 (see `Workaround.brokenSCRAM`).
        case scramSHA256(username: String, password: Secret)
        /// SASL/SCRAM-SHA-512. Refused with librdkafka below 2.6.1 (see `Workaround.brokenSCRAM`).
        case scramSHA512(username: String, password: Secret)
        /// SASL/OAUTHBEARER with a token fetched by the client credentials grant (OpenID Connect).
        ///
        /// It needs a librdkafka that was built with libcurl, which Debian's is not.
        case oauthBearer(tokenEndpoint: String, clientID: String, clientSecret: Secret, scope: String? = nil)
    }
}

extension KafkaSecurity {
    /// The properties that a security setting decides.
    static let propertyNames = [
        "security.protocol", "sasl.mechanism", "sasl.username", "sasl.password", "sasl.oauthbearer.method",
        "sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.scope", "ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem",
        "ssl.key.location", "ssl.key.pem", "ssl.key.password", "ssl.endpoint.identification.algorithm",
    ]

    /// Writes the setting as librdkafka's properties, replacing any earlier one.
    func write(to properties: inout KafkaProperties) {
        for name in Self.propertyNames { properties[name] = nil }
        properties["security.protocol"] =
            switch (tls == nil, sasl == nil) {
            case (true, true): "plaintext"
            case (false, true): "ssl"
            case (true, false): "sasl_plaintext"
            case (false, false): "sasl_ssl"
            }
        tls?.write(to: &properties)
        sasl?.write(to: &properties)
    }

    /// Reads the setting back from librdkafka's properties.
    init(reading properties: KafkaProperties) {
        let connection = properties["security.protocol"]?.lowercased() ?? "plaintext"
        if connection.hasSuffix("ssl") { tls = TLS(reading: properties) }
        if connection.hasPrefix("sasl") { sasl = SASL(reading: properties) }
    }
}

extension KafkaSecurity.TLS {
    fileprivate func write(to properties: inout KafkaProperties) {
        func set(_ name: String, _ pem: KafkaSecurity.PEM?) {
            switch pem {
            case .file(let path): properties["\(name).location"] = path
            case .text(let text): properties["\(name).pem"] = text.reveal()
            case nil: break
            }
        }
        set("ssl.ca", authorities)
        set("ssl.certificate", certificate)
        set("ssl.key", key)
        properties["ssl.key.password"] = keyPassword?.reveal()
        properties["ssl.endpoint.identification.algorithm"] = verifiesHostname ? "https" : "none"
    }

    fileprivate init(reading properties: KafkaProperties) {
        func pem(_ name: String) -> KafkaSecurity.PEM? {
            properties["\(name).pem"].map { .text(Secret($0)) } ?? properties["\(name).location"].map { .file($0) }
        }
        self.init(
            authorities: pem("ssl.ca"), certificate: pem("ssl.certificate"), key: pem("ssl.key"),
            keyPassword: properties["ssl.key.password"].map { Secret($0) },
            verifiesHostname: properties["ssl.endpoint.identification.algorithm"] != "none")
    }
}

extension KafkaSecurity.SASL {
    fileprivate func write(to properties: inout KafkaProperties) {
        switch self {
        case .plain(let username, let password):
            properties.merge(["sasl.mechanism": "PLAIN", "sasl.username": username, "sasl.password": password.reveal()])
        case .scramSHA256(let username, let password):
            properties.merge([
                "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": username, "sasl.password": password.reveal(),
            ])
        case .scramSHA512(let username, let password):
            properties.merge([
                "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": username, "sasl.password": password.reveal(),
            ])
        case .oauthBearer(let endpoint, let clientID, let clientSecret, let scope):
            properties.merge([
                "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": endpoint, "sasl.oauthbearer.client.id": clientID,
                "sasl.oauthbearer.client.secret": clientSecret.reveal(),
            ])
            properties["sasl.oauthbearer.scope"] = scope
        }
    }

    /// `nil` for a mechanism that has no case here, such as GSSAPI, which raw properties can still ask for.
    fileprivate init?(reading properties: KafkaProperties) {
        let username = properties["sasl.username"] ?? ""
        let password = Secret(properties["sasl.password"] ?? "")
        switch properties["sasl.mechanism"] {
        case "PLAIN": self = .plain(username: username, password: password)
        case "SCRAM-SHA-256": self = .scramSHA256(username: username, password: password)
        case "SCRAM-SHA-512": self = .scramSHA512(username: username, password: password)
        case "OAUTHBEARER":
            self = .oauthBearer(
                tokenEndpoint: properties["sasl.oauthbearer.token.endpoint.url"] ?? "",
                clientID: properties["sasl.oauthbearer.client.id"] ?? "",
                clientSecret: Secret(properties["sasl.oauthbearer.client.secret"] ?? ""),
                scope: properties["sasl.oauthbearer.scope"])
        default: return nil
        }
    }
}
