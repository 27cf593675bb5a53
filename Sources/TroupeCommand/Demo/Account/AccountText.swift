// The account for people.

import DemoEvents

/// The account for people.
struct AccountText {
    private let account: Account

    init(_ account: Account) { self.account = account }

    func lines(_ style: Style) -> [String] {
        var paths = Table("PATH", "ENDS AS", ">EXPECTED", ">SEEN", "")
        for path in account.paths {
            paths.add([
                path.path.rawValue, path.path.end.rawValue, String(path.expected), String(path.seen),
                path.expected == path.seen ? "ok" : "ASTRAY",
            ])
        }
        var lines = paths.lines(style) + [""]
        for finding in account.findings {
            let mark = finding.astray.isEmpty ? style.green("ok    ") : style.red("ASTRAY")
            lines.append("\(mark) \(finding.title): \(finding.detail)")
            if !finding.astray.isEmpty {
                lines.append("       " + finding.astray.prefix(50).joined(separator: ", ").printable)
                if finding.astray.count > 50 { lines.append("       and \(finding.astray.count - 50) more") }
            }
        }
        if let median = account.latency(0.5), let tail = account.latency(0.99), let worst = account.latencies.last {
            lines.append(
                "       from order to parcel or cancellation: p50 \(median) ms, p99 \(tail) ms, longest \(worst) ms "
                    + "(the longest met the outage or the kill)")
        }
        lines.append("")
        lines.append(
            account.isBalanced
                ? style.green("The account is balanced: every order is where it should be.")
                : style.red("The account is NOT balanced."))
        return lines
    }
}
