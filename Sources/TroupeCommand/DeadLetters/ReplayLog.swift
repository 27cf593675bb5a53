// Remembers which letters were sent again, so that nobody does it twice without knowing.

import Foundation
import KafkaClient
import Troupe

/// A note that a letter was sent again.
struct ReplayMark: Codable, Sendable, Hashable {
    /// Where the letter lies: topic/partition/offset.
    var letter: String
    /// When the letter was written, in milliseconds since 1970: tells it from the letter at the same place in a topic
    /// that was deleted and made anew.
    var writtenAt: Int64
    /// When it was sent again, in milliseconds since 1970.
    var replayedAt: Int64
}

/// The marks, in the compacted topic `troupe.replays`, keyed by the letter's place.
///
/// Why a topic of its own: the letters stay in the dead-letter topic for ever, and so must the marks. Offsets of a
/// consumer group expire and cannot leave out the letters in between; the retry topic's records are deleted after a
/// while; and records in the dead-letter topic itself would look like letters to other readers.
struct ReplayLog: Sendable {
    private let cluster: Cluster
    private let topic: String

    init(_ cluster: Cluster) {
        self.cluster = cluster
        topic = cluster.namespace + "troupe.replays"
    }

    /// The marks by letter; none when nothing was ever sent again.
    func read() async throws -> [String: ReplayMark] {
        guard let description = try await cluster.topics()[topic] else { return [:] }
        let watermarks = try await cluster.watermarks(of: description.topicPartitions)
        let marks = Collected<ReplayMark>()
        try await TopicReader(cluster).read(watermarks.mapValues { $0.low..<$0.high }) { record in
            if let value = record.value, let mark = try? JSONDecoder().decode(ReplayMark.self, from: Data(value)) {
                marks.append(mark)
            }
            return .goOn
        }
        return Dictionary(marks.all.map { ($0.letter, $0) }) { a, b in a.replayedAt >= b.replayedAt ? a : b }
    }

    /// Makes the topic where it is missing.
    func prepare() async throws {
        let admin = try KafkaAdmin(cluster.configuration)
        let topic =
            cluster.isEmbeddedBroker
            ? NewTopic(topic)
            : NewTopic(topic, partitions: 1, configuration: ["cleanup.policy": "compact", "retention.ms": "-1"])
        do {
            try await admin.createTopic(topic)
        } catch let error as KafkaError where error.code == .topicAlreadyExists {}
    }

    /// Writes marks and waits until they are acknowledged.
    func write(_ marks: [ReplayMark], by producer: KafkaProducer) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try await producer.send(
            contentsOf: try marks.map {
                KafkaMessage(topic: topic, key: Array($0.letter.utf8), value: Array(try encoder.encode($0)))
            })
    }
}

extension [String: ReplayMark] {
    /// The mark of a letter; `nil` when the letter was never sent again.
    func mark(of letter: DeadLetter) -> ReplayMark? {
        guard let mark = self[letter.place.description], mark.writtenAt == letter.writtenAt else { return nil }
        return mark
    }
}
