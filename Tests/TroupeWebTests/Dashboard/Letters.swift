// Three dead letters that a test hands to the page.

import Foundation
import Synchronization
import TroupeWeb

/// A desk with three letters of inventory's; it notes what is sent again.
final class Letters: DeadLetterDesk {
    private let state: Mutex<(letters: [DeadLetterSummary], replayed: [String])>
    private let value: String

    /// The places of the letters that were sent again, in order.
    var replayed: [String] { state.withLock { $0.replayed } }

    /// - Parameter hostile: Text to put wherever a letter has text.
    init(hostile: String? = nil) {
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        value =
            hostile
            ?? "{\"orderID\":\"order-00041\",\"note\":\"No article 'tae' in the catalogue\",\"email\":\"ada@example.org\"}"
        let letters = (0..<3).map { number in
            var letter = DeadLetterSummary(
                place: "inventory.orders.dlt/0/\(number)", service: hostile ?? "inventory", topic: hostile ?? "orders",
                fingerprint: hostile ?? "8c0e51d2", writtenAt: now - Int64(3 - number) * 60_000)
            letter.type = hostile ?? ShopStore.placed
            letter.event = hostile ?? "01936a29-8100-aa14f07b3c55"
            letter.flow = hostile ?? "01936a29-7c2e-7d40-9f1b-5a8e4c21d0f3"
            letter.errorType = hostile ?? "DemoInventory.UnknownArticle"
            letter.errorMessage = hostile ?? "No article 'tae' in the catalogue"
            letter.reason = "retries-exhausted"
            letter.attempts = 4
            letter.firstFailedAt = letter.writtenAt - 3_600
            return letter
        }
        state = Mutex((letters.reversed(), []))
    }

    func letters() -> DeadLetterList { DeadLetterList(letters: state.withLock { $0.letters }, isTruncated: false) }

    func letter(at place: String) -> DeadLetterContent? {
        guard let summary = letters().letters.first(where: { $0.place == place }) else { return nil }
        return DeadLetterContent(
            summary: summary, key: summary.flow,
            headers: [
                .init("ce_type", summary.type ?? ""), .init("content-type", "application/json"),
                .init("x-customer", "ada@example.org"), .init("troupe-reason", "retries-exhausted"),
            ], value: Array(value.utf8))
    }

    func replay(_ places: [String]) -> DeadLetterReplay {
        state.withLock { state in
            var sent = 0
            for index in state.letters.indices where places.contains(state.letters[index].place) {
                guard state.letters[index].replayedAt == nil else { continue }
                state.letters[index].replayedAt = state.letters[index].writtenAt + 60_000
                state.replayed.append(state.letters[index].place)
                sent += 1
            }
            return DeadLetterReplay(sent: sent, skipped: places.count - sent, refusals: [])
        }
    }
}
