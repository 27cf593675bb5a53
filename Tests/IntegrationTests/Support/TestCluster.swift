// The cluster the integration tests run on: a real Kafka where the environment names one, else the embedded broker.

import Foundation
import KafkaClient
import Synchronization
import Testing
import Troupe

/// The cluster of this run.
enum TestCluster {
    private static let kafkaServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""
    private static let broker = Result { try EmbeddedBroker() }

    /// Whether a real Kafka is named.
    static var isKafka: Bool { !kafkaServers.isEmpty }

    /// Why a test is skipped on the embedded broker.
    static let needsKafka: Comment = "needs a real Kafka: set KAFKA_BOOTSTRAP_SERVERS"

    /// How long a condition is waited for: `TROUPE_TEST_WAIT` seconds, or two minutes and a half.
    ///
    /// On the embedded broker two rebalances may be part of it, and a machine that holds threads up for seconds.
    static let patience = Duration.seconds(
        ProcessInfo.processInfo.environment["TROUPE_TEST_WAIT"].flatMap { Int($0) } ?? 150)

    /// How long a member on the embedded broker may be silent before it loses its place.
    ///
    /// Long enough for one that is held up; each rebalance takes a second less, but for the group's first.
    static let sessionTimeout = Duration.seconds(8)

    /// A configuration for clients of the cluster.
    static var configuration: KafkaConfiguration {
        get throws {
            guard isKafka else { return try broker.get().configuration }
            var configuration = KafkaConfiguration(bootstrapServers: kafkaServers)
            configuration.isEmbeddedBroker = false
            return configuration
        }
    }

    /// Makes a topic.
    static func makeTopic(_ name: String, partitions: Int) async throws {
        if isKafka {
            try await KafkaAdmin(configuration).createTopic(NewTopic(name, partitions: partitions))
        } else {
            try broker.get().createTopic(name, partitions: partitions)
        }
    }

    /// Part of a name that no other test uses.
    static func uniquePart() -> String { String(UInt64.random(in: 0...UInt64.max), radix: 36) }

    /// Runs blocking work on a thread of its own: Dispatch's are those that Swift's tasks run on, one a core.
    static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try startThread(named: "test-blocking") { continuation.resume(with: Result { try body() }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// Produces messages and waits until all are acknowledged.
    static func produce(_ messages: [KafkaMessage]) async throws {
        let properties = try configuration.librdkafkaProperties(for: .producer)
        try await blocking {
            let waker = try Waker()
            let producer = try ProducerQueue(properties: properties, waker: waker)
            var failures: [KafkaError] = []
            func drain() {
                _ = producer.drain { if let error = $0.error { failures.append(error) } }
            }
            for message in messages {
                let packed = PackedMessage(message)
                while case .full = producer.enqueue(packed, opaque: 0) { drain() }
            }
            while producer.outstanding > 0 {
                waker.prepareToSleep()
                if producer.isEmpty { waker.sleep(milliseconds: 100) } else { waker.cancelSleep() }
                drain()
            }
            if let failure = failures.first { throw failure }
        }
    }

    /// Reads a topic from its beginning until `isEnough` says so of what was read.
    ///
    /// - Throws: `TimedOut` with what was read when that takes longer than `timeout`.
    static func read(
        _ topic: String, within timeout: Duration = patience,
        until isEnough: @escaping @Sendable ([KafkaRecord]) -> Bool
    ) async throws -> [KafkaRecord] {
        let admin = try KafkaAdmin(configuration)
        let properties = try configuration.librdkafkaProperties(for: .consumer(group: nil))
        let deadline = ContinuousClock.now + timeout
        var description: TopicDescription?
        while description == nil {
            // A topic that the service has yet to make is waited for.
            description = try? await admin.describeTopics([topic])[topic]?.get()
            if ContinuousClock.now > deadline { throw TimedOut(topic: topic, count: 0) }
        }
        let partitions = try #require(description).topicPartitions
        return try await blocking {
            let waker = try Waker()
            let consumer = try PolledConsumer(properties: properties, waker: waker)
            let queues = try consumer.assign(partitions.map { CommittedOffset($0, offset: 0) })
            var records: [KafkaRecord] = []
            while !isEnough(records) {
                guard ContinuousClock.now < deadline else { throw TimedOut(topic: topic, count: records.count) }
                var progress = false
                while consumer.nextEvent() != nil { progress = true }
                for queue in queues {
                    while case .record(let record) = queue.poll() {
                        records.append(record)
                        progress = true
                    }
                }
                if !progress {
                    waker.prepareToSleep()
                    waker.sleep(milliseconds: 20)
                }
            }
            return records
        }
    }

    /// Reads all committed records of a topic, to the end it has now.
    ///
    /// A commit is decided some milliseconds before its markers are written, more on a busy machine; until then readers of
    /// committed records end before it, so they read again. The end is one for readers of everything: the one that
    /// `KafkaAdmin.watermarks` tells is before what is open.
    ///
    /// - Throws: `TimedOut` when a transaction stays open for longer than `timeout`.
    static func readAll(_ topic: String, within timeout: Duration = patience) async throws -> [KafkaRecord] {
        let admin = try KafkaAdmin(configuration)
        let partitions = try #require(try await admin.describeTopics([topic])[topic]).get().topicPartitions
        let everything = try configuration.librdkafkaProperties(for: .tailReader(.readUncommitted))
        let committed = try configuration.librdkafkaProperties(for: .tailReader(.readCommitted))
        let deadline = ContinuousClock.now + timeout
        return try await blocking {
            let ends = try readToEnd(of: partitions, everything).ends
            while true {
                let (records, reached) = try readToEnd(of: partitions, committed)
                if ends.allSatisfy({ reached[$0.key] ?? 0 >= $0.value }) { return records }
                guard ContinuousClock.now < deadline else { throw TimedOut(topic: topic, count: records.count) }
            }
        }
    }

    /// Reads partitions from their beginning to the end there is for a reader of these properties.
    ///
    /// Blocks.
    private static func readToEnd(
        of partitions: [TopicPartition], _ properties: [(String, String)]
    ) throws -> (records: [KafkaRecord], ends: [TopicPartition: Int64]) {
        let waker = try Waker()
        let reader = try TailReader(properties: properties, waker: waker)
        try reader.read(from: Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) }))
        var records: [KafkaRecord] = []
        var ends: [TopicPartition: Int64] = [:]
        while !reader.partitions.isEmpty {
            let count = reader.drain { event in
                switch event {
                case .record(let record): records.append(record)
                case .end(let place, let offset): ends[place] = offset
                case .failed: break
                }
            }
            if count > 0 { continue }
            waker.prepareToSleep()
            if reader.isEmpty { waker.sleep(milliseconds: 100) } else { waker.cancelSleep() }
        }
        return (records, ends)
    }

    /// Reads a topic until it has given `count` records.
    static func read(_ topic: String, count: Int, within timeout: Duration = patience) async throws -> [KafkaRecord] {
        try await read(topic, within: timeout) { $0.count >= count }
    }
}

/// A topic did not give what was waited for in time.
struct TimedOut: Error {
    var topic: String
    var count: Int
}

/// Waits until `condition` holds, looking every few milliseconds; records an issue when it does not in time.
func wait(
    for what: Comment, within timeout: Duration = TestCluster.patience,
    sourceLocation: SourceLocation = #_sourceLocation,
    until condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + timeout
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record("Timed out waiting for \(what)", sourceLocation: sourceLocation)
            throw TimedOut(topic: "\(what)", count: 0)
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

extension ServiceConfiguration {
    /// Keeps a busy machine out of a test's outcome: on the embedded broker a member that is silent for less than
    /// `TestCluster.sessionTimeout` keeps its place, and a stop in order has the time to end, commit and report what is
    /// under way.
    mutating func bearHoldUps() {
        if kafka.isEmbeddedBroker == true { kafka.sessionTimeout = TestCluster.sessionTimeout }
        engine.drainTimeout = .seconds(60)
        engine.closeTimeout = .seconds(60)
        tracking.acknowledgementTimeout = .seconds(60)
    }
}

/// Runs a service around `body` and stops it in order afterwards; returns how long the stop took.
@discardableResult
func withService(
    _ service: EventService, _ body: () async throws -> Void
) async throws -> Duration {
    let running = Task { try await service.run() }
    do {
        try await body()
    } catch {
        running.cancel()
        _ = await running.result
        throw error
    }
    let begin = ContinuousClock.now
    running.cancel()
    try await running.value
    return ContinuousClock.now - begin
}
