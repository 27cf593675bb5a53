// Keeps a flow store up to date with Kafka: finds the topics, is active or stands by.

public import KafkaClient
import SQLite
import Troupe

/// Reads all event topics and what services tell, and keeps a flow store up to date.
///
/// Topics are those that services declare, found as their declarations appear. Of several trackers of one namespace one
/// is active, the owner of partition 0 of `troupe.services` in the consumer group `troupe-tracker`; the others stand by.
/// How far was read is kept in the store alone, in the transaction that holds what was read: a tracker can be killed at
/// any moment, and goes on exactly there.
public struct FlowTracker: Sendable {
    /// What a tracker has to say.
    public enum Notice: Sendable, Hashable {
        /// It joins the group of trackers; whether another one is active is not known yet.
        case joining
        /// Another tracker is active.
        case standingBy
        /// It reads and writes.
        case active
        /// It has read everything to the present end for the first time.
        case caughtUp
        /// A partition ends before the place up to which it was read: its topic was made anew, or the broker lost its end.
        ///
        /// It is read from its beginning.
        case startedAnew(TopicPartition)
        /// A topic, or some of its partitions, cannot be read, as the error says; the others are.
        ///
        /// It is said once until it can be read again. What is missing is read as soon as that is possible.
        case unreadable(topic: String, KafkaError)
        /// The brokers do not let it join the group of trackers, so that it cannot become active; it goes on trying.
        ///
        /// It is said once for each kind of error.
        case refused(KafkaError)
    }

    private let store: FlowStore
    private let kafka: KafkaConfiguration
    private let namespace: String
    private let retention: FlowRetention
    private let notify: @Sendable (Notice) -> Void

    /// Tracks into `store`.
    ///
    /// - Parameters:
    ///   - store: The store to write.
    ///   - kafka: How to connect.
    ///   - namespace: What stands before the names of topics and groups.
    ///   - retention: What the store keeps.
    ///   - notify: Called, on any thread, with what there is to say.
    public init(
        _ store: FlowStore, kafka: KafkaConfiguration, namespace: String = "",
        retention: FlowRetention = FlowRetention(), notify: @escaping @Sendable (Notice) -> Void = { _ in }
    ) {
        self.store = store
        self.kafka = kafka
        self.namespace = namespace
        self.retention = retention
        self.notify = notify
    }

    /// Reads everything there is now into the store and returns.
    ///
    /// It joins no group: any number may do it, each with a store of its own.
    ///
    /// - Throws: `KafkaError` when no broker answers, `SQLiteError` when the store cannot be written, or
    ///   `CancellationError`.
    public nonisolated(nonsending) func catchUp() async throws {
        try await read(until: { try await self.discoverAndCatchUp($0, $1) })
    }

    /// Keeps the store up to date until the task is cancelled, as the one active tracker without asking for it.
    ///
    /// - Throws: As `catchUp`.
    public nonisolated(nonsending) func follow() async throws {
        try await read(until: { control, admin in
            try await self.discoverAndCatchUp(control, admin)
            self.notify(.caughtUp)
            try await self.goOn(control, admin)
        })
    }

    /// Keeps the store up to date until the task is cancelled, whenever this tracker is the active one.
    ///
    /// - Throws: As `catchUp`, and the `KafkaError` that ends its membership in the group of trackers.
    public nonisolated(nonsending) func run() async throws {
        var kafka = try await kafka.detectingEmbeddedBroker()
        // The seat of a tracker that was killed is free after this time, not after Kafka's 45 seconds.
        if kafka.isEmbeddedBroker != true, kafka.properties["session.timeout.ms"] == nil {
            kafka.properties["session.timeout.ms"] = "10000"
        }
        let topics = SystemTopics(namespace: namespace)
        let (signals, signal) = AsyncStream<Signal>.makeStream()
        let seat = TopicPartition(topics.services, 0)
        let member = try KafkaConsumer(kafka, .topics([topics.services], group: namespace + "troupe-tracker")) {
            change in
            switch change {
            case .assigned(let partitions): signal.yield(.assigned(hasSeat: partitions.contains(seat)))
            case .revoked(let partitions), .lost(let partitions):
                if partitions.contains(seat) { signal.yield(.unseated) }
            }
        }
        var standing = Notice.joining
        notify(standing)
        // What the member reads is nobody's business, but it ends, and says why, when it can be a member no more.
        let watching = Task {
            do {
                for try await _ in member.batches {}
                signal.yield(.failed(KafkaError(.closed, "The tracker's membership in its group ended")))
            } catch { signal.yield(.failed(error)) }
        }
        let listening = Task { [notify] in
            var told: Set<KafkaError.Code> = []
            for await case .error(let error) in member.notices where error.isOfRights {
                if told.insert(error.code).inserted { notify(.refused(error)) }
            }
        }
        defer {
            watching.cancel()
            listening.cancel()
        }
        var reading: Task<Void, Never>?
        var failure: (any Error)?
        signals: for await next in signals {
            switch next {
            case .assigned(hasSeat: true):
                guard standing != .active else { continue }
                standing = .active
                notify(standing)
                reading = Task {
                    do { try await follow() } catch is CancellationError {} catch { signal.yield(.failed(error)) }
                }
            case .assigned(hasSeat: false):
                // One that has the seat is told of no further partition.
                guard standing == .joining else { continue }
                standing = .standingBy
                notify(standing)
            case .unseated:
                reading?.cancel()
                await reading?.value
                reading = nil
                standing = .joining
                notify(standing)
            case .failed(let error):
                failure = error
                break signals
            }
        }
        reading?.cancel()
        await reading?.value
        await member.close()
        if let failure { throw failure }
        try Task.checkCancellation()
    }

    /// What decides over the reading.
    private enum Signal: Sendable {
        /// The group gave it partitions, or none; the owner of the seat is the active tracker.
        case assigned(hasSeat: Bool)
        /// It is the active tracker no more.
        case unseated
        /// Reading ended by an error.
        case failed(any Error)
    }

    // MARK: Reading

    /// Has a thread read while `body` tells it what, and ends the thread.
    private nonisolated(nonsending) func read(
        until body: (TrackerControl, KafkaAdmin) async throws -> Void
    ) async throws {
        let kafka = try await kafka.detectingEmbeddedBroker()
        let control = try TrackerControl()
        let admin = try KafkaAdmin(kafka)
        try TrackerLoop.start(control, store, kafka, namespace: namespace, retention, notify)
        do {
            try await body(control, admin)
        } catch {
            control.stop()
            // An error of the thread's own is the cause of what its owner met.
            try await control.ended()
            throw error
        }
        control.stop()
        try await control.ended()
    }

    /// Reads the registry to its end, then everything that it names, until nothing more is named.
    private nonisolated(nonsending) func discoverAndCatchUp(
        _ control: TrackerControl, _ admin: KafkaAdmin
    ) async throws {
        let all = try await admin.describeTopics()
        if let services = try all[SystemTopics(namespace: namespace).services]?.get() {
            try await catchUp(Set(services.topicPartitions), control, admin)
        }
        var read: Set<TopicPartition> = []
        while true {
            let wanted = try await partitions(admin)
            if wanted.isSubset(of: read) { break }
            try await catchUp(wanted.subtracting(read), control, admin)
            read.formUnion(wanted)
        }
        var asked: [String: Int64] = [:]
        try await noteLags(admin, &asked)
    }

    /// How long the ends of partitions are asked for: a partition without a leader delays the start by as much, and one
    /// whose broker is slower is read later, without being waited for.
    private static let patience = Duration.seconds(10)

    /// Reads partitions to the ends they have now.
    private nonisolated(nonsending) func catchUp(
        _ partitions: Set<TopicPartition>, _ control: TrackerControl, _ admin: KafkaAdmin
    ) async throws {
        var ends: [TopicPartition: Int64] = [:]
        var unreadable: [TopicPartition: KafkaError] = [:]
        for (partition, marks) in try await admin.watermarks(of: Array(partitions), within: Self.patience) {
            switch marks {
            case .success(let marks): ends[partition] = marks.high
            case .failure(let error): unreadable[partition] = error
            }
        }
        try await control.catchUp(to: ends, unreadable: unreadable)
    }

    /// Reads what is named from now on; looks for new topics and partitions, and for the lag of groups without members.
    private nonisolated(nonsending) func goOn(_ control: TrackerControl, _ admin: KafkaAdmin) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await control.ended() }
            group.addTask {
                for await _ in control.registryChanges {
                    // A broker that does not answer now is asked again.
                    if let wanted = try? await partitions(admin) { control.read(wanted) }
                    // Heartbeats are many: the next look is due a moment later.
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
            group.addTask {
                var asked: [String: Int64] = [:]
                while true {
                    try await Task.sleep(for: .seconds(5))
                    if let wanted = try? await partitions(admin) { control.read(wanted) }
                    try await noteLags(admin, &asked)
                }
            }
            defer { group.cancelAll() }
            try await withTaskCancellationHandler {
                _ = try await group.next()
            } onCancel: {
                control.stop()
            }
        }
        try Task.checkCancellation()
    }

    /// The partitions of the system topics and of every topic that a declaration names or that was read before.
    private nonisolated(nonsending) func partitions(_ admin: KafkaAdmin) async throws -> Set<TopicPartition> {
        let system = SystemTopics(namespace: namespace)
        var names = Set(try store.positions().map(\.topic))
        names.formUnion([system.services, system.tasks])
        for entry in try store.services(at: wallMilliseconds()) {
            for declaration in entry.declarations.map(\.declaration) {
                names.formUnion(declaration.routes.map(\.topic))
                names.formUnion(declaration.events.map(\.topic))
            }
        }
        return try await admin.describeTopics().reduce(into: []) { partitions, topic in
            if names.contains(topic.key), let description = try? topic.value.get() {
                partitions.formUnion(description.topicPartitions)
            }
        }
    }

    /// Asks the broker for the lag of groups that have no instance to say it, the rarer the longer nobody said anything.
    ///
    /// - Parameter asked: When each service was asked for last, in milliseconds since 1970.
    private nonisolated(nonsending) func noteLags(_ admin: KafkaAdmin, _ asked: inout [String: Int64]) async throws {
        let now = wallMilliseconds()
        let silent = try store.services(at: now).filter { $0.liveCount == 0 }
        for entry in silent where asked[entry.name].map({ $0 <= now - Self.lagInterval(of: entry, at: now) }) ?? true {
            asked[entry.name] = now
            guard let group = entry.declarations.first?.declaration.group, !group.isEmpty,
                let partitions = try? await admin.lag(ofGroup: group), !partitions.isEmpty
            else { continue }
            let lag = partitions.reduce(0) { $0 + Int(clamping: $1.lag) }
            if lag == entry.lag { continue }
            do {
                try FlowWriter(store, namespace: namespace).setLag(lag, of: entry.name, at: wallMilliseconds())
            } catch let error as SQLiteError where error.code.primary == .busy {
                continue
            }
        }
        let names = Set(silent.map(\.name))
        asked = asked.filter { names.contains($0.key) }
    }

    /// How long the lag of a service without live instances holds, in milliseconds: it is asked of a client of its own.
    ///
    /// Every look in the first minutes, every minute after an hour of silence, every five minutes after five.
    static func lagInterval(of service: ServiceEntry, at now: Int64) -> Int64 {
        min(max(0, now.subtractingSaturated(service.lastSeen)) / 60, 300_000)
    }
}

extension KafkaError {
    /// Whether the brokers refuse what the credentials, or the rights that go with them, do not allow.
    fileprivate var isOfRights: Bool {
        [.authenticationFailed, .topicAuthorizationFailed, .groupAuthorizationFailed].contains(code)
    }
}

extension KafkaError.Code {
    /// Kafka's error GROUP_AUTHORIZATION_FAILED.
    static let groupAuthorizationFailed = KafkaError.Code(rawValue: 30)
}
