// The cluster of a world on a broker: an embedded one of its own, or a namespace on a real Kafka.

import KafkaClient
import Troupe

/// The cluster of a world.
struct LiveCluster: Sendable {
    /// How the world's own clients reach it.
    let clientConfiguration: KafkaConfiguration
    private let broker: EmbeddedBroker?
    /// How long a member on the embedded broker may be silent before it loses its place.
    ///
    /// A test process that is held up must not lose it, and with it what it was doing; a member that comes late waits for
    /// twice this at most, which is less than the world's time-out.
    private let sessionTimeout: Duration

    /// Starts an embedded broker, or finds a real one.
    ///
    /// - Parameter service: What is taken over for a real Kafka, such as credentials.
    init(_ environment: TestEnvironment, _ service: ServiceConfiguration) async throws {
        sessionTimeout = min(.seconds(8), max(.milliseconds(3_100), environment.timeout / 3))
        if case .kafka(let bootstrapServers) = environment.kind {
            broker = nil
            var configuration = try KafkaConfiguration(environment: service.environment, over: service.kafka)
            configuration.bootstrapServers = bootstrapServers
            clientConfiguration = try await configuration.detectingEmbeddedBroker()
        } else {
            let broker = try EmbeddedBroker()
            self.broker = broker
            clientConfiguration = broker.configuration
        }
    }

    /// A service's configuration that reaches this cluster.
    func configuration(for service: ServiceConfiguration) throws -> KafkaConfiguration {
        guard broker == nil else {
            var configuration = clientConfiguration
            configuration.maxMessageBytes = service.kafka.maxMessageBytes
            configuration.sessionTimeout = sessionTimeout
            return configuration
        }
        var configuration = try KafkaConfiguration(environment: service.environment, over: service.kafka)
        configuration.bootstrapServers = clientConfiguration.bootstrapServers
        configuration.isEmbeddedBroker = clientConfiguration.isEmbeddedBroker
        return configuration
    }

    /// Every topic of the services, without repetition.
    static func topics(of processors: [RecordProcessor]) -> [String] {
        Set(processors.flatMap { $0.inputTopics + $0.outputTopics + $0.retryTopics + $0.deadLetterTopics }).sorted()
    }

    /// Makes the topics.
    ///
    /// On a real Kafka the services provision their retry and dead-letter topics themselves; the embedded broker
    /// would give them its own number of partitions.
    func makeTopics(of processors: [RecordProcessor], partitions: Int) async throws {
        if let broker {
            for topic in Self.topics(of: processors) { try broker.createTopic(topic, partitions: partitions) }
        } else {
            let admin = try KafkaAdmin(clientConfiguration)
            for topic in Set(processors.flatMap { $0.inputTopics + $0.outputTopics }).sorted() {
                try await admin.createTopic(NewTopic(topic, partitions: partitions))
            }
        }
    }

    /// Deletes topics and groups where the broker can.
    ///
    /// What cannot be deleted stays: a test is not failed by it.
    func clean(_ processors: [RecordProcessor]) async {
        guard broker == nil, clientConfiguration.isEmbeddedBroker != true,
            let admin = try? KafkaAdmin(clientConfiguration)
        else { return }
        _ = try? await admin.deleteTopics(Self.topics(of: processors))
        _ = try? await admin.deleteGroups(processors.map(\.names.consumerGroup))
    }
}
