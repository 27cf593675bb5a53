// Sends letters back to the service that failed, and notes that they were sent.

import Foundation
import KafkaClient
import Troupe

/// Sends what a plan says.
struct LetterReplay: Sendable {
    let cluster: Cluster
    let log: ReplayLog

    /// A producer whose batches fit into the topics: a batch above a topic's limit is refused with every record in it.
    private func producer(for topics: Set<String>) async throws -> KafkaProducer {
        var configuration = cluster.configuration
        if !cluster.isEmbeddedBroker, configuration.properties["batch.size"] == nil {
            // Without the right to describe configurations the broker's usual limit is assumed.
            let limits = try await KafkaAdmin(configuration).describeConfigurations(ofTopics: topics.sorted()).values
                .compactMap { try? $0.get()["max.message.bytes"]?.value.flatMap { Int($0) } }
            if let limit = limits.min(), limit < KafkaLimits.batchBytes {
                configuration.properties["batch.size"] = String(max(limit, 1))
            }
            // A letter may be as large as its topic takes.
            let largest = max(configuration.maxMessageBytes ?? KafkaLimits.maxMessageBytes, limits.max() ?? 0)
            configuration.maxMessageBytes = min(largest, KafkaLimits.largestMessageBytes)
        }
        return try KafkaProducer(configuration)
    }

    /// Sends letters and notes them, some hundreds at a time.
    func send(_ letters: [ReplayPlan.Item]) async throws {
        guard !letters.isEmpty else { return }
        try await log.prepare()
        let topics = try await cluster.topics()
        let producer = try await producer(for: Set(letters.map(\.record.topic)))
        do {
            var rest = letters[...]
            while !rest.isEmpty {
                try Task.checkCancellation()
                let batch = rest.prefix(500)
                rest = rest.dropFirst(500)
                try await producer.send(
                    contentsOf: batch.map { item in
                        // The retry topic may have fewer partitions than the topic of origin has.
                        var record = item.record
                        if let retryTopic = topics[record.topic] {
                            record.wrapPartition(count: Int32(retryTopic.partitions.count))
                        }
                        return record.message
                    })
                let now = Int64(Date().timeIntervalSince1970 * 1_000)
                try await log.write(
                    batch.map {
                        ReplayMark(letter: "\($0.letter.place)", writtenAt: $0.letter.writtenAt, replayedAt: now)
                    }, by: producer)
            }
        } catch {
            await producer.shutdown()
            throw error
        }
        await producer.shutdown()
    }
}
