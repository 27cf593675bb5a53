// The dead letters of a cluster for the page: read once, then only what came since.

import Foundation
import KafkaClient
import Synchronization
import Troupe
import TroupeWeb

/// The dead-letter topics of a cluster, kept in sight without the letters' bytes.
actor LetterDesk: DeadLetterDesk {
    /// The most letters that are kept in sight.
    static let maxLetters = 20_000

    private let limit: Int
    private let connect: @Sendable () async throws -> Cluster
    private var cluster: Cluster?
    /// Where reading goes on, by partition.
    private var positions: [TopicPartition: Int64] = [:]
    private var known: [DeadLetterSummary] = []
    private var isTruncated = false
    /// The look that is under way: whoever asks meanwhile waits for it.
    private var look: Task<DeadLetterList, any Error>?
    private var isReplaying = false

    /// Reads the letters of the cluster that `connect` finds, when they are first asked for.
    init(limit: Int = maxLetters, _ connect: @escaping @Sendable () async throws -> Cluster) {
        self.limit = limit
        self.connect = connect
    }

    func letters() async throws -> DeadLetterList {
        if let look { return try await look.value }
        let task = Task { try await read() }
        look = task
        defer { look = nil }
        return try await task.value
    }

    func letter(at place: String) async throws -> DeadLetterContent? {
        guard let place = LetterPlace(place), place.topicPartition.topic.hasSuffix(DeadLetter.topicSuffix) else {
            return nil
        }
        let cluster = try await connected()
        do {
            let letter = try await DeadLetterBox(cluster: cluster).letter(at: place)
            var summary = DeadLetterSummary(letter)
            summary.replayedAt = try await ReplayLog(cluster).read().mark(of: letter)?.replayedAt
            return DeadLetterContent(
                summary: summary, key: letter.key,
                headers: letter.record.headers.map { header in
                    DeadLetterContent.Header(header.name, header.text ?? "")
                }, value: letter.record.value.map(Array.init), omittedBytes: letter.headers.valueOmitted)
        } catch let failure as CommandFailure where failure.code == .notFound {
            return nil
        }
    }

    func replay(_ places: [String]) async throws -> DeadLetterReplay {
        // Two at once would not see each other's marks.
        guard !isReplaying else { throw HTTPProblem(.conflict, "Another replay is under way") }
        isReplaying = true
        defer { isReplaying = false }
        let cluster = try await connected()
        let log = ReplayLog(cluster)
        var letters: [DeadLetter] = []
        var refusals: [String] = []
        for text in Set(places).sorted() {
            guard let place = LetterPlace(text), place.topicPartition.topic.hasSuffix(DeadLetter.topicSuffix) else {
                refusals.append("'\(text.printable)' is not a letter's place")
                continue
            }
            do { letters.append(try await DeadLetterBox(cluster: cluster).letter(at: place)) } catch let failure
                as CommandFailure
            {
                refusals.append(failure.message)
            }
        }
        let plan = ReplayPlan(letters, marks: try await log.read(), again: false, limit: .max)
        try await LetterReplay(cluster: cluster, log: log).send(plan.letters)
        return DeadLetterReplay(sent: plan.letters.count, skipped: plan.skipped, refusals: refusals + plan.refusals)
    }

    private func connected() async throws -> Cluster {
        if let cluster { return cluster }
        let found = try await connect()
        cluster = found
        return found
    }

    /// Reads what came since the last look, and which letters were sent again.
    private func read() async throws -> DeadLetterList {
        let cluster = try await connected()
        let topics = try await cluster.topics().values.filter { $0.name.hasSuffix(DeadLetter.topicSuffix) }
        let watermarks = try await cluster.watermarks(of: topics.flatMap(\.topicPartitions))
        var ranges: [TopicPartition: Range<Int64>] = [:]
        for (partition, marks) in watermarks {
            let known = positions[partition] ?? 0
            // A topic that was deleted and made anew begins again.
            let start = known > marks.high ? marks.low : max(known, marks.low)
            // What more than the limit of a partition's own letters stand behind would not be kept.
            let first = max(start, marks.high - Int64(limit))
            if first > start { isTruncated = true }
            if first < marks.high { ranges[partition] = first..<marks.high }
        }
        let found = NewestLetters(limit: limit)
        try await TopicReader(cluster).read(ranges) { record in
            found.append(DeadLetterSummary(DeadLetter(record)))
            return .goOn
        }
        for (partition, marks) in watermarks { positions[partition] = marks.high }
        // What was deleted, with its topic or before its low watermark, is out of sight.
        known = (known + found.all).filter { letter in
            guard let place = LetterPlace(letter.place), let marks = watermarks[place.topicPartition] else {
                return false
            }
            return (marks.low..<marks.high).contains(place.offset)
        }
        if known.keepNewest(limit) || found.isTruncated { isTruncated = true }
        let marks = try await ReplayLog(cluster).read()
        for index in known.indices {
            let mark = marks[known[index].place]
            known[index].replayedAt = mark?.writtenAt == known[index].writtenAt ? mark?.replayedAt : nil
        }
        return DeadLetterList(letters: known, isTruncated: isTruncated)
    }
}

/// The newest letters of many, of which never more than twice as many as are wanted are in memory.
final class NewestLetters: Sendable {
    private struct State {
        var letters: [DeadLetterSummary] = []
        var isTruncated = false
        var most = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    var all: [DeadLetterSummary] { state.withLock { $0.letters } }
    /// Whether any was left out.
    var isTruncated: Bool { state.withLock { $0.isTruncated } }
    /// The most letters there were at once.
    var most: Int { state.withLock { $0.most } }

    func append(_ letter: DeadLetterSummary) {
        state.withLock { state in
            state.letters.append(letter)
            state.most = max(state.most, state.letters.count)
            if state.letters.count >= 2 * limit, state.letters.keepNewest(limit) { state.isTruncated = true }
        }
    }
}

extension [DeadLetterSummary] {
    /// Sorts the letters, the newest first, and leaves out those behind the limit; says whether there were any.
    fileprivate mutating func keepNewest(_ limit: Int) -> Bool {
        sort { ($0.writtenAt, $0.place) > ($1.writtenAt, $1.place) }
        guard count > limit else { return false }
        removeLast(count - limit)
        return true
    }
}

extension DeadLetterSummary {
    /// A letter without its bytes.
    fileprivate init(_ letter: DeadLetter) {
        let failure = letter.headers
        self.init(
            place: letter.place.description, service: letter.service,
            topic: failure.originTopic ?? letter.record.topic, fingerprint: failure.fingerprint ?? "",
            writtenAt: letter.writtenAt, replays: failure.replayCount ?? 0)
        type = letter.eventType
        event = letter.eventID
        flow = letter.correlationID
        errorType = failure.errorType
        errorMessage = failure.errorMessage
        reason = failure.reason?.rawValue
        attempts = failure.attempt
        firstFailedAt = failure.firstFailedAt
    }
}
