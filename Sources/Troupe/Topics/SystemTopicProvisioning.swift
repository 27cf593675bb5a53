// Makes the topics on which services tell of themselves, or looks whether they are there.

import KafkaClient

/// What is known of the topics on which services tell of themselves.
struct ProvisionedSystemTopics: Sendable, Hashable {
    /// What is known of a topic.
    enum Standing: Sendable, Hashable {
        /// It is there.
        case present
        /// The broker has not said: it did not answer in time, or is about to make the topic.
        case unknown
        /// The broker says plainly that it is not there, or may not be made.
        case absent
    }

    var services = Standing.absent
    var tasks = Standing.absent
    /// The largest batch that the topic of tasks takes, in bytes; `nil` when it is not known.
    var maxBatchBytes: Int?

    /// Whether nothing is left to be looked for.
    var isComplete: Bool { services == .present && tasks == .present }
    /// Whether the broker has left something open.
    var isUncertain: Bool { services == .unknown || tasks == .unknown }

    /// What is known after a look that found this, and an earlier one.
    ///
    /// A topic that was found is looked for no more, and one that was denied stays denied until it is found.
    func after(_ earlier: ProvisionedSystemTopics?) -> ProvisionedSystemTopics {
        guard let earlier else { return self }
        var known = self
        known.services = services.after(earlier.services)
        known.tasks = tasks.after(earlier.tasks)
        known.maxBatchBytes = maxBatchBytes ?? earlier.maxBatchBytes
        return known
    }

    /// Whether it is this look by which a topic is known to be missing that the broker had left open.
    fileprivate func denies(_ topic: String, of topics: SystemTopics, after earlier: ProvisionedSystemTopics) -> Bool {
        let (now, before) = topic == topics.tasks ? (tasks, earlier.tasks) : (services, earlier.services)
        return now == .absent && before == .unknown
    }
}

extension TopicProvisioner {
    /// Provisions the topics on which services tell of themselves; never keeps a service from running.
    ///
    /// Only an answer says that a topic is not there. A request that fails, or is not answered in time, says nothing: the
    /// topic may have been made all the same.
    ///
    /// - Parameter earlier: what was known before: of what is wrong, only what it left open and the broker now denies is
    ///   logged. All of it at the first look.
    func provision(_ topics: SystemTopics, after earlier: ProvisionedSystemTopics? = nil) async
        -> ProvisionedSystemTopics
    {
        let plans = TopicPlan.system(topics)
        var known = await answers(for: plans.map(\.name)) { names in
            try await admin.describeTopics(names, within: timeout).mapValues { $0.map { _ in } }
        }
        if mode == .create {
            let missing = plans.filter { known[$0.name]?.error?.code == .unknownTopicOrPartition }
            // What was made is not asked for again: other brokers may learn of it later.
            let made = await answers(for: missing.map(\.name)) { _ in
                try await admin.createTopics(missing.map(newTopic), within: timeout)
            }
            logCreated(made.filter { $0.value.error == nil }.keys.sorted())
            known.merge(made) { _, new in new }
        }
        var found = ProvisionedSystemTopics()
        found.services = ProvisionedSystemTopics.Standing(known[topics.services])
        found.tasks = ProvisionedSystemTopics.Standing(known[topics.tasks])
        if found.tasks == .present {
            found.maxBatchBytes = (try? await limits([topics.tasks], within: timeout))?.values.min()
        }
        let troubles = plans.compactMap { plan in known[plan.name]?.error.map { (plan.name, $0) } }
        warn(
            of: troubles.filter { trouble in
                earlier.map { found.denies(trouble.0, of: topics, after: $0) } ?? true
            })
        return found
    }

    /// What the broker answers of each topic; its request's error where it does not.
    private func answers(
        for names: [String], _ request: ([String]) async throws -> [String: Result<Void, KafkaError>]
    ) async -> [String: Result<Void, KafkaError>] {
        guard !names.isEmpty else { return [:] }
        do {
            return try await request(names).mapValues { result in
                // Another instance may have been quicker.
                result.error?.code == .topicAlreadyExists ? .success(()) : result
            }
        } catch {
            let error = error as? KafkaError ?? KafkaError(.invalidState, "The request failed: \(error)")
            return Dictionary(uniqueKeysWithValues: names.map { ($0, .failure(error)) })
        }
    }

    private func warn(of troubles: [(topic: String, error: KafkaError)]) {
        func warn(_ message: String, _ isMeant: (KafkaError) -> Bool) {
            let meant = troubles.filter { isMeant($0.error) }
            guard let error = meant.first?.error else { return }
            logger.warning(
                message,
                metadata: [LogKey.topic: meant.map(\.topic).joined(separator: " "), LogKey.error: "\(error)"])
        }
        warn(
            "Topics are missing on which the service tells of itself: it runs, and tells less until they are there. Create "
                + "them with `troupe topics apply`, or switch tracking off (TROUPE_TRACKING=off)"
        ) { $0.code == .unknownTopicOrPartition }
        warn(
            "The topics on which the service tells of itself cannot be used: it runs, and tells less until they can. Grant "
                + "the rights, or switch tracking off (TROUPE_TRACKING=off)"
        ) { $0.deniesTopic && $0.code != .unknownTopicOrPartition }
        warn(
            "The broker has not said whether the topics are there on which the service tells of itself: it takes them to be "
                + "there, and looks for them again"
        ) { !$0.deniesTopic }
    }
}

extension ProvisionedSystemTopics.Standing {
    /// What is known of a topic after a look that found this, and an earlier one.
    fileprivate func after(_ earlier: Self) -> Self {
        earlier == .present || (earlier == .absent && self == .unknown) ? earlier : self
    }

    /// What an answer says of a topic.
    init(_ answer: Result<Void, KafkaError>?) {
        switch answer {
        case .success: self = .present
        case .failure(let error) where error.deniesTopic: self = .absent
        case .failure, nil: self = .unknown
        }
    }
}

extension KafkaError {
    /// Whether it is a broker's plain word that a topic is not there, or may not be used or made.
    fileprivate var deniesTopic: Bool {
        switch code {
        case .unknownTopicOrPartition, .topicAuthorizationFailed, .invalidTopic, .unsupportedByEmbeddedBroker: true
        // Kafka's CLUSTER_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR,
        // INVALID_CONFIG and POLICY_VIOLATION.
        default: [31, 35, 37, 38, 40, 44].contains(code.rawValue)
        }
    }
}

extension Result where Failure == KafkaError {
    /// The error, where it is one.
    fileprivate var error: KafkaError? { if case .failure(let error) = self { error } else { nil } }
}
