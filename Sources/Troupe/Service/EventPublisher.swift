// Publishing from outside a handler: starting a flow, or joining one.

import KafkaClient
import Synchronization

/// Publishes events from outside a handler: from a web request, a job, a test.
///
/// ```swift
/// let publisher = try await EventPublisher("storefront")
/// let placed = try await publisher.publish(OrderPlaced(orderID: id, lines: lines), idempotencyKey: id)
/// ```
///
/// Within a handler, return the events instead: then they are published with the event's correlation id, and nothing
/// is published when the handler fails.
public final class EventPublisher: Sendable {
    private let identity: PublisherIdentity
    private let claimCheck: ClaimCheckPolicy?
    private let kafka: KafkaConfiguration
    private let producer: KafkaProducer
    /// Sends again what was refused, each record in a batch of its own; made when the first is.
    private let singles = Mutex<KafkaProducer?>(nil)
    private let random = FastRandom()
    /// Says what is published; `nil` when nothing is told.
    private let registration: PublisherRegistration?

    /// Connects a publisher.
    ///
    /// - Parameters:
    ///   - service: The name of the service that publishes, which becomes the events' source.
    ///   - publishes: The types it is going to publish, so that they are known before the first event; others are
    ///     announced when they are published first.
    ///   - configuration: How it reaches Kafka, and the namespace; by default what the environment says.
    /// - Throws: `StartupError` for a name that is not as it must be, `KafkaError` when no broker can be reached or a
    ///   property is invalid.
    public init(
        _ service: String, publishes: [any Event.Type] = [],
        configuration: ServiceConfiguration = ServiceConfiguration()
    ) async throws {
        if let defect = NameRule.defect(ofService: service) {
            throw StartupError(["The service name \"\(service)\" cannot be used: \(defect)"])
        }
        var logger = configuration.logger ?? Logger(label: "troupe")
        logger[metadataKey: LogKey.service] = service
        configuration.warnOfUnknownVariables(logger)
        let configuration = try configuration.resolved()
        let kafka = try await configuration.kafka.detectingEmbeddedBroker()
        identity = PublisherIdentity(
            service: service, namespace: configuration.namespace,
            maxMessageBytes: kafka.maxMessageBytes ?? KafkaLimits.maxMessageBytes,
            claimThreshold: configuration.claimCheck?.threshold ?? .max)
        claimCheck = configuration.claimCheck
        self.kafka = kafka
        producer = try KafkaProducer(kafka)
        registration =
            configuration.tracking.isEnabled
            ? PublisherRegistration(service, configuration, kafka, producer, publishes: publishes) : nil
    }

    /// Publishes an event and waits until the broker has acknowledged it.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - correlationID: The flow to join; `nil` starts a new one.
    ///   - idempotencyKey: Publishing again with the same key gives the same event id, and the same flow id where one
    ///     is started, so that everybody downstream can tell a repeated event from a new one.
    /// - Returns: The event's ids and place.
    /// - Throws: `PublicationFailure` when the event cannot be encoded or is too large; `KafkaError` when it was not
    ///   acknowledged: whether it was written may then be unknown, so publish again with the same idempotency key.
    @discardableResult
    public func publish<E: Event>(
        _ event: E, correlationID: String? = nil, idempotencyKey: String? = nil
    ) async throws -> PublishedEvent {
        var emitter = EventEmitter(
            publisher: identity, cause: .outside(correlationID: correlationID, idempotencyKey: idempotencyKey),
            now: EngineClock.wallMilliseconds, random: random)
        try emitter.emit(event)
        let messages = try await claimCheck.deposit(emitter.claims, of: emitter.messages)
        guard let message = messages.first, let id = emitter.lastID else {
            throw PublicationFailure(type: E.type, topic: E.topic, detail: "It made no record")
        }
        registration?.note(E.self)
        let delivery = try await send(message.message)
        return PublishedEvent(
            eventID: id.text, correlationID: emitter.correlationID ?? id.text, topic: delivery.topic,
            partition: delivery.partition, offset: delivery.offset)
    }

    /// Sends a record; once more, alone, when the broker refused its batch for good.
    ///
    /// A broker refuses batches, not records: another record of the batch may have been at fault, or only their sum.
    private nonisolated(nonsending) func send(_ message: KafkaMessage) async throws -> Delivery {
        let receipt = try await producer.enqueue(message)
        do {
            return try await receipt.delivery()
        } catch let error as KafkaError where error.condemnsRecord {
            let single = try singles.withLock { single in
                if let single { return single }
                var kafka = kafka
                kafka.properties["batch.num.messages"] = "1"
                let made = try KafkaProducer(kafka)
                single = made
                return made
            }
            return try await single.send(message)
        }
    }

    /// Keeps the publisher in the service registry though it may publish nothing for days.
    ///
    /// For an owner that lives for long, every now and then: it costs a look at the clock.
    package func staysKnown() { registration?.noteLife() }

    /// Waits for the acknowledgements that are owed, then ends the publisher.
    ///
    /// - Parameter timeout: How long to wait; what is not acknowledged by then throws from its `publish`.
    public func shutdown(within timeout: Duration = .seconds(30)) async {
        let deadline = ContinuousClock.now + timeout
        await registration?.settle(within: min(timeout, .seconds(2)))
        await producer.shutdown(within: max(deadline - .now, .zero))
        if let single = singles.withLock({ $0 }) {
            await single.shutdown(within: max(deadline - .now, .zero))
        }
    }
}

/// An event that was published from outside a handler.
public struct PublishedEvent: Sendable, Hashable {
    /// The event's id (`ce_id`).
    public var eventID: String
    /// The flow it started or joined (`ce_correlationid`).
    public var correlationID: String
    /// The topic's name on the broker.
    public var topic: String
    /// The partition it was written to.
    public var partition: Int32
    /// Its offset in the partition.
    public var offset: Int64
}
