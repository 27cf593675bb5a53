// The shapes of the page's JSON, where they are not those of the flow store.

import Troupe
import TroupeFlow

/// What the page asks first.
struct DashboardOverview: Encodable {
    var now: Int64
    var counts: [String: Int]
    var change: Int64
    var hasDeadLetters: Bool
    var canReplay: Bool

    static func counts(_ counts: [FlowStatus: Int]) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: counts.map { ($0.key.rawValue, $0.value) })
    }
}

/// One flow.
struct DashboardFlow: Encodable {
    var now: Int64
    var flow: FlowDetail
    /// The command that answers the same.
    var command: String
}

/// The registry.
struct DashboardServices: Encodable {
    var now: Int64
    var services: [ServiceEntry]
}

/// The choreography as it is drawn.
struct DashboardGraph: Encodable {
    var now: Int64
    /// How many flows were counted.
    var flows: Int
    /// When the first of them began; `nil` without flows.
    var from: Int64?
    /// When something happened in one of them last.
    var until: Int64?
    var drawing: GraphDrawing
    var findings: [ConformanceFinding]
}

/// What an event carries, as far as it may be shown.
struct DashboardPayload: Encodable {
    var contentType: String?
    var byteCount: Int
    var isTruncated: Bool
    /// The payload; `nil` where it is no text, or is not shown.
    var text: String?
    /// The first bytes of a payload that is no text, as hexadecimal digits.
    var hex: String?
    /// Why nothing is shown.
    var withheld: String?
    /// Whether values were masked.
    var isMasked = false

    init(_ payload: StoredPayload, _ dashboard: Dashboard) {
        self.init(
            payload.bytes, contentType: payload.contentType, byteCount: payload.byteCount,
            isTruncated: payload.isTruncated, dashboard)
    }

    init(_ bytes: [UInt8]?, contentType: String?, byteCount: Int, isTruncated: Bool, _ dashboard: Dashboard) {
        self.contentType = contentType?.clipped(to: 200)
        self.byteCount = byteCount
        self.isTruncated = isTruncated
        guard let bytes else { return }
        guard dashboard.showsPayloads else {
            withheld = "Payloads are not shown here."
            return
        }
        let mask = PayloadMask(dashboard.maskedFields)
        if mask.isEmpty {
            show(bytes)
        } else if let masked = mask.masked(bytes) {
            isMasked = masked.count > 0
            show(masked.bytes)
        } else {
            withheld = "Fields are masked here, and this payload is not JSON in which they could be found."
        }
    }

    private mutating func show(_ bytes: [UInt8]) {
        // The end may have been cut within a character.
        for end in [bytes.count, bytes.count - 1, bytes.count - 2, bytes.count - 3] where end >= 0 {
            if end < bytes.count, !isTruncated { break }
            if let valid = String(validating: bytes.prefix(end), as: UTF8.self) {
                text = valid
                return
            }
        }
        hex = bytes.prefix(4_096).map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
        isTruncated = isTruncated || bytes.count > 4_096
    }
}

extension String {
    /// The text, cut to so many characters' worth of bytes: text from events can be as long as a record.
    func clipped(to bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var end = utf8.index(startIndex, offsetBy: bytes)
        while end > startIndex, end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return self[..<end] + "…"
    }
}

extension FlowSummary {
    /// The flow with texts of a length that a list can bear.
    var clipped: FlowSummary {
        var copy = self
        copy.subject = subject?.clipped(to: 300)
        copy.type = type?.clipped(to: 300)
        return copy
    }
}

extension FlowDetail {
    /// The flow with texts of a length that a page can bear.
    var clipped: FlowDetail {
        var copy = self
        copy.summary.subject = summary.subject?.clipped(to: 1_000)
        copy.summary.type = summary.type?.clipped(to: 1_000)
        copy.verdict.sentence = verdict.sentence.clipped(to: 2_000)
        copy.events = events.map { event in
            var event = event
            event.type = event.type.clipped(to: 1_000)
            event.source = event.source.clipped(to: 1_000)
            event.subject = event.subject?.clipped(to: 1_000)
            return event
        }
        copy.steps = steps.map { step in
            var step = step
            step.type = step.type.clipped(to: 1_000)
            return step
        }
        return copy
    }
}
