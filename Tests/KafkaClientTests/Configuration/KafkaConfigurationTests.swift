// Settings are views of one store, checked against the linked library, and never show a credential.

import KafkaClient
import Testing

@Suite struct KafkaConfigurationTests {
    private let password = "hunter2-do-not-print"

    private func properties(
        _ configuration: KafkaConfiguration, _ role: ClientRole
    ) throws -> [String: String] {
        Dictionary(try configuration.librdkafkaProperties(for: role)) { first, _ in first }
    }

    @Test func producerIsIdempotentAndWaitsForAllReplicas() throws {
        let found = try properties(KafkaConfiguration(bootstrapServers: "localhost:1"), .producer)
        #expect(found["enable.idempotence"] == "true")
        #expect(found["acks"] == "all")
        #expect(found["bootstrap.servers"] == "localhost:1")
    }

    @Test func typedSettingsArePropertiesAndBack() throws {
        var configuration = KafkaConfiguration(bootstrapServers: "a:1,b:2")
        configuration.linger = .milliseconds(7)
        configuration.compression = .zstd
        configuration.offsetReset = .latest
        configuration.properties["queue.buffering.max.ms"] = "9"
        #expect(configuration.linger == .milliseconds(9), "an alias is the same property")
        let producer = try properties(configuration, .producer)
        #expect(producer["linger.ms"] == "9")
        #expect(producer["compression.type"] == "zstd")
        #expect(producer["auto.offset.reset"] == nil, "a consumer's property is kept from a producer")
        #expect(try properties(configuration, .consumer(group: "g"))["auto.offset.reset"] == "latest")
        #expect(try properties(configuration, .consumer(group: "g"))["group.id"] == "g")
    }

    @Test func unknownPropertyIsNamedWithASuggestion() throws {
        var configuration = KafkaConfiguration(bootstrapServers: "localhost:1")
        configuration.properties["lingerr.ms"] = "5"
        let error = try #require(throws: KafkaError.self) { try configuration.librdkafkaProperties(for: .producer) }
        #expect(error.code == .invalidConfiguration)
        #expect(error.description.contains("lingerr.ms"))
        #expect(error.description.contains("Did you mean linger.ms?"))
    }

    @Test func invalidValueIsNamed() throws {
        var configuration = KafkaConfiguration(bootstrapServers: "localhost:1")
        configuration.properties["linger.ms"] = "soon"
        let error = try #require(throws: KafkaError.self) { try configuration.librdkafkaProperties(for: .producer) }
        #expect(error.description.contains("linger.ms"))
    }

    @Test func missingServersAreNamed() throws {
        let error = try #require(throws: KafkaError.self) {
            try KafkaConfiguration().librdkafkaProperties(for: .producer)
        }
        #expect(error.description.contains("KAFKA_BOOTSTRAP_SERVERS"))
    }

    @Test func securityIsReadBackAsItWasSet() {
        var configuration = KafkaConfiguration(bootstrapServers: "localhost:1")
        let security = KafkaSecurity.sasl(
            .plain(username: "orders", password: "secret"),
            over: .init(authorities: .file("/ca.pem"), key: .text("KEY"), verifiesHostname: false))
        configuration.security = security
        #expect(configuration.security == security)
        #expect(configuration.properties["security.protocol"] == "sasl_ssl")
        configuration.security = .plaintext
        #expect(configuration.properties["sasl.password"] == nil)
    }

    @Test func scramIsRefusedBelow261NamingBothVersions() throws {
        try #require(Workaround.brokenSCRAM.isNeeded() == (LibrdkafkaVersion.current < LibrdkafkaVersion(2, 6, 1)))
        var configuration = KafkaConfiguration(bootstrapServers: "localhost:1")
        configuration.security = .sasl(.scramSHA512(username: "u", password: Secret(password)))
        guard Workaround.brokenSCRAM.isNeeded() else {
            // librdkafka has both names for it, and which one it lists changed.
            let properties = try properties(configuration, .producer)
            #expect(properties["sasl.mechanism"] ?? properties["sasl.mechanisms"] == "SCRAM-SHA-512")
            return
        }
        let error = try #require(throws: KafkaError.self) { try configuration.librdkafkaProperties(for: .producer) }
        #expect(error.description.contains("\(LibrdkafkaVersion.current)"))
        #expect(error.description.contains("2.6.1"))
        #expect(!error.description.contains(password))
    }

    @Test func assignorFollowsTheCluster() throws {
        var configuration = KafkaConfiguration(bootstrapServers: "localhost:1")
        let onKafka = try properties(configuration, .consumer(group: "g"))
        #expect(
            onKafka["partition.assignment.strategy"]
                == (Workaround.rangeAssignor.isNeeded() ? "range" : "cooperative-sticky"))
        #expect(onKafka["session.timeout.ms"] == nil)
        configuration.isEmbeddedBroker = true
        let onEmbedded = try properties(configuration, .consumer(group: "g"))
        #expect(onEmbedded["partition.assignment.strategy"] == "cooperative-sticky")
        #expect(onEmbedded["session.timeout.ms"] == "3100")
        #expect(onEmbedded["heartbeat.interval.ms"] == "200")
        #expect(onEmbedded["fetch.wait.max.ms"] == "5")
    }

    @Test func credentialsAreShownNowhere() throws {
        var configuration = KafkaConfiguration(bootstrapServers: "localhost:1")
        configuration.security = .sasl(
            .plain(username: "user-\(password)", password: Secret(password)),
            over: .init(key: .text(Secret(password)), keyPassword: Secret(password)))
        configuration.properties["sasl.oauthbearer.client.secret"] = password
        configuration.properties["ssl.keystore.password"] = password
        let secret = Secret(password)
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(secret, to: &dumped)
        dump(configuration.properties, to: &dumped)
        dump(configuration.security.tls, to: &dumped)
        let shown = [
            "\(configuration)", String(reflecting: configuration), "\(configuration.properties)",
            String(reflecting: configuration.properties), "\(secret)", String(reflecting: secret),
            "\(Mirror(reflecting: configuration).children.map { "\($0.value)" })",
            "\(Mirror(reflecting: configuration.properties).children.map { "\($0.value)" })",
            "\(Mirror(reflecting: secret).children.map { "\($0.value)" })",
            String(describing: configuration.security.tls), dumped,
        ]
        for text in shown { #expect(!text.contains(password)) }
        #expect(shown[0].contains("sasl.password=<redacted>"))
        #expect(secret.reveal() == password)
    }

    @Test(arguments: ["sasl.password", "ssl.key.pem", "ssl.key.password", "security.protocol"])
    func errorsDoNotRepeatCredentials(name: String) throws {
        var configuration = KafkaConfiguration(bootstrapServers: "localhost:1")
        configuration.properties[name] = name == "security.protocol" ? "none of these" : "\(password)\0"
        let error = try #require(throws: KafkaError.self) { try configuration.librdkafkaProperties(for: .producer) }
        #expect(error.description.contains(name))
        #expect(!error.description.contains(password))
    }
}
