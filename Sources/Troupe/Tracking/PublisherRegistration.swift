// Says on the service registry what is published outside of a handling.

import KafkaClient
import Synchronization

/// Publishes the declaration of an `EventPublisher`: again when it publishes a new type, and every hour in which it
/// publishes or its owner says that it lives; sooner when it could not be said.
final class PublisherRegistration: Sendable {
    private struct State {
        var events: [EventDescription] = []
        /// What is known of the topics; `nil` before the first look.
        var known: ProvisionedSystemTopics?
        /// When what is known is said again.
        var dueAt = ContinuousClock.now
        /// The announcement under way, and all before it.
        var task: Task<Void, Never>?
    }

    private let names: ServiceNames
    /// How soon it is tried again when it could not be said.
    private let retryInterval: Duration
    /// How often the declaration is said again.
    private let interval: Duration
    private let version: String
    private let kafka: KafkaConfiguration
    private let provisioning: TopicProvisioning
    private let producer: KafkaProducer
    private let logger: Logger
    private let state: Mutex<State>

    /// Announces a publisher.
    init(
        _ service: String, _ configuration: ServiceConfiguration, _ kafka: KafkaConfiguration,
        _ producer: KafkaProducer, publishes: [any Event.Type], retryInterval: Duration = .seconds(300),
        interval: Duration = .seconds(3_600)
    ) {
        self.retryInterval = retryInterval
        self.interval = interval
        names = ServiceNames(service: service, namespace: configuration.namespace)
        version = configuration.version
        self.kafka = kafka
        provisioning = configuration.provisioning
        self.producer = producer
        var logger = configuration.logger ?? Logger(label: "troupe")
        logger[metadataKey: LogKey.service] = service
        self.logger = logger
        var state = State()
        for event in publishes { _ = Self.add(EventDeclaration(event), names, to: &state) }
        self.state = Mutex(state)
        announce()
    }

    /// An event of a type is about to be published.
    func note<E: Event>(_ event: E.Type) {
        let isNews = state.withLock { state in
            let isNew = Self.add(EventDeclaration(event), names, to: &state)
            return isNew || state.dueAt <= .now
        }
        if isNews { announce() }
    }

    /// The publisher lives, whether it publishes or not.
    func noteLife() {
        if state.withLock({ $0.dueAt <= .now }) { announce() }
    }

    /// Waits for the announcement that is under way, if there is one.
    func settle(within timeout: Duration) async {
        guard let task = state.withLock({ $0.task }) else { return }
        await waitForEnd(of: task, within: timeout)
        task.cancel()
    }

    private static func add(_ event: EventDeclaration, _ names: ServiceNames, to state: inout State) -> Bool {
        guard !state.events.contains(where: { $0.type == event.type.rawValue }) else { return false }
        state.events.append(EventDescription(event, names))
        return true
    }

    private func announce() {
        state.withLock { state in
            state.dueAt = .now + interval
            let earlier = state.task
            state.task = Task {
                await earlier?.value
                await self.publish()
            }
        }
    }

    private func publish() async {
        guard await isAvailable(), !Task.isCancelled else { return tryAgainLater() }
        let events = state.withLock { $0.events }.sorted { $0.type < $1.type }
        guard !events.isEmpty else { return }
        let declaration = ServiceDeclaration(
            service: names.service, version: version, group: "", delivery: "", routes: [],
            starts: events.map(\.type), events: events)
        do {
            let (json, fingerprint) = try declaration.encoded()
            let key = RegistryKey.declaration(service: names.service, fingerprint: fingerprint).text
            try await producer.send(
                KafkaMessage(
                    topic: names.systemTopics.services, key: Array(key.utf8), value: json,
                    headers: [KafkaHeader("content-type", "application/json")]))
        } catch {
            logger.warning(
                "The publisher cannot be announced; events are published all the same",
                metadata: [LogKey.error: "\(error)", LogKey.topic: names.systemTopics.services])
            tryAgainLater()
        }
    }

    private func tryAgainLater() { state.withLock { $0.dueAt = .now + retryInterval } }

    private func isAvailable() async -> Bool {
        let known = state.withLock { $0.known }
        if known?.services == .present { return true }
        guard let provisioner = try? TopicProvisioner(kafka, mode: provisioning, logger: logger) else { return false }
        let found = await provisioner.provision(names.systemTopics, after: known).after(known)
        state.withLock { $0.known = found }
        return found.services != .absent
    }
}
