// Reads the event topics for a gateway: all partitions, without a group, from their end on.

import KafkaClient
import Synchronization
import Troupe
import TroupeFlow

/// What a gateway reads, and from where.
struct FlowReaderSettings: Sendable {
    var kafka: KafkaConfiguration
    /// The broker's names of topics that are known to carry the flows' events.
    var topics: Set<String>
    /// The topics on which services declare themselves; `nil` to learn nothing from them.
    var declarations: SystemTopics?
    /// Which events end a flow where no service says so.
    var endings: [String: FlowEnding] = [:]
    /// How many of each partition's last records are read at the beginning.
    var lookback: Int64
    var logger: Logger
}

/// Reads the event topics and the services' declarations, and tells the follower.
///
/// Every gateway reads everything, and none commits: each knows every flow, whoever started it.
final class FlowReader: Sendable {
    private struct State {
        var topics: Set<String>
        /// What the services have declared.
        var registry = ServiceRegistry()
        /// The next offset to take of each partition that is read.
        var next: [TopicPartition: Int64] = [:]
        /// Where the declarations ended when the gateway started: what they say is known before it is ready.
        var declared: [TopicPartition: Int64] = [:]
        /// What cannot be followed for now, which is told once: a topic, or a partition as `topic/partition`.
        var missed: Set<String> = []
        var consumer: KafkaConsumer?
        var isStopping = false
    }

    /// Where a partition is read from, and where it ended when that was looked up.
    private struct Place {
        var start: Int64
        var end: Int64
    }

    /// How often it is looked for topics and partitions that are new.
    private static let interval = Duration.seconds(3)
    /// How long an instance is remembered after its last word, in milliseconds.
    private static let instanceMemory: Int64 = 7 * 86_400_000

    private let settings: FlowReaderSettings
    /// Says when it is time to look for topics and partitions.
    private let looks: AsyncStream<Void>
    private let look: AsyncStream<Void>.Continuation
    private let follower: FlowFollower
    private let admin: KafkaAdmin
    private let state: Mutex<State>
    private let tasks = Mutex<[Task<Void, Never>]>([])

    init(_ settings: FlowReaderSettings, _ follower: FlowFollower) throws {
        self.settings = settings
        self.follower = follower
        (looks, look) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        admin = try KafkaAdmin(settings.kafka)
        state = Mutex(State(topics: settings.topics))
    }

    /// Begins to read; returns when what the services declare is known, and every partition's place.
    ///
    /// - Throws: `KafkaError` when the broker cannot be asked.
    func start() async throws {
        if let declarations = settings.declarations {
            let places = try await places([declarations.services: .max])
            state.withLock { $0.declared = places.mapValues(\.end) }
            try await read(also: places.mapValues(\.start))
        }
        tasks.withLock { $0.append(Task { await self.takeRecords() }) }
        let deadline = ContinuousClock.now + .seconds(5)
        while !state.withLock({ state in state.declared.allSatisfy { state.next[$0.key] ?? 0 >= $0.value } }) {
            guard ContinuousClock.now < deadline else {
                settings.logger.warning("The services' declarations cannot be read in time; the gateway starts without")
                break
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        learn()
        try await refresh()
        tasks.withLock {
            $0.append(
                Task {
                    while (try? await Task.sleep(for: Self.interval)) != nil { self.look.yield() }
                })
            // One at a time.
            $0.append(
                Task {
                    for await _ in self.looks {
                        // Which declarations hold may change without a word: when an instance falls silent.
                        self.learn()
                        do { try await self.refresh() } catch {
                            self.settings.logger.debug(
                                "No topics could be looked up", metadata: [LogKey.error: "\(error)"])
                        }
                    }
                })
        }
    }

    /// Ends the reading.
    func stop() async {
        let consumer = state.withLock { state in
            state.isStopping = true
            return state.consumer
        }
        for task in tasks.withLock({ $0 }) { task.cancel() }
        await consumer?.close(within: .seconds(5))
        for task in tasks.withLock({ $0 }) { await task.value }
    }

    // MARK: Partitions

    /// Begins to read what has come: topics that somebody declared, partitions that were added.
    func refresh() async throws {
        var lookbacks = state.withLock { $0.topics }.reduce(into: [:]) { $0[$1] = settings.lookback }
        if let declarations = settings.declarations { lookbacks[declarations.services] = .max }
        try await read(also: places(lookbacks).mapValues(\.start))
    }

    /// Where to begin with each partition that is not read yet, so many records before its end; those that cannot be
    /// read now are left out, and looked for again the next time.
    private func places(_ lookbacks: [String: Int64]) async throws -> [TopicPartition: Place] {
        guard !lookbacks.isEmpty else { return [:] }
        let known = state.withLock { Set($0.next.keys) }
        var partitions: [TopicPartition] = []
        for (topic, result) in try await admin.describeTopics(Array(lookbacks.keys)) {
            switch result {
            case .success(let description):
                note(topic, nil)
                for partition in description.partitions {
                    let name = TopicPartition(topic, partition.id)
                    guard !known.contains(name) else { continue }
                    // To ask for its end would only take until the time-out, and the others' with it.
                    if partition.leader == nil {
                        note(topic, partition.id, "it has no leader")
                    } else {
                        partitions.append(name)
                    }
                }
            case .failure(let error) where error.code == .unknownTopicOrPartition: continue
            case .failure(let error): note(topic, nil, "\(error)")
            }
        }
        guard !partitions.isEmpty else { return [:] }
        var places: [TopicPartition: Place] = [:]
        for (partition, result) in try await admin.watermarks(of: partitions) {
            switch result {
            case .success(let marks):
                note(partition.topic, partition.partition)
                let lookback = min(lookbacks[partition.topic] ?? 0, marks.high)
                places[partition] = Place(start: max(marks.low, marks.high - lookback), end: marks.high)
            case .failure(let error): note(partition.topic, partition.partition, "\(error)")
            }
        }
        return places
    }

    /// Notes whether a topic or a partition can be followed, and tells the first time that it cannot.
    private func note(_ topic: String, _ partition: Int32?, _ error: String? = nil) {
        let name = partition.map { "\(topic)/\($0)" } ?? topic
        let isNews = state.withLock { error == nil ? $0.missed.remove(name) != nil : $0.missed.insert(name).inserted }
        guard isNews, let error else { return }
        var metadata = [LogKey.topic: topic, LogKey.error: error]
        metadata[LogKey.partition] = partition.map { "\($0)" }
        settings.logger.warning(
            "It cannot be followed for now: flows whose events are there seem to stand still; it is looked for again",
            metadata: metadata)
    }

    /// Reads more partitions beside those that are read.
    private func read(also starts: [TopicPartition: Int64]) async throws {
        guard !starts.isEmpty else { return }
        let added = state.withLock { state in
            let added = starts.filter { state.next[$0.key] == nil }
            state.next.merge(added) { old, _ in old }
            return added
        }
        guard !added.isEmpty else { return }
        do {
            try await assign()
        } catch {
            // They are not read: the next look finds them again.
            state.withLock { state in for partition in added.keys { state.next[partition] = nil } }
            throw error
        }
        settings.logger.debug(
            "Following", metadata: [LogKey.partitions: starts.keys.sorted().map { "\($0)" }.joined(separator: " ")])
    }

    /// Has the consumer read every partition from its place on.
    private func assign() async throws {
        var all = state.withLock { $0.next }
        guard let consumer = state.withLock({ $0.consumer }) else { return try open(all.mapValues { .offset($0) }) }
        while true {
            try await consumer.assign(all.mapValues { .offset($0) })
            // Somebody may have added more meanwhile, and been quicker: the last assignment has to have all of them.
            let assigned = Set(all.keys)
            all = state.withLock { $0.next }
            if Set(all.keys) == assigned { return }
        }
    }

    private func open(_ starts: [TopicPartition: StartingPoint]) throws {
        var kafka = settings.kafka
        // An offset that is gone is that of events which nobody waits for any more.
        kafka.offsetReset = .earliest
        let consumer = try KafkaConsumer(kafka, .partitions(starts))
        state.withLock { $0.consumer = consumer }
    }

    // MARK: Records

    private func takeRecords() async {
        while !Task.isCancelled, !state.withLock({ $0.isStopping }) {
            guard let consumer = state.withLock({ $0.consumer }) else {
                try? await Task.sleep(for: .milliseconds(20))
                continue
            }
            do {
                for try await batch in consumer.batches {
                    await noteRestarts(batch)
                    take(batch)
                }
            } catch {
                settings.logger.error("Reading broke off; it begins again", metadata: [LogKey.error: "\(error)"])
            }
            guard !Task.isCancelled, !state.withLock({ $0.isStopping }) else { return }
            // It ends by itself only when librdkafka says that it cannot go on: another one goes on from here.
            await consumer.close(within: .seconds(1))
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
            do {
                try open(state.withLock { $0.next.mapValues { .offset($0) } })
            } catch {
                settings.logger.error("Reading cannot begin again", metadata: [LogKey.error: "\(error)"])
            }
        }
    }

    /// Finds partitions that end before what was taken of them: their topics were made anew, and all of theirs is taken.
    private func noteRestarts(_ batch: [KafkaRecord]) async {
        // Beside those, what was in hand while partitions were added comes again.
        let suspects = state.withLock { state in
            Set(batch.filter { $0.offset < state.next[$0.topicPartition] ?? 0 }.map(\.topicPartition))
        }
        guard !suspects.isEmpty, let marks = try? await admin.watermarks(of: Array(suspects)) else { return }
        for (partition, result) in marks {
            guard let end = try? result.get().high else { continue }
            let isAnew = state.withLock { state in
                guard end < state.next[partition] ?? 0 else { return false }
                state.next[partition] = 0
                return true
            }
            if isAnew {
                settings.logger.warning(
                    "The partition went back: its topic was made anew, or the broker lost its end; all of it is read",
                    metadata: [LogKey.topic: partition.topic, LogKey.partition: "\(partition.partition)"])
            }
        }
    }

    private func take(_ batch: [KafkaRecord]) {
        var hasNews = false
        for record in batch {
            let isNew = state.withLock { state in
                // What was in hand while partitions were added comes again.
                guard record.offset >= state.next[record.topicPartition] ?? 0 else { return false }
                state.next[record.topicPartition] = record.offset + 1
                if let topics = settings.declarations, record.topic == topics.services {
                    state.registry.take(record, topics)
                }
                return true
            }
            guard isNew else { continue }
            if record.topic == settings.declarations?.services {
                hasNews = true
            } else if let event = FlowEvent(record) {
                if hasNews { learn() }
                hasNews = false
                follower.add(event)
            }
        }
        if hasNews { learn() }
    }

    /// Goes by the declarations that hold now.
    private func learn() {
        guard settings.declarations != nil else { return }
        let now = EngineClock.wallMilliseconds
        let (endings, isNew) = state.withLock { state in
            state.registry.forgetInstances(before: now - Self.instanceMemory)
            let topics = state.registry.publishedTopics(at: now)
            let isNew = !topics.isSubset(of: state.topics)
            state.topics.formUnion(topics)
            return (state.registry.endings(at: now), isNew)
        }
        follower.learn(settings.endings.merging(endings) { _, declared in declared })
        // The first events on a topic may be on their way: not at the next interval.
        if isNew { look.yield() }
    }
}
