// Addresses of brokers that cannot be right are told at once.

import Testing

@testable import KafkaClient

@Suite struct BootstrapServersTests {
    @Test(arguments: [
        "localhost", "localhost:9092", "kafka-1:9092,kafka-2:9093", " a:1 , b:65535 ", "127.0.0.1:9092", "[::1]:9092",
        "::1", "fe80::1%eth0", "SASL_SSL://kafka.example.com:9093", "broker_1.internal:9092", "bücher.example:9092",
    ])
    func whatLibrdkafkaTakesIsTaken(_ servers: String) {
        #expect(BootstrapServers.problem(with: servers) == nil)
    }

    @Test(arguments: [
        ("http://localhost:9092", "http"), ("localhost:port", "port"), ("localhost:", "port"), ("localhost:0", "port"),
        ("localhost:65536", "port"), ("localhost:-1", "port"), ("localhost:99999999999999999999", "port"),
        ("a:1,,b:2", "empty entry"), ("a:1,", "empty entry"), (",", "empty entry"), (" ", "empty entry"),
        (":9092", "without a host"), ("local host:9092", "host:port"), ("localhost:9092/kafka", "port"),
        ("localhost/kafka", "host:port"), ("[::1]9092", "host:port"), ("a:1;b:2", "host:port"),
    ])
    func whatCannotBeAnAddressIsNamed(_ servers: String, _ part: String) throws {
        let problem = try #require(BootstrapServers.problem(with: servers))
        #expect(problem.contains(part), "\(problem)")
        // Every client says so before it connects to anything.
        let configuration = KafkaConfiguration(bootstrapServers: servers)
        for role in [ClientRole.producer, .consumer(group: nil), .admin] {
            let error = #expect(throws: KafkaError.self) { try configuration.librdkafkaProperties(for: role) }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.description.contains("bootstrap.servers \(problem)") == true)
        }
    }

    @Test func aLoginInAnAddressIsNotRepeated() throws {
        for servers in ["ssl://me:secret@kafka:9092", "me:secret@kafka:9092", "https://me:secret@kafka:9092"] {
            let problem = try #require(BootstrapServers.problem(with: servers))
            #expect(!problem.contains("secret"))
        }
    }
}
