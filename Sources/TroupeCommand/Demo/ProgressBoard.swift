// The live table: one line for each service, and one for the orders.

import Troupe

/// How the services are doing at one moment.
struct ProgressBoard: Sendable {
    private let progress: (placed: Int, shipped: Int, cancelled: Int, lettered: Int)
    private let statuses: [(name: String, status: ServiceStatus?)]
    private let total: Int

    init(watch: TopicWatch, services: DemoServices, total: Int) {
        progress = watch.progress
        statuses = DemoServices.names.map { ($0, services.status(of: $0)) }
        self.total = total
    }

    /// The orders in one line.
    private var orders: String {
        "orders: \(progress.placed) of \(total) placed, \(progress.shipped) shipped, \(progress.cancelled) cancelled, "
            + "\(progress.lettered) dead-lettered"
    }

    /// The table, for a terminal.
    var lines: [String] {
        var table = Table(
            "SERVICE", "STATE", ">HANDLED", ">IN FLIGHT", ">RETRYING", ">DEAD", ">LAG", ">P50 MS", ">P99 MS")
        for (name, status) in statuses {
            guard let status else {
                table.add([name, "starting"])
                continue
            }
            table.add([
                name, status.phase.rawValue, String(status.handled), String(status.inFlight), String(status.waiting),
                String(status.deadLettered), status.lag.map(String.init) ?? "-", Self.number(status.latencyMedian),
                Self.number(status.latency99),
            ])
        }
        return [""] + table.lines(.plain) + [orders]
    }

    /// The same in one line, without a terminal.
    var summary: String {
        let services = statuses.map { name, status in
            "\(name) \(status?.handled ?? 0)/\(status?.inFlight ?? 0)/\(status?.waiting ?? 0)/\(status?.deadLettered ?? 0)"
        }
        return orders + " | handled/in flight/retrying/dead-lettered: " + services.joined(separator: ", ")
    }

    private static func number(_ value: Double?) -> String { value.map { String(Int($0.rounded())) } ?? "-" }
}
