// `troupe flow follow`: a flow as it happens, to its end.

import Troupe
import TroupeFlow

/// Follows one flow.
struct FlowFollowCommand: Command {
    static let spec = CommandSpec(
        "flow", "follow", summary: "Follow a flow as it happens, until it ends.",
        discussion: """
            Events, attempts and verdicts are written as they become known, one a line; with --format=json the whole flow is
            written again on one line whenever something changed. The command ends when the flow has completed, failed
            or been compensated, and goes on while it is stuck or dead-lettered.

            """ + FlowSource.discussion,
        arguments: [Argument("FLOW", help: "a flow's id, the id of one of its events, or its subject")],
        options: FlowSource.options + [OutputFormat.option],
        examples: [Example("troupe flow follow order-42", "what happens to order 42, live")])

    private let source: FlowSource
    private let format: OutputFormat
    private let name: String

    init(_ input: Input) throws {
        source = try FlowSource(input)
        format = try OutputFormat(input)
        name = try input.required(0)
    }

    func run(_ console: Console) async throws {
        try await source.follow(console) { store in
            let id = try store.flow(named: name, at: nowInMilliseconds()).summary.id
            var log = FlowLog()
            var last: FlowDetail?
            while true {
                guard let flow = try store.flow(id, at: nowInMilliseconds()) else {
                    throw CommandFailure.notFound("The flow \(id.printable) was forgotten")
                }
                switch format {
                case .table: for line in log.news(of: flow, console.style) { console.data(line) }
                case .json:
                    // The sentence tells lengths of time: it alone is no news.
                    let isNews =
                        last?.events != flow.events || last?.steps != flow.steps
                        || last?.verdict.status != flow.verdict.status
                    if isNews { console.data(try JSONText.line(flow)) }
                    last = flow
                }
                if !flow.summary.status.isOpen { return }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }
}

/// What was told of a flow already.
struct FlowLog {
    private var told: Set<String> = []
    private var status: FlowStatus?

    init() {}

    /// The lines that were not told yet, by time, and the verdict when the status is another.
    mutating func news(of flow: FlowDetail, _ style: Style) -> [String] {
        var lines: [(time: Int64, text: String)] = []
        for event in flow.events where told.insert("event \(event.id)").inserted {
            lines.append((event.time, "● \(style.bold(event.type.printable))"))
        }
        for step in flow.steps {
            for attempt in step.attempts {
                let key =
                    "\(step.service) \(step.event) \(attempt.replays) \(attempt.number) \(attempt.outcome.rawValue)"
                guard told.insert(key).inserted else { continue }
                var text = "  \(step.service.printable) \(attempt.outcome.rawValue) \(step.type.printable)"
                if attempt.number > 1 { text += ", attempt \(attempt.number)" }
                if let failure = attempt.failure { text += ": \(failure.type): \(failure.message)".printable }
                lines.append((attempt.endedAt, text))
            }
        }
        // An event and the attempt at it may have one time; the event was told first above.
        var news = lines.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map {
            "\(style.dim(Timestamp.text(milliseconds: $0.element.time)))  \($0.element.text)"
        }
        if status != flow.verdict.status {
            status = flow.verdict.status
            news.append(style.verdict(flow.verdict))
        }
        return news
    }
}
