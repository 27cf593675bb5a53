// The page's JSON of dead letters, and the one route that changes something.

import EventJSON
import Troupe

/// Answers for dead letters.
struct DeadLetterRoutes: Sendable {
    /// Letters of equal failures.
    struct Group: Encodable {
        var service: String
        var topic: String
        var fingerprint: String
        var count = 0
        /// How many of them were not sent again.
        var waiting = 0
        var oldest: Int64
        var newest: Int64
        /// The newest letter, as an example.
        var example: DeadLetterSummary
    }

    struct Groups: Encodable {
        var now: Int64
        var groups: [Group]
        var isTruncated: Bool
    }

    struct Letters: Encodable {
        var now: Int64
        var total: Int
        var letters: [DeadLetterSummary]
    }

    struct Letter: Encodable {
        var letter: DeadLetterSummary
        var key: String?
        var headers: [DeadLetterContent.Header]
        var payload: DashboardPayload
        var omittedBytes: Int?
        var command: String
    }

    private struct ReplayOrder: Decodable {
        var letters: [String]
    }

    let dashboard: Dashboard

    func add(to router: inout HTTPRouter, at path: String) {
        guard let desk = dashboard.deadLetters else { return }
        router.answer(path + "/dead-letters") { request in
            let list = try await desk.letters()
            let now = EngineClock.wallMilliseconds
            guard let service = request.query["service"] else {
                return try .json(Groups(now: now, groups: Self.groups(list.letters), isTruncated: list.isTruncated))
            }
            // What is not named may be anything; what is named and empty is what letters of other frameworks have not.
            let found = list.letters.filter { letter in
                letter.service == service && letter.topic == request.query["topic"] ?? letter.topic
                    && letter.fingerprint == request.query["fingerprint"] ?? letter.fingerprint
            }
            let letters = found.prefix(200).map(\.clipped)
            return try .json(Letters(now: now, total: found.count, letters: letters))
        }
        router.answer(path + "/dead-letters/{topic}/{partition}/{offset}") { request in
            let place = ["topic", "partition", "offset"].map { request.parameters[$0] ?? "" }.joined(separator: "/")
            guard let content = try await desk.letter(at: place) else {
                throw HTTPProblem(.notFound, "There is no letter at this place", title: "Unknown letter")
            }
            return try .json(Letter(content, dashboard))
        }
        guard let tokens = dashboard.replayTokens else { return }
        router.post(path + "/dead-letters/replay", requiring: tokens, timeLimit: .seconds(60)) { request in
            guard request.mediaType == "application/json" else {
                throw HTTPProblem(.unsupportedMediaType, "The body is not declared as application/json")
            }
            guard let order = try? EventJSONDecoder().decode(ReplayOrder.self, from: request.body),
                (1...500).contains(order.letters.count)
            else { throw HTTPProblem(.badRequest, "The body is not {\"letters\": [...]} with 1 to 500 places") }
            return try .json(try await desk.replay(order.letters))
        }
    }

    private static func groups(_ letters: [DeadLetterSummary]) -> [Group] {
        var groups: [[String]: Group] = [:]
        for letter in letters {
            let key = [letter.service, letter.topic, letter.fingerprint]
            var group =
                groups[key]
                ?? Group(
                    service: letter.service, topic: letter.topic, fingerprint: letter.fingerprint,
                    oldest: letter.writtenAt, newest: letter.writtenAt, example: letter.clipped)
            group.count += 1
            if letter.replayedAt == nil { group.waiting += 1 }
            group.oldest = min(group.oldest, letter.writtenAt)
            group.newest = max(group.newest, letter.writtenAt)
            groups[key] = group
        }
        return groups.values.sorted {
            ($0.waiting == 0 ? 1 : 0, -$0.newest, $0.service, $0.fingerprint)
                < ($1.waiting == 0 ? 1 : 0, -$1.newest, $1.service, $1.fingerprint)
        }
    }
}

extension DeadLetterRoutes.Letter {
    init(_ content: DeadLetterContent, _ dashboard: Dashboard) {
        letter = content.summary
        let hides = !dashboard.maskedFields.isEmpty || !dashboard.showsPayloads
        // A key and a foreign header may hold what a masked field holds.
        key = hides ? nil : content.key?.clipped(to: 4_096)
        headers = content.headers.prefix(200).map { header in
            let isKnown =
                ["ce_", "troupe-"].contains { header.name.hasPrefix($0) }
                || ["content-type", "traceparent", "tracestate"].contains(header.name)
            return DeadLetterContent.Header(
                header.name.clipped(to: 300), hides && !isKnown ? "•••" : header.value.clipped(to: 8_192))
        }
        let value = content.value
        let shown = value.map { Array($0.prefix(64 << 10)) }
        payload = DashboardPayload(
            shown, contentType: content.headers.first { $0.name == "content-type" }?.value,
            byteCount: content.omittedBytes ?? value?.count ?? 0, isTruncated: (value?.count ?? 0) > (64 << 10),
            dashboard)
        omittedBytes = content.omittedBytes
        command = ShellText.command(["troupe", "dlt", "show", content.summary.place] + dashboard.deadLetterOptions)
    }
}

extension DeadLetterSummary {
    /// The letter with texts of a length that a list can bear.
    var clipped: DeadLetterSummary {
        var copy = self
        copy.service = service.clipped(to: 300)
        copy.type = type?.clipped(to: 300)
        copy.errorType = errorType?.clipped(to: 300)
        copy.errorMessage = errorMessage?.clipped(to: 1_000)
        return copy
    }
}
