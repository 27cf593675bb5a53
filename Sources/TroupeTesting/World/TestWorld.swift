// The world of one test: give events, let time pass.

public import KafkaClient
public import Troupe

/// The world of one test: its services, its topics and its time.
///
/// What was given is handled when something is asked for: `published`, `deadLetters`, `retrying`, `attempts`,
/// `skipped` and `settled` wait until every record is settled, that is handled, skipped, ignored, dead-lettered, or
/// waiting for a retry that is not due, and all that was published on the way is settled too. Then they return exactly
/// what is there.
public struct TestWorld: Sendable {
    let backend: any WorldBackend
    /// What the names of topics and groups begin with on the broker; empty in a simulation.
    public let namespace: String
    /// Where the world runs.
    public let environment: TestEnvironment
    private let random: FastRandom

    /// Starts the services.
    static func open(_ environment: TestEnvironment, services: [EventService]) async throws -> TestWorld {
        switch environment.kind {
        case .simulated(let seed, let faults):
            let simulation = try SimulatedWorld(
                services, environment: environment, seed: seed, faults: faults)
            return TestWorld(
                backend: simulation, namespace: "", environment: environment, random: FastRandom(seed: ~seed))
        case .embedded, .kafka:
            let live = try await LiveWorld(services, environment: environment)
            return TestWorld(
                backend: live, namespace: live.namespace, environment: environment, random: FastRandom())
        }
    }

    private init(backend: any WorldBackend, namespace: String, environment: TestEnvironment, random: FastRandom) {
        self.backend = backend
        self.namespace = namespace
        self.environment = environment
        self.random = random
    }

    func close(atOnce: Bool) async throws { try await backend.close(atOnce: atOnce) }

    // MARK: Giving

    /// Publishes an event as another service would, or again when it is given a second time.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - correlationID: The flow it belongs to; that of its cause, or a new one, when it is left out.
    ///   - cause: The event it follows from.
    ///   - idempotencyKey: Makes the event's id, the same for the same key; random when it is left out.
    /// - Returns: The event's envelope, by which it is known again.
    /// - Throws: `UnreadTopic` when no service reads the event's topic; `PublicationFailure` when it cannot be encoded.
    @discardableResult
    public func give<E: Event>(
        _ event: E, correlationID: String? = nil, causedBy cause: EventEnvelope? = nil, idempotencyKey: String? = nil
    ) async throws -> EventEnvelope {
        var emitter = EventEmitter(
            publisher: PublisherIdentity(service: "test", namespace: namespace),
            cause: .outside(
                correlationID: correlationID ?? cause.map { $0.correlationID ?? $0.id }, idempotencyKey: idempotencyKey),
            now: backend.now, random: random)
        try emitter.emit(event)
        var envelope: EventEnvelope?
        for var message in emitter.messages {
            if let cause { message.addHeader(HeaderName.causationID, cause.id) }
            envelope = try EventEnvelope(try await append(message))
        }
        guard let envelope else { throw UnreadTopic(topic: E.topic.rawValue, known: []) }
        return envelope
    }

    /// Publishes events in order, each starting a flow of its own.
    ///
    /// - Returns: The events' envelopes, in the same order.
    /// - Throws: What giving one event throws.
    @discardableResult
    public func give<E: Event>(_ events: [E]) async throws -> [EventEnvelope] {
        var envelopes: [EventEnvelope] = []
        for event in events { envelopes.append(try await give(event)) }
        return envelopes
    }

    /// Publishes a tombstone, a record with a null value: what its key names was deleted.
    ///
    /// - Parameters:
    ///   - type: The type of event whose tombstone it is.
    ///   - key: What was deleted.
    /// - Throws: `UnreadTopic` when no service reads the topic.
    public func give<E: Event>(tombstoneOf type: E.Type, key: EventKey) async throws {
        try await give(
            KafkaMessage(
                topic: E.topic.rawValue, key: key.bytes, value: nil,
                headers: [
                    KafkaHeader(HeaderName.specVersion.text, "1.0"),
                    KafkaHeader(
                        HeaderName.id.text, EventID.flowStarter(milliseconds: backend.now, random: random).text),
                    KafkaHeader(HeaderName.type.text, E.type.rawValue),
                    KafkaHeader(HeaderName.source.text, "/services/test"),
                ]))
    }

    /// Publishes a record as it is: any bytes, any headers.
    ///
    /// - Parameter message: The record; its topic is named without a namespace.
    /// - Returns: The record as it lies in its topic.
    /// - Throws: `UnreadTopic` when no service reads the topic.
    @discardableResult
    public func give(_ message: KafkaMessage) async throws -> KafkaRecord {
        var message = message
        message.topic = namespace + message.topic
        return named(try await append(PackedMessage(message)))
    }

    private func append(_ message: PackedMessage) async throws -> KafkaRecord {
        let known = Set(backend.processors.flatMap { $0.inputTopics + $0.retryTopics })
        guard known.contains(message.topic) else {
            throw UnreadTopic(topic: local(message.topic), known: known.map(local).sorted())
        }
        return try await backend.give(message)
    }

    // MARK: Time

    /// The world's time in milliseconds since 1970.
    ///
    /// A simulation begins at 2026-01-01T00:00:00Z and its time passes by `advance` alone: handling takes none.
    public var now: Int64 { backend.now }

    /// Lets time pass, so that retries become due and time limits end.
    ///
    /// Whatever was given before is settled first. In a simulation this takes no real time, and everything that becomes
    /// due on the way happens at its own time, in order. On a broker the call really waits that long.
    ///
    /// - Parameter duration: How long; nothing happens when it is not above zero.
    /// - Throws: `TestTimedOut` when something did not settle.
    public func advance(by duration: Duration) async throws { try await backend.advance(by: duration) }

    /// Waits until everything that was given is settled.
    ///
    /// - Throws: `TestTimedOut`, which says what was still under way; the error of a service that ended.
    public func settled() async throws { _ = try await backend.settle() }

    // MARK: Faults

    /// Kills services as `kill -9` does and starts them again: what they had not committed comes to them once more.
    ///
    /// A simulated service commits when its commit interval (100 ms when nothing else is set) has passed on the virtual
    /// clock. So everything handled since the last `advance` is handled again, as after a crash between handling and
    /// commit; what waits in place for a retry begins again with its first attempt. Handlers under way are cancelled,
    /// and nothing of them is published; those that do not heed it go on beside their successors, as a zombie's do.
    ///
    /// - Parameter service: The name of the service; all of them when it is left out.
    /// - Throws: `NotSimulated` on a broker.
    public func crash(_ service: String? = nil) async throws { try await backend.crash(service) }

    // MARK: Names

    /// A topic's name without the namespace.
    func local(_ topic: String) -> String {
        topic.hasPrefix(namespace) ? String(topic.dropFirst(namespace.count)) : topic
    }

    /// The record with its topic's name without the namespace.
    func named(_ record: KafkaRecord) -> KafkaRecord {
        guard !namespace.isEmpty else { return record }
        return KafkaRecord(
            topic: local(record.topic), partition: record.partition, offset: record.offset,
            timestamp: record.timestamp, key: record.key.map { Array($0) }, value: record.value.map { Array($0) },
            headers: record.headers)
    }
}
