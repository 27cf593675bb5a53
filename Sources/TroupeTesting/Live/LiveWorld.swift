// A world on a broker: the real engine, watched by the journal, and a client that gives and reads records.

import KafkaClient
import Synchronization
import Troupe

/// A world on a broker.
///
/// What is settled is known exactly, without guessing by time: the journal says what every service sent for every
/// record it read, and the client says what arrived. Everything is settled when every record of an input or retry topic
/// was read and is done or waits, and everything that was sent has arrived.
final class LiveWorld: WorldBackend {
    let processors: [RecordProcessor]
    let journal: Journal
    let namespace: String
    private let environment: TestEnvironment
    private let cluster: LiveCluster
    private let client: LiveClient
    private let services: RunningServices

    init(_ services: [EventService], environment: TestEnvironment) async throws {
        self.environment = environment
        let namespace = "test-\(String(UInt64.random(in: .min ... .max), radix: 36))."
        self.namespace = namespace
        let journal = Journal { WallClock.milliseconds() }
        self.journal = journal
        let cluster = try await LiveCluster(environment, services.first?.configuration ?? ServiceConfiguration())
        self.cluster = cluster
        let logger = Logger(label: "test", level: .critical, handler: SilentLogHandler())
        let copies = try services.map { service in
            var configuration = service.configuration
            configuration.kafka = try cluster.configuration(for: configuration)
            configuration.environment = [:]
            configuration.namespace = namespace
            configuration.provisioning = .create
            configuration.tracking = .off
            configuration.logger = configuration.logger ?? logger
            configuration.observer = journal
            return EventService(service.name, router: service.router, configuration: configuration)
        }
        processors = try copies.map { service in
            try RecordProcessor(
                service: service.name, router: service.router,
                settings: service.configuration.processorSettings(
                    logger: logger, maxMessageBytes: KafkaLimits.maxMessageBytes))
        }
        try await cluster.makeTopics(of: processors, partitions: environment.partitions)
        self.services = RunningServices(copies)
        do {
            try await self.services.awaitRunning(within: environment)
            client = try await LiveClient(cluster.clientConfiguration, topics: LiveCluster.topics(of: processors))
        } catch {
            await self.services.stop(atOnce: true)
            await cluster.clean(processors)
            throw error
        }
    }

    var now: Int64 { WallClock.milliseconds() }

    func give(_ message: PackedMessage) async throws -> KafkaRecord { try await client.give(message) }

    func settle() async throws -> [WorldRecord] {
        let deadline = ContinuousClock.now + environment.timeout
        while true {
            try services.check()
            let start = ContinuousClock.now
            let (records, unread) = try client.records()
            let underWay = unread.map { "\($0) was given and has not been read back" } + underWay(records)
            if underWay.isEmpty {
                return records.sorted { $0.record.timestamp.milliseconds < $1.record.timestamp.milliseconds }
            }
            guard start < deadline else {
                throw TestTimedOut(timeout: environment.timeout, environment: environment, underWay: underWay)
            }
            // Looking costs time with the number of records: look for a tenth of the time at most.
            try await Task.sleep(for: max(.milliseconds(5), (ContinuousClock.now - start) * 9))
        }
    }

    func advance(by duration: Duration) async throws {
        _ = try await settle()
        guard duration > .zero else { return }
        // Times in records are in whole milliseconds, rounded up.
        try await Task.sleep(for: duration + .milliseconds(2))
        _ = try await settle()
    }

    func crash(_ service: String?) throws { throw NotSimulated(operation: "crash") }

    func close(atOnce: Bool) async throws {
        await services.stop(atOnce: atOnce)
        client.stop()
        await cluster.clean(processors)
        try services.check()
    }

    // MARK: What is settled

    /// What is not settled, a line each, at most twenty.
    private func underWay(_ records: [WorldRecord]) -> [String] {
        let entries = journal.entries
        let now = now
        var lines: [String] = []
        var missing: [Journal.Message: Int] = [:]
        for entry in entries.values {
            for message in entry.sent { missing[message, default: 0] += 1 }
        }
        for entry in records where !entry.isGiven { missing[Journal.message(entry.record)]? -= 1 }
        for (message, count) in missing where count > 0 {
            lines.append("\(message.identity) was published to \(message.topic) and has not arrived")
        }
        for processor in processors {
            let topics = Set(processor.inputTopics + processor.retryTopics)
            var held: Set<Lane> = []
            for entry in records where topics.contains(entry.record.topic) {
                let record = entry.record
                let lane = Lane(record)
                let place = Journal.Place(service: processor.service, record)
                let what = "\(processor.service): \(record.topicPartition) offset \(record.offset)"
                switch entries[place]?.stage {
                case .done: continue
                case .running(let since):
                    let (route, attempt) = (entries[place]?.route ?? "", entries[place]?.attempt ?? 0)
                    lines.append("\(what), attempt \(attempt): the handler of \(route) has run for \(now - since) ms")
                case .waiting(let waiting):
                    if waiting.due > now { held.insert(lane) } else { lines.append("\(what): its retry is due") }
                case .read, nil:
                    if held.contains(lane) { continue }
                    if let notBefore = processor.notBefore(of: record), notBefore > now {
                        held.insert(lane)
                    } else {
                        lines.append("\(what): \(entries[place] == nil ? "not read yet" : "not handled yet")")
                    }
                }
            }
        }
        return Array(lines.prefix(20))
    }

    /// The records that are handled one after the other.
    private struct Lane: Hashable {
        let partition: TopicPartition
        let key: [UInt8]?
        let offset: Int64

        init(_ record: KafkaRecord) {
            partition = record.topicPartition
            key = record.key.map { Array($0) }
            offset = key == nil ? record.offset : -1
        }
    }
}
