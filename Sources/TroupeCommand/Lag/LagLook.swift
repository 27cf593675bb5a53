// One look at the lag of groups, and what changed since the one before.

import Foundation

/// One look at the lag of groups, and what changed since the one before.
struct LagLook: Report {
    /// How one group does.
    struct Row: Encodable, Sendable, Equatable {
        let group: String
        let members: Int?
        let lag: Int64
        /// How many offsets a second the group has committed since the look before; `nil` at the first.
        let handledPerSecond: Double?
        /// How many offsets a second its partitions have grown by.
        let arrivedPerSecond: Double?
    }

    let time: Date
    let rows: [Row]
    /// The sums of committed and end offsets, for the look after this one.
    private let sums: [String: (committed: Int64, end: Int64)]

    init(time: Date, groups: [GroupLag], after last: LagLook?) {
        self.time = time
        let seconds = last.map { time.timeIntervalSince($0.time) } ?? 0
        var sums: [String: (committed: Int64, end: Int64)] = [:]
        rows = groups.map { group in
            // What was committed of a partition follows from its lag also where nothing was.
            let end = group.partitions.reduce(0) { $0 + $1.end }
            let sum = (committed: end - group.total, end: end)
            sums[group.group] = sum
            func rate(_ now: Int64, _ before: Int64?) -> Double? {
                guard let before, seconds > 0 else { return nil }
                return (Double(max(0, now - before)) / seconds * 10).rounded() / 10
            }
            let before = last?.sums[group.group]
            return Row(
                group: group.group, members: group.members, lag: group.total,
                handledPerSecond: rate(sum.committed, before?.committed), arrivedPerSecond: rate(end, before?.end))
        }
        self.sums = sums
    }

    enum CodingKeys: CodingKey { case time, groups }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(time, forKey: .time)
        try container.encode(rows, forKey: .groups)
    }

    func lines(_ style: Style) -> [String] {
        var table = Table("GROUP", ">MEMBERS", ">LAG", ">ARRIVED/S", ">HANDLED/S", ">BEHIND")
        for row in rows {
            table.add([
                row.group, row.members.map(String.init) ?? "?", String(row.lag), Self.text(row.arrivedPerSecond),
                Self.text(row.handledPerSecond), behind(row),
            ])
        }
        return [Timestamp.text(time)] + table.lines(style)
    }

    /// How long the group needs for what it has not handled, at its pace.
    private func behind(_ row: Row) -> String {
        guard row.lag > 0 else { return "-" }
        guard let rate = row.handledPerSecond else { return "?" }
        guard rate > 0 else { return "stands still" }
        let seconds = Double(row.lag) / rate
        if seconds < 120 { return "\(Int(seconds.rounded(.up))) s" }
        return seconds < 7_200 ? "\(Int(seconds / 60)) min" : "\(Int(min(seconds / 3_600, 99_999))) h"
    }

    private static func text(_ rate: Double?) -> String { rate.map { "\($0)" } ?? "?" }
}
