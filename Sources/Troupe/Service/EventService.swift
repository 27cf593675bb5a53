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
    ///   - delivery: What it promises of an event's effects on Kafka; what the configuration says when `nil`.
    ///   - configuration: How it reaches Kafka and behaves; by default what the environment says.
    public init(
        _ name: String, router: EventRouter, delivery: DeliveryGuarantee? = nil,
        configuration: ServiceConfiguration = ServiceConfiguration()
    ) {
        var configuration = configuration
        if let delivery { configuration.delivery = delivery }
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
    /// It returns by the deadlines of `EngineSettings`: what has not ended `drainTimeout` after the cancellation is left
    /// to the next owner, and leaving may take `closeTimeout`.
    ///
    /// - Throws: `StartupError` when a route, a name or a topic is not as it must be; `KafkaError` when no broker can be
    ///   reached at the start or Kafka reports a fatal error; `HandlerBlockedError` when a handler that blocks the
    ///   service's thread is still at it after both deadlines (after `closeTimeout` with `stopAtOnce()`). That thread
    ///   goes on blocking: end the process then.
    public func run() async throws {
        let prepared: Prepared
        do {
            prepared = try await prepare()
        } catch is CancellationError where Task.isCancelled {
            return
        }
        let (shared, engine, announcer) = (prepared.shared, prepared.engine, prepared.announcer)
        let logger = prepared.logger
        let started = self.engine.withLock { current in
            if let current, !current.isFinished { return false }
            current = shared
            return true
        }
        guard started else {
            throw KafkaError(.invalidState, "The service \(name) runs already", advice: "Make another EventService")
        }
        do {
            // Supervised before it runs.
            try Watchdog.watch(shared, engine.settings, logger: logger)
            if prepared.isAnnounced { announcer?.speak() }
            try startThread(named: "troupe-\(name)") { engine.run() }
        } catch {
            shared.finish(error)
            await announcer?.stop()
            throw error
        }
        let lookout = prepared.lookout.map { lookout in Task { await lookout.run() } }
        let end: Result<Void, any Error>
        do {
            try await withTaskCancellationHandler {
                try await shared.waitForEnd()
            } onCancel: {
                shared.requestStop(atOnce: false)
            }
            end = .success(())
        } catch {
            end = .failure(error)
        }
        lookout?.cancel()
        await announcer?.stop()
        // Its client goes with it; a broker that does not answer keeps nobody.
        if let lookout { await waitForEnd(of: lookout, within: .seconds(2)) }
        try end.get()
        logger.info("Stopped")
    }

    /// Runs the service as a process's main business.
    ///
    /// The first of the signals stops it in order; a second at once: its handlers are not waited for. A third ends the
    /// process there and then. A handler that blocks the service's thread beyond the stop's deadlines (see `run()`) is
    /// named in the log, and the process ends without it: with status 130 after SIGINT, else with 1.
    ///
    /// When the service cannot start, or Kafka ends it with a fatal error, the cause is logged as `critical` and the
    /// process ends with status 1, as process managers expect. Use `run()` to handle that yourself, and to run several
    /// services in one process.
    ///
    /// - Parameter gracefulShutdownSignals: The signals to listen for.
    /// - Throws: `KafkaError` when the signals cannot be listened for; then the service has not run.
    public func runService(gracefulShutdownSignals: [ShutdownSignal] = [.sigterm, .sigint]) async throws {
        let shutdown = Shutdown()
        let listener = try SignalListener(gracefulShutdownSignals) { [weak self] signal in
            switch shutdown.note(signal) {
            case 1: break
            case 2: self?.stopAtOnce()
            default: self?.endUnfinished(shutdown.status)
            }
        }
        defer { listener.cancel() }
        let running = Task { try await self.run() }
        shutdown.cancels(running)
        let result = await withTaskCancellationHandler {
            await running.result
        } onCancel: {
            running.cancel()
        }
        guard case .failure(let error) = result else { return }
        if let blocked = error as? HandlerBlockedError {
            log.critical("The process ends while a handler blocks the service's thread", metadata: blocked.metadata)
            endProcess(status: shutdown.status)
        }
        log.critical("The service cannot run", metadata: [LogKey.error: "\(error)"])
        endProcess(status: 1)
    }

    /// Ends the process whatever is under way, naming the handler that was entered last.
    private func endUnfinished(_ status: Int32) {
        let handling = engine.withLock { $0 }?.currentHandling
        log.critical(
            "The process ends before the service has stopped",
            metadata: handling.map { HandlerBlockedError($0).metadata } ?? [:])
        endProcess(status: status)
    }

    private var log: Logger {
        var logger = configuration.logger ?? Logger(label: "troupe")
        logger[metadataKey: LogKey.service] = name
        return logger
    }

    /// Stops the service without waiting for its handlers: what they were doing is done again by the next owner.
    public func stopAtOnce() { engine.withLock { $0 }?.requestStop(atOnce: true) }

    /// What a service is made of once everything was checked.
    private struct Prepared {
        var shared: EngineShared
        var engine: ServiceEngine
        /// Says that the instance is alive; `nil` when tracking is off.
        var announcer: ServiceAnnouncer?
        /// Whether there is a topic to say it on; where there is none, the lookout begins that.
        var isAnnounced: Bool
        /// Looks for what the service tells of itself on; `nil` when nothing is missing.
        var lookout: SystemTopicLookout?
        var logger: Logger
    }

    /// Checks everything, makes what is missing, and builds the engine.
    private func prepare() async throws -> Prepared {
        let logger = log
        configuration.warnOfUnknownVariables(logger)
        var configuration = try configuration.resolved()
        configuration.kafka = try await configuration.kafka.detectingEmbeddedBroker()
        if configuration.kafka.isEmbeddedBroker == true { logger.notice(EmbeddedBroker.notice) }
        let plan = try processor(configuration, logger, maxMessageBytes: KafkaLimits.maxMessageBytes)
        let provisioner = try TopicProvisioner(
            configuration.kafka, mode: configuration.provisioning, logger: logger)
        let topics = try await provisioner.provision(plan)
        let system =
            configuration.tracking.isEnabled
            ? await provisioner.provision(plan.names.systemTopics) : ProvisionedSystemTopics()
        // A dead letter is as large as its record and has headers beside.
        let limit = min(
            max(configuration.kafka.maxMessageBytes ?? 0, topics.maxMessageBytes),
            KafkaLimits.largestMessageBytes - KafkaLimits.failureHeadroom)
        var kafka = configuration.kafka
        kafka.maxMessageBytes = limit + KafkaLimits.failureHeadroom
        // A topic's limit is one of batches: a batch above it is refused with every record in it, however small.
        let batches = [topics.maxBatchBytes, system.maxBatchBytes].compactMap(\.self)
        if let batch = batches.min(), batch < KafkaLimits.batchBytes, kafka.properties["batch.size"] == nil {
            kafka.properties["batch.size"] = String(max(batch, 1))
        }
        // A retry topic has as many partitions as its input.
        let prefetch = configuration.engine.prefetch(
            partitions: plan.retryTopics.reduce(0) { $0 + Int(topics.partitionCounts[$1] ?? 1) })
        if kafka.properties["queued.min.messages"] == nil {
            kafka.properties["queued.min.messages"] = String(prefetch.records)
        }
        if kafka.properties["queued.max.messages.kbytes"] == nil {
            kafka.properties["queued.max.messages.kbytes"] = String(prefetch.bytes >> 10)
        }
        let processor = try processor(configuration, logger, maxMessageBytes: limit)
        let shared = try EngineShared(tellsNews: configuration.tracking.isEnabled)
        let instance = configuration.instance ?? InstanceName.make()
        let group = processor.names.consumerGroup
        // The end of a partition is told also where no record lies before it, but a transaction's marker.
        kafka.properties["enable.partition.eof"] = "true"
        let producerRole: ClientRole
        switch configuration.delivery {
        case .atLeastOnce: producerRole = .producer
        case .exactlyOnce:
            // Readers of committed records, and the next owner, wait as long for an instance that was killed.
            kafka.transactionTimeout = kafka.transactionTimeout ?? .seconds(10)
            configuration.engine.transactionTimeout = kafka.transactionTimeout ?? .seconds(10)
            producerRole = .transactionalProducer(id: processor.names.transactionalID(instance: instance))
        }
        let most = kafka.maxMessageBytes ?? .max
        /// The largest record of reports.
        @Sendable func taskLimit(_ system: ProvisionedSystemTopics) -> Int {
            min(system.maxBatchBytes ?? KafkaLimits.maxMessageBytes, most)
        }
        let engine = try ServiceEngine(
            processor: processor, settings: configuration.engine, logger: logger,
            consumerProperties: kafka.librdkafkaProperties(for: .consumer(group: group)),
            producerProperties: kafka.librdkafkaProperties(for: producerRole),
            readerProperties: kafka.librdkafkaProperties(for: .tailReader(.readUncommitted)),
            partitionCounts: topics.partitionCounts, shared: shared,
            reports: configuration.tracking.isEnabled
                ? TaskJournal(
                    topic: plan.names.systemTopics.tasks, service: name, instance: instance,
                    limit: taskLimit(system), settings: configuration.tracking,
                    transactionTimeout: configuration.delivery == .exactlyOnce
                        ? configuration.engine.transactionTimeout : nil,
                    isTopicAbsent: system.tasks == .absent) : nil)
        var declaration = processor.declaration(version: configuration.version, delivery: configuration.delivery)
        // Not there where it does report, so that what such services declare stays what it was.
        if system.tasks == .absent { declaration.reportsAttempts = false }
        let announcer =
            configuration.tracking.isEnabled
            ? ServiceAnnouncer(
                declaration, instance: instance, endpoint: configuration.endpoint,
                topic: plan.names.systemTopics.services,
                settings: configuration.tracking, producerProperties: try kafka.librdkafkaProperties(for: .producer),
                shared: shared, logger: logger) : nil
        logger.info(
            "Starting",
            metadata: [LogKey.group: group, LogKey.topic: processor.inputTopics.joined(separator: " ")])
        return Prepared(
            shared: shared, engine: engine, announcer: announcer, isAnnounced: system.services != .absent,
            lookout: announcer.flatMap { announcer in
                guard !system.isComplete else { return nil }
                // What the broker left open is soon known; what it denies takes somebody to mend it.
                let pause = system.isUncertain ? .seconds(1) : configuration.tracking.suspension
                let (asked, mode) = (configuration.kafka, configuration.provisioning)
                return SystemTopicLookout(
                    topics: plan.names.systemTopics, known: system, firstPause: pause, logger: logger,
                    makeProvisioner: { try? TopicProvisioner(asked, mode: mode, logger: logger) }
                ) { known in
                    if known.services == .present { announcer.speak() }
                    guard known.tasks != .unknown else { return }
                    let isThere = known.tasks == .present
                    shared.tasksTopic.store(isThere ? max(taskLimit(known), 1) : -1, ordering: .releasing)
                    announcer.declare(reports: isThere)
                }
            }, logger: logger)
    }

    private func processor(
        _ configuration: ServiceConfiguration, _ logger: Logger, maxMessageBytes: Int
    ) throws -> RecordProcessor {
        try RecordProcessor(
            service: name, router: router,
            settings: configuration.processorSettings(logger: logger, maxMessageBytes: maxMessageBytes))
    }
}
