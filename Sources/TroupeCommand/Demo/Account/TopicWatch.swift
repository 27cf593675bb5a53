// Follows the demo's topics with a reader of its own, and keeps what the account needs.

import DemoEvents
import Foundation
import KafkaClient
import Synchronization
import Troupe

/// What was read from the topics so far.
final class TopicWatch: Sendable {
    private struct State {
        var evidence = TopicEvidence()
        /// The next offset to read of each partition.
        var positions: [TopicPartition: Int64] = [:]
        var settled: Set<String> = []
        var lettered: Set<String> = []
    }

    private let state = Mutex(State())

    /// Reads `partitions` from their beginning until the task is cancelled.
    func follow(_ partitions: [TopicPartition], in cluster: Cluster) async throws {
        let ranges = Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0..<endless) })
        try await TopicReader(cluster).read(
            ranges, end: { place, offset in self.state.withLock { $0.positions[place] = offset } },
            each: { record in
                self.take(record)
                return .goOn
            })
    }

    private func take(_ record: KafkaRecord) {
        let isLetter = record.topic.hasSuffix(DeadLetter.topicSuffix)
        let letter = isLetter ? DeadLetter(record) : nil
        let key = record.key?.text ?? ""
        let type = record.header("ce_type") ?? ""
        let id = record.header("ce_id") ?? ""
        state.withLock { state in
            state.positions[record.topicPartition] = record.offset + 1
            if let letter {
                state.evidence.letters.append(
                    TopicEvidence.Letter(
                        place: "\(letter.place)", service: letter.service, order: key,
                        replayCount: letter.headers.replayCount ?? 0))
                state.settled.insert(key)
                state.lettered.insert(key)
            } else {
                state.evidence.see(type, order: key, eventID: id, time: record.timestamp.milliseconds)
                if Self.endings.contains(type) { state.settled.insert(key) }
            }
        }
    }

    /// What was read so far.
    var evidence: TopicEvidence { state.withLock { $0.evidence } }

    /// Whether everything before these offsets was read.
    func hasReached(_ ends: [TopicPartition: Int64]) -> Bool {
        state.withLock { state in ends.allSatisfy { state.positions[$0.key, default: 0] >= $0.value } }
    }

    /// The orders of which the end is known, be it a letter.
    var settled: Set<String> { state.withLock { $0.settled } }

    private static let endings: Set = ["\(ParcelDispatched.type)", "\(OrderCancelled.type)"]

    /// How many orders were placed, shipped, cancelled and dead-lettered so far.
    var progress: (placed: Int, shipped: Int, cancelled: Int, lettered: Int) {
        state.withLock { state in
            func count(_ type: EventType) -> Int { state.evidence.sightings["\(type)"]?.count ?? 0 }
            return (
                count(OrderPlaced.type), count(ParcelDispatched.type), count(OrderCancelled.type), state.lettered.count
            )
        }
    }
}
