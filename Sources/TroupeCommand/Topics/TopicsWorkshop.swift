// Asks the broker what there is of a service's topics, and carries out what is to be done.

import KafkaClient
import Troupe

/// Plans and makes a service's topics on a cluster.
struct TopicsWorkshop: Sendable {
    private let needs: ServiceNeeds
    private let admin: KafkaAdmin
    private let isEmbeddedBroker: Bool

    init(_ needs: ServiceNeeds, _ cluster: Cluster) throws {
        self.needs = needs
        admin = try KafkaAdmin(cluster.configuration)
        isEmbeddedBroker = cluster.isEmbeddedBroker
    }

    /// What is to be done now.
    func plan() async throws -> [TopicStep] {
        let names = Set(needs.plans(over: [:]).map(\.name))
        var existing: [String: ExistingTopic] = [:]
        for (name, result) in try await admin.describeTopics(Array(names)) {
            switch result {
            case .success(let topic): existing[name] = ExistingTopic(partitions: Int32(topic.partitions.count))
            case .failure(let error) where error.code == .unknownTopicOrPartition: continue
            case .failure(let error): throw error
            }
        }
        if !isEmbeddedBroker {
            for (name, result) in try await admin.describeConfigurations(ofTopics: existing.keys.sorted()) {
                // Without the right to describe configurations they are taken for what they should be.
                existing[name]?.configuration = try? result.get().compactMapValues(\.value)
            }
        }
        return needs.steps(over: existing)
    }

    /// Does what is to be done, and returns it.
    ///
    /// Inputs come first: what stands beside them is shaped after them.
    func apply() async throws -> [TopicStep] {
        let isOwn: (TopicStep) -> Bool = { $0.purpose == .input || $0.purpose == .output }
        let own = try await plan().filter { isOwn($0) && $0.action == .create }
        try await create(own)
        let steps = try await plan()
        try await create(steps.filter { $0.action == .create })
        for step in steps where step.action == .alter {
            let values = step.changes.map { ($0.name, $0.to) }
            try await admin.alterConfiguration(
                ofTopic: step.topic, setting: Dictionary(values) { first, _ in first })
        }
        return steps.map { step in own.first { $0.topic == step.topic } ?? step }
    }

    private func create(_ steps: [TopicStep]) async throws {
        // The embedded broker gives a companion its default partitions and keeps no configuration.
        let topics = steps.map { step in
            isEmbeddedBroker
                ? NewTopic(step.topic)
                : NewTopic(
                    step.topic, partitions: step.partitions.map { Int($0) }, configuration: step.configuration)
        }
        for (_, result) in try await admin.createTopics(topics) {
            // Somebody else may have been quicker.
            if case .failure(let error) = result, error.code != .topicAlreadyExists { throw error }
        }
    }
}
