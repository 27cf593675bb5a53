// What changes in the store, as Server-Sent Events.

import EventJSON
import Troupe
import TroupeFlow

/// The stream `api/live`.
///
/// Each event has the number of the store's last change as its id, from which a client that lost the connection goes on,
/// and the flows that changed. Where more changed than a page can show, `skipped` says so instead of naming them. Where nothing
/// changes the same is said again from time to time.
struct DashboardLive: Sendable {
    /// How often the store is looked at.
    private static let interval = Duration.milliseconds(300)
    /// The most flows of an event.
    private static let maxFlows = 100
    /// How long one stream lasts before the client connects again, which it does by itself.
    private static let longestStream = Duration.seconds(900)

    struct Change: Encodable {
        var now: Int64
        var change: Int64
        var counts: [String: Int]
        var flows: [FlowSummary]
        var skipped: Bool
    }

    let store: FlowStore
    /// How long nothing may be sent: a client that hears nothing for longer takes the connection for dead.
    let longestSilence: Duration

    func response(to request: HTTPRequest) -> HTTPResponse {
        let asked = request.headers["Last-Event-ID"] ?? request.query["since"]
        let since = asked.flatMap { Int64($0) }
        return .events { try await send(from: since, to: $0) }
    }

    private func send(from since: Int64?, to stream: EventStream) async throws {
        let last = try store.lastChange()
        // A number of another store's, or of one that was made anew, is none to go on from.
        var number = since.map { $0 > last ? 0 : $0 } ?? last
        var counts: [String: Int]?
        let deadline = ContinuousClock.now + Self.longestStream
        var said = ContinuousClock.now
        while ContinuousClock.now < deadline {
            let news = try change(since: number)
            let isSilent = ContinuousClock.now - said >= longestSilence
            if counts == nil || counts != news.counts || news.change != number || isSilent {
                said = .now
                (number, counts) = (news.change, news.counts)
                let data = try EventJSONEncoder().encode(news)
                try await stream.send(ServerSentEvent(bytes: data, id: String(number), retry: 2_000))
            }
            try await Task.sleep(for: Self.interval)
        }
    }

    private func change(since number: Int64) throws -> Change {
        let found = try store.changes(since: number, limit: Self.maxFlows + 1)
        let isTooMuch = found.flows.count > Self.maxFlows
        return Change(
            now: EngineClock.wallMilliseconds, change: isTooMuch ? try store.lastChange() : found.next,
            counts: DashboardOverview.counts(try store.counts()),
            flows: isTooMuch ? [] : found.flows.map(\.clipped), skipped: isTooMuch)
    }
}
