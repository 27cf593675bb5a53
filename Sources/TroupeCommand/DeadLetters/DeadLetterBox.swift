// Reads the dead-letter topics of a cluster, up to what was in them when the reading began.

import Foundation
import KafkaClient
import Synchronization
import Troupe

/// Values collected by the closures of a reader.
final class Collected<Element: Sendable>: Sendable {
    private let values = Mutex<[Element]>([])

    var all: [Element] { values.withLock { $0 } }
    func append(_ element: Element) { values.withLock { $0.append(element) } }
}

/// The dead-letter topics of a cluster.
struct DeadLetterBox: Sendable {
    let cluster: Cluster

    /// The letters that are there now and match, by topic and partition in the order of their offsets; letters that
    /// come while they are read are left out.
    func letters(matching filter: LetterFilter) async throws -> [DeadLetter] {
        let topics = try await cluster.topics().values.filter { $0.name.hasSuffix(DeadLetter.topicSuffix) }
        let watermarks = try await cluster.watermarks(of: topics.flatMap(\.topicPartitions))
        let found = Collected<DeadLetter>()
        try await TopicReader(cluster).read(watermarks.mapValues { $0.low..<$0.high }) { record in
            let letter = DeadLetter(record)
            if filter.matches(letter) { found.append(letter) }
            return .goOn
        }
        return found.all.sorted {
            ($0.record.topicPartition, $0.record.offset) < ($1.record.topicPartition, $1.record.offset)
        }
    }

    /// Why no letter matches a filter, with what may have been meant.
    func nothingMatches(_ filter: LetterFilter) async throws -> String {
        var everything = filter
        everything.service = nil
        everything.topic = nil
        everything.fingerprint = nil
        everything.key = nil
        let letters = try await letters(matching: everything)
        guard !letters.isEmpty else { return "There are no dead letters" }
        func hint(_ option: Option, _ word: String?, _ known: [String]) -> String? {
            guard let word, !known.contains(word),
                let meant = Suggestion.closest(to: word, among: Set(known).sorted())
            else { return nil }
            return "Did you mean \(option.spelling)=\(meant.printable)?"
        }
        let hints = [
            hint(LetterFilter.serviceOption, filter.service, letters.map(\.service)),
            hint(
                LetterFilter.topicOption, filter.topic,
                letters.flatMap { [$0.record.topic] + ($0.headers.originTopic.map { [$0] } ?? []) }),
            hint(LetterFilter.keyOption, filter.key, letters.compactMap(\.key)),
        ]
        return (["No dead letter matches"] + hints.compactMap { $0 }).joined(separator: ". ")
    }

    /// The letter at a place.
    ///
    /// - Throws: `CommandFailure` with the code for "not found" when there is none.
    func letter(at place: LetterPlace) async throws -> DeadLetter {
        let missing = CommandFailure.notFound("There is no letter at \(place.description.printable)")
        guard let topic = try await cluster.topics()[place.topicPartition.topic],
            topic.topicPartitions.contains(place.topicPartition),
            let marks = try await cluster.watermarks(of: [place.topicPartition])[place.topicPartition],
            (marks.low..<marks.high).contains(place.offset)
        else { throw missing }
        let found = Collected<DeadLetter>()
        try await TopicReader(cluster).read([place.topicPartition: place.offset..<place.offset + 1]) { record in
            found.append(DeadLetter(record))
            return .stop
        }
        guard let letter = found.all.first, letter.record.offset == place.offset else { throw missing }
        return letter
    }
}
