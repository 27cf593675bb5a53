// A service: the router's routes over a consumer group.

import KafkaClient
import Synchronization

/// A microservice that handles events and publishes follow-on events.
///
/// ```swift
/// try await EventService("inventory", router: router).runService()
/// ```
///
/// The name is the consumer group: instances of one name share the work, and Kafka moves partitions between them as
/// they come and go. A record's offset is committed when the record and all it published are acknowledged; until then
/// it is handled again by whoever owns its partition after a crash.
public final class EventService: Sendable {
    /// The service's name, which is its consumer group unless the configuration says otherwise.
    public let name: String
    package let router: EventRouter
    package let configuration: ServiceConfiguration
    private let engine = Mutex<EngineShared?>(nil)

    /// Creates a service.
    ///
    /// Nothing is checked or connected before it runs.
    ///
    /// - Parameters:
    ///   - name: 1 to 63 characters of `a-z`, `0-9` and `-`.
    ///   - router: What the service handles.
    ///   - configuration: How it reaches Kafka and behaves; by default what the environment says.
    public init(_ name: String, router: EventRouter, configuration: ServiceConfiguration = ServiceConfiguration()) {
        self.name = name
        self.router = router
        self.configuration = configuration
    }

    /// What the service has done and is doing, at most a tenth of a second old.
    public var status: ServiceStatus {
        guard let engine = engine.withLock({ $0 }) else {
            var status = ServiceStatus()
            status.service = name
            return status
        }
        return engine.lastStatus
    }

    /// Runs the service until its task is cancelled, then drains, commits, leaves the group and returns.
    ///
    /// - Throws: `StartupError` when a route, a name or a topic is not as it must be; `KafkaError` when no broker can be
    ///   reached at the start or Kafka reports a fatal error.
    public func run() async throws {
        let prepared: (EngineShared, ServiceEngine, Logger)
        do {
            prepared = try await prepare()
        } catch is CancellationError where Task.isCancelled {
            return
        }
        let (shared, engine, logger) = prepared
        let started = self.engine.withLock { current in
            if let current, !current.isFinished { return false }
            current = shared
            return true
        }
        guard started else {
            throw KafkaError(.invalidState, "The service \(name) runs already", advice: "Make another EventService")
        }
        try startThread(named: "troupe-\(name)") { engine.run() }
        try Watchdog.watch(shared, threshold: configuration.engine.slowHandlerThreshold, logger: logger)
        try await withTaskCancellationHandler {
            try await shared.waitForEnd()
        } onCancel: {
            shared.requestStop(atOnce: false)
        }
        logger.info("Stopped")
    }

    /// Runs the service as a process's main business: the first of the signals stops it in order, a second at once.
    ///
    /// When the service cannot start, or Kafka ends it with a fatal error, the cause is logged as `critical` and the
    /// process ends with status 1, as process managers expect. Use `run()` to handle that yourself.
    ///
    /// - Parameter gracefulShutdownSignals: The signals to listen for.
    /// - Throws: `KafkaError` when the signals cannot be listened for.
    public func runService(gracefulShutdownSignals: [ShutdownSignal] = [.sigterm, .sigint]) async throws {
        let running = Task { try await self.run() }
        let count = Atomic<Int>(0)
        let listener = try SignalListener(gracefulShutdownSignals) { [weak self] _ in
            running.cancel()
            if count.add(1, ordering: .relaxed).newValue > 1 { self?.stopAtOnce() }
        }
        defer { listener.cancel() }
        let result = await withTaskCancellationHandler {
            await running.result
        } onCancel: {
            running.cancel()
        }
        guard case .failure(let error) = result else { return }
        var logger = configuration.logger ?? Logger(label: "troupe")
        logger[metadataKey: LogKey.service] = name
        logger.critical("The service cannot run", metadata: [LogKey.error: "\(error)"])
        endProcess(status: 1)
    }

    /// Stops the service without waiting for its handlers: what they were doing is done again by the next owner.
    public func stopAtOnce() { engine.withLock { $0 }?.requestStop(atOnce: true) }

    /// Checks everything, makes what is missing, and builds the engine.
    private func prepare() async throws -> (EngineShared, ServiceEngine, Logger) {
        var configuration = try configuration.resolved()
        var logger = configuration.logger ?? Logger(label: "troupe")
        logger[metadataKey: LogKey.service] = name
        configuration.kafka = try await configuration.kafka.detectingEmbeddedBroker()
        if configuration.kafka.isEmbeddedBroker == true { logger.notice(EmbeddedBroker.notice) }
        let plan = try processor(configuration, logger, maxMessageBytes: KafkaLimits.maxMessageBytes)
        let topics = try await TopicProvisioner(configuration.kafka, mode: configuration.provisioning, logger: logger)
            .provision(plan)
        // A dead letter is as large as its record and has headers beside.
        let limit = max(configuration.kafka.maxMessageBytes ?? 0, topics.maxMessageBytes)
        var kafka = configuration.kafka
        kafka.maxMessageBytes = limit + KafkaLimits.failureHeadroom
        // A topic's limit is one of batches: a batch above it is refused with every record in it, however small.
        if let batch = topics.maxBatchBytes, batch < KafkaLimits.batchBytes, kafka.properties["batch.size"] == nil {
            kafka.properties["batch.size"] = String(max(batch, 1))
        }
        let processor = try processor(configuration, logger, maxMessageBytes: limit)
        let shared = try EngineShared()
        let group = processor.names.consumerGroup
        // The end of a partition is told also where no record lies before it, but a transaction's marker.
        kafka.properties["enable.partition.eof"] = "true"
        let producerRole: ClientRole
        switch configuration.delivery {
        case .atLeastOnce: producerRole = .producer
        case .exactlyOnce:
            // Readers of committed records, and the next owner, wait as long for an instance that was killed.
            kafka.transactionTimeout = kafka.transactionTimeout ?? .seconds(10)
            let instance = configuration.instance ?? String(UInt64.random(in: 0...UInt64.max), radix: 36)
            producerRole = .transactionalProducer(id: processor.names.transactionalID(instance: instance))
        }
        let engine = try ServiceEngine(
            processor: processor, settings: configuration.engine, logger: logger,
            consumerProperties: kafka.librdkafkaProperties(for: .consumer(group: group)),
            producerProperties: kafka.librdkafkaProperties(for: producerRole),
            readerProperties: kafka.librdkafkaProperties(for: .tailReader(.readUncommitted)),
            partitionCounts: topics.partitionCounts, shared: shared)
        logger.info(
            "Starting",
            metadata: [LogKey.group: group, LogKey.topic: processor.inputTopics.joined(separator: " ")])
        return (shared, engine, logger)
    }

    private func processor(
        _ configuration: ServiceConfiguration, _ logger: Logger, maxMessageBytes: Int
    ) throws -> RecordProcessor {
        try RecordProcessor(
            service: name, router: router,
            settings: configuration.processorSettings(logger: logger, maxMessageBytes: maxMessageBytes))
    }
}
