// Environment over file over code, and the translation of Java's client files.

import Foundation
import KafkaClient
import Testing

@Suite struct ConfigurationSourcesTests {
    private func withFile<Value>(_ text: String, _ body: (String) throws -> Value) throws -> Value {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(uniqueName("client.properties")).path
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    private func translated(_ text: String) throws -> KafkaProperties {
        try withFile(text) { try KafkaConfiguration.properties(inFile: $0) }
    }

    private func refusal(of text: String) throws -> String {
        try #require(throws: KafkaError.self) { try translated(text) }.description
    }

    @Test func environmentWinsOverFileOverCode() throws {
        var code = KafkaConfiguration(bootstrapServers: "code:1")
        code.clientID = "code"
        code.linger = .milliseconds(1)
        let configuration = try withFile("client.id=file\nbootstrap.servers=file:2\n") { path in
            try KafkaConfiguration(
                environment: [
                    "KAFKA_CLIENT_PROPERTIES": path, "KAFKA_BOOTSTRAP_SERVERS": "env:3",
                    "KAFKA_PROPERTY_FETCH_MIN_BYTES": "10", "KAFKA_CLIENT_ID": "", "KAFKA_DIR": "/ignored",
                ], over: code)
        }
        #expect(configuration.bootstrapServers == "env:3")
        #expect(configuration.clientID == "file", "an empty variable counts as unset")
        #expect(configuration.linger == .milliseconds(1))
        #expect(configuration.properties["fetch.min.bytes"] == "10")
    }

    @Test func everyVariableOfTheTableIsRead() throws {
        let configuration = try KafkaConfiguration(environment: [
            "KAFKA_BOOTSTRAP_SERVERS": "b:1", "KAFKA_CLIENT_ID": "c", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p",
            "KAFKA_SSL_CA_LOCATION": "/ca", "KAFKA_SSL_CERTIFICATE_LOCATION": "/cert", "KAFKA_SSL_KEY_LOCATION": "/key",
            "KAFKA_SSL_KEY_PASSWORD": "kp",
        ])
        #expect(
            configuration.security
                == .sasl(
                    .plain(username: "u", password: "p"),
                    over: .init(
                        authorities: .file("/ca"), certificate: .file("/cert"), key: .file("/key"), keyPassword: "kp")))
        let login = try KafkaConfiguration(environment: [
            "KAFKA_SASL_JAAS_CONFIG":
                "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"p\";"
        ])
        #expect(login.properties["sasl.username"] == "u")
    }

    @Test func unknownVariableOfAnyPropertyIsNamed() throws {
        let error = try #require(throws: KafkaError.self) {
            try KafkaConfiguration(environment: ["KAFKA_PROPERTY_FETCH_MIN_BITES": "10"])
        }
        #expect(error.description.contains("fetch.min.bites"))
        #expect(error.description.contains("Did you mean fetch.min.bytes?"))
    }

    @Test func missingFileIsNamed() throws {
        let error = try #require(throws: KafkaError.self) {
            try KafkaConfiguration(environment: ["KAFKA_CLIENT_PROPERTIES": "/no/such/file"])
        }
        #expect(error.description.contains("/no/such/file"))
    }

    @Test func plainAndScramLoginsAreTranslated() throws {
        let plain = try translated(
            """
            # a comment
            security.protocol=SASL_SSL
            sasl.mechanism : PLAIN
            sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
                username="alice" \\
                password="a \\\\"quoted\\\\" ; secret=";
            """)
        #expect(plain["security.protocol"] == "SASL_SSL")
        #expect(plain["sasl.mechanism"] == "PLAIN")
        #expect(plain["sasl.username"] == "alice")
        #expect(plain["sasl.password"] == "a \"quoted\" ; secret=")
        let scram = try translated(
            """
            sasl.mechanism=SCRAM-SHA-512
            sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username='u' password=p;
            """)
        #expect(scram["sasl.mechanism"] == "SCRAM-SHA-512")
        #expect(scram["sasl.username"] == "u")
        #expect(scram["sasl.password"] == "p")
    }

    @Test func pemStoresAreTranslated() throws {
        let files = try translated(
            """
            ssl.truststore.type=PEM
            ssl.truststore.location=/trust.pem
            ssl.keystore.type=pem
            ssl.keystore.location=/store.pem
            ssl.key.password=secret
            ssl.endpoint.identification.algorithm=
            """)
        #expect(files["ssl.ca.location"] == "/trust.pem")
        #expect(files["ssl.certificate.location"] == "/store.pem")
        #expect(files["ssl.key.location"] == "/store.pem")
        #expect(files["ssl.key.password"] == "secret")
        #expect(files["ssl.endpoint.identification.algorithm"] == "none")
        let inline = try translated(
            """
            ssl.truststore.type=PEM
            ssl.truststore.certificates=-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----
            ssl.keystore.type=PEM
            ssl.keystore.certificate.chain=CHAIN
            ssl.keystore.key=KEY
            """)
        #expect(inline["ssl.ca.pem"] == "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
        #expect(inline["ssl.certificate.pem"] == "CHAIN")
        #expect(inline["ssl.key.pem"] == "KEY")
    }

    @Test func differingNamesAreTranslatedAndJavaOnlyOnesLeftOut() throws {
        let properties = try translated(
            """
            key.serializer=org.apache.kafka.common.serialization.StringSerializer
            max.request.size=2000000
            buffer.memory=33554432
            fetch.max.wait.ms=100
            client.dns.lookup=use_all_dns_ips
            partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor
            group.id=g
            """)
        #expect(
            properties.names == [
                "fetch.wait.max.ms", "group.id", "message.max.bytes", "partition.assignment.strategy",
                "queue.buffering.max.kbytes",
            ])
        #expect(properties["queue.buffering.max.kbytes"] == "32768")
        #expect(properties["partition.assignment.strategy"] == "cooperative-sticky")
    }

    @Test(
        arguments: [
            ("ssl.truststore.location=/t.jks", "ssl.ca.location"),
            ("ssl.keystore.location=/k.jks", "ssl.certificate.location"),
            ("ssl.truststore.location=/t.p12", "ssl.ca.location"),
            ("sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required a=b;", "sasl.kerberos.keytab"),
            ("partitioner.class=my.Partitioner", "murmur2_random"),
            ("partition.assignment.strategy=org.apache.kafka.clients.consumer.StickyAssignor", "cooperative-sticky"),
        ])
    func untranslatableIsRefusedNamingTheEquivalent(line: String, equivalent: String) throws {
        let refusal = try refusal(of: line)
        #expect(refusal.contains(line.prefix { $0 != "=" }))
        #expect(refusal.contains(equivalent))
    }

    @Test func brokenLoginLineDoesNotShowItsPassword() throws {
        for line in [
            "required \"hunter2", "hunter2", "X required username=\"u\" hunter2;", "X required password=hunter2;",
        ] {
            let text = try refusal(of: "sasl.jaas.config=\(line)")
            #expect(!text.contains("hunter2"))
            #expect(text.contains("sasl.jaas.config"))
        }
    }
}
