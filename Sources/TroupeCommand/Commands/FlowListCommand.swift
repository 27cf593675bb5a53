// `troupe flow list`: flows by what is asked of them.

import Troupe
import TroupeFlow

/// Lists flows.
struct FlowListCommand: Command {
    private static let status = Option(
        "status", .many("STATUS"),
        help: "flows with this status only: \(FlowStatus.allCases.map(\.rawValue).joined(separator: ", "))")
    private static let subject = Option("subject", .one("SUBJECT"), help: "flows with this subject only")
    private static let type = Option("type", short: "t", .one("TYPE"), help: "flows with an event of this type only")
    private static let service = Option(
        "service", .one("SERVICE"), help: "flows in which this service handled or owes a step only")
    private static let limit = Option("limit", short: "n", .one("N"), help: "show at most N flows", default: "50")

    static let spec = CommandSpec(
        "flow", "list", summary: "List flows, the last started first: subject, status, and how many there are of each.",
        discussion: FlowSource.discussion,
        arguments: [
            Argument("TEXT", help: "a flow's or event's id, or how the flow's subject begins", isRequired: false)
        ],
        options: [status, subject, type, service, limit] + FlowSource.options + [OutputFormat.option],
        examples: [
            Example("troupe flow list --status=stuck", "what waits for somebody"),
            Example("troupe flow list order-42 --store=flows.sqlite", "the flows of an order, from a tracker's store"),
        ])

    private let source: FlowSource
    private let format: OutputFormat
    private let query: FlowQuery

    init(_ input: Input) throws {
        source = try FlowSource(input)
        format = try OutputFormat(input)
        let statuses = try input.strings(Self.status).map { text in
            guard let status = FlowStatus(rawValue: text) else {
                throw UsageError("Option --status is '\(text.printable)', which is no status of a flow")
            }
            return status
        }
        query = FlowQuery(
            text: input.argument(0), subject: input.string(Self.subject), type: input.string(Self.type),
            service: input.string(Self.service), statuses: Set(statuses),
            limit: try input.integer(Self.limit, in: 1...1_000) ?? 50)
    }

    func run(_ console: Console) async throws {
        let store = try await source.open(console)
        var page = try store.flows(query)
        // A page looks only so far back.
        var rest = query
        while page.flows.count < query.limit, let next = page.next {
            try Task.checkCancellation()
            rest.limit = query.limit - page.flows.count
            rest.after = next
            let older = try store.flows(rest)
            page = FlowPage(flows: page.flows + older.flows, next: older.next)
        }
        try console.show(FlowListReport(flows: page.flows, counts: try store.counts()), as: format)
        if page.next != nil { console.note("There are more; --limit shows up to 1,000.") }
    }
}

/// Flows and how many there are of each status.
struct FlowListReport: Report {
    let flows: [FlowSummary]
    let counts: [String: Int]

    init(flows: [FlowSummary], counts: [FlowStatus: Int]) {
        self.flows = flows
        self.counts = counts.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value }
    }

    func lines(_ style: Style) -> [String] {
        var table = Table("STARTED", "STATUS", "SUBJECT", "TYPE", ">EVENTS", "FLOW")
        for flow in flows {
            table.add([
                Timestamp.text(milliseconds: flow.startedAt), flow.status.rawValue, flow.subject ?? "",
                flow.type ?? "", String(flow.eventCount), flow.id,
            ])
        }
        let counts = FlowStatus.allCases.compactMap { status in
            self.counts[status.rawValue].map { "\($0) \(status.rawValue)" }
        }
        return table.lines(style) + [
            "", counts.isEmpty ? "No flows." : "All flows: \(counts.joined(separator: ", ")).",
        ]
    }
}
