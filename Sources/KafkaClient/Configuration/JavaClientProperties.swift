// Translates the settings of Kafka's Java clients into librdkafka's.

/// Translates a Java client's settings: key names, login modules, key stores and trust stores.
///
/// Names both know alike pass through, as do librdkafka's own. What has no counterpart in effect is an error that
/// names librdkafka's equivalent; what only concerns Java (serializers, metrics reporters) is left out.
enum JavaClientProperties {
    static func translate(_ file: PropertiesFile) throws(KafkaError) -> KafkaProperties {
        var entries: [String: String] = [:]
        for (name, value) in file.entries { entries[name] = value }
        var result = KafkaProperties()
        try translateKeyStore(&entries, into: &result)
        try translateTrustStore(&entries, into: &result)
        if let login = entries.removeValue(forKey: "sasl.jaas.config") {
            result.merge(try LoginModule(parsing: login).properties(tokenEndpoint: entries))
            entries["sasl.oauthbearer.token.endpoint.url"] = nil
            entries["sasl.login.callback.handler.class"] = nil
        }
        for (name, value) in entries.sorted(by: { $0.key < $1.key }) {
            try translate(name, value, into: &result)
        }
        return result
    }

    /// Names that differ while the value is the same.
    private static let renamed = [
        "fetch.max.wait.ms": "fetch.wait.max.ms",
        "max.request.size": "message.max.bytes",
        "receive.buffer.bytes": "socket.receive.buffer.bytes",
        "send.buffer.bytes": "socket.send.buffer.bytes",
        "socket.connection.setup.timeout.max.ms": "socket.connection.setup.timeout.ms",
        "default.api.timeout.ms": "socket.timeout.ms",
    ]

    /// What only concerns a Java client.
    private static let javaOnly: Set = [
        "key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "metric.reporters",
        "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms", "auto.include.jmx.reporter",
        "enable.metrics.push", "max.poll.records", "max.block.ms", "metadata.max.idle.ms", "partitioner.ignore.keys",
        "partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms", "exclude.internal.topics",
    ]

    /// What has no translation, with what to set instead.
    private static let untranslatable = [
        "partitioner.class": "Set partitioner instead, such as murmur2_random, which agrees with Java's default",
        "interceptor.classes": "librdkafka has no interceptors of Java; remove the line",
        "security.providers": "Set ssl.providers (OpenSSL 3) instead",
        "ssl.provider": "Set ssl.providers (OpenSSL 3) instead",
        "ssl.enabled.protocols": "Restrict protocols in OpenSSL's own configuration file; remove the line",
        "ssl.protocol": "Restrict protocols in OpenSSL's own configuration file; remove the line",
        "ssl.engine.factory.class": "Set ssl.engine.location instead",
        "ssl.keymanager.algorithm": "librdkafka uses OpenSSL; remove the line",
        "ssl.trustmanager.algorithm": "librdkafka uses OpenSSL; remove the line",
        "ssl.secure.random.implementation": "librdkafka uses OpenSSL; remove the line",
        "sasl.client.callback.handler.class": "Set sasl.username and sasl.password, or sasl.oauthbearer.* instead",
        "sasl.login.callback.handler.class": "Set sasl.oauthbearer.method=oidc and sasl.oauthbearer.* instead",
        "sasl.login.class": "Set sasl.mechanism and sasl.username, sasl.password or sasl.kerberos.* instead",
    ]

    private static let assignors = [
        "org.apache.kafka.clients.consumer.RangeAssignor": "range",
        "org.apache.kafka.clients.consumer.RoundRobinAssignor": "roundrobin",
        "org.apache.kafka.clients.consumer.CooperativeStickyAssignor": "cooperative-sticky",
    ]

    private static func translate(
        _ name: String, _ value: String, into result: inout KafkaProperties
    ) throws(KafkaError) {
        if javaOnly.contains(name) { return }
        if let advice = untranslatable[name] {
            throw .invalidProperty(name, "cannot be translated for librdkafka", advice: advice)
        }
        switch name {
        case "buffer.memory":
            guard let bytes = Int64(value) else { throw .invalidProperty(name, "is not a number of bytes") }
            result["queue.buffering.max.kbytes"] = String(max(1, bytes / 1024))
        case "client.dns.lookup" where value == "use_all_dns_ips":
            break  // What librdkafka always does.
        case "ssl.endpoint.identification.algorithm":
            result[name] = value.isEmpty ? "none" : value
        case "partition.assignment.strategy":
            let names = value.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) }
            let translated = names.compactMap { $0.contains("org.apache") ? assignors[$0] : $0 }
            guard translated.count == names.count else {
                throw .invalidProperty(
                    name, "names an assignor librdkafka lacks", advice: "Use range, roundrobin or cooperative-sticky")
            }
            result[name] = translated.joined(separator: ",")
        case "receive.buffer.bytes" where value == "-1", "send.buffer.bytes" where value == "-1":
            break  // The system's default in both.
        default:
            result[renamed[name] ?? name] = value
        }
    }

    private static func translateKeyStore(
        _ entries: inout [String: String], into result: inout KafkaProperties
    ) throws(KafkaError) {
        let type = entries.removeValue(forKey: "ssl.keystore.type")
        if let chain = entries.removeValue(forKey: "ssl.keystore.certificate.chain") {
            result["ssl.certificate.pem"] = chain
        }
        if let key = entries.removeValue(forKey: "ssl.keystore.key") { result["ssl.key.pem"] = key }
        guard let path = entries.removeValue(forKey: "ssl.keystore.location") else { return }
        switch storeType(type, path) {
        case "PEM":
            // One file holds key and chain; librdkafka reads each from it.
            result["ssl.certificate.location"] = path
            result["ssl.key.location"] = path
            entries["ssl.keystore.password"] = nil
        case "PKCS12":
            result["ssl.keystore.location"] = path
            result["ssl.keystore.password"] = entries.removeValue(forKey: "ssl.keystore.password")
        case let other:
            throw .invalidProperty(
                "ssl.keystore.location", "names a key store of type \(other), which librdkafka cannot read",
                advice: "Convert it: ssl.keystore.location takes PKCS#12 (ssl.keystore.type=PKCS12), "
                    + "ssl.certificate.location and ssl.key.location take PEM")
        }
    }

    private static func translateTrustStore(
        _ entries: inout [String: String], into result: inout KafkaProperties
    ) throws(KafkaError) {
        let type = entries.removeValue(forKey: "ssl.truststore.type")
        entries["ssl.truststore.password"] = nil
        if let certificates = entries.removeValue(forKey: "ssl.truststore.certificates") {
            result["ssl.ca.pem"] = certificates
        }
        guard let path = entries.removeValue(forKey: "ssl.truststore.location") else { return }
        let found = storeType(type, path)
        guard found == "PEM" else {
            throw .invalidProperty(
                "ssl.truststore.location", "names a trust store of type \(found), which librdkafka cannot read",
                advice: "Export its certificates as PEM and set ssl.ca.location")
        }
        result["ssl.ca.location"] = path
    }

    /// Java's default is JKS; a store whose name ends in .p12 or .pfx is what its name says.
    private static func storeType(_ type: String?, _ path: String) -> String {
        if let type { return type.uppercased() }
        let path = path.lowercased()
        return path.hasSuffix(".p12") || path.hasSuffix(".pfx") ? "PKCS12" : "JKS"
    }
}
