// One flow as a tree: events, what services did with them, and the events that came of it.

import Troupe
import TroupeFlow

/// One flow, for people as a verdict and a tree.
struct FlowTree: Report {
    let flow: FlowDetail

    func encode(to encoder: any Encoder) throws { try flow.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let summary = flow.summary
        var lines = [style.verdict(flow.verdict), ""]
        var facts = ["flow \(summary.id.printable)"]
        if let subject = summary.subject { facts.append("subject \(subject.printable)") }
        facts.append("started \(Timestamp.text(milliseconds: summary.startedAt))")
        lines.append(facts.joined(separator: ", "))
        let events = Dictionary(flow.events.map { ($0.id, $0) }) { first, _ in first }
        let tree = Tree(flow, events, style)
        for root in tree.roots { lines += tree.lines(of: root) }
        if flow.isTruncated { lines.append(style.dim("The flow has more events than are shown.")) }
        return lines
    }

    private struct Tree {
        let start: Int64
        let events: [String: FlowEvent]
        let style: Style
        /// The steps by event.
        let steps: [String: [FlowStep]]
        /// Events without a step that published them, by what caused them.
        var loose: [String: [FlowEvent]] = [:]
        /// Events that nothing known caused, and steps whose events were not read.
        var roots: [Node] = []

        enum Node {
            case event(FlowEvent)
            case step(FlowStep)
        }

        init(_ flow: FlowDetail, _ events: [String: FlowEvent], _ style: Style) {
            start = flow.summary.startedAt
            self.events = events
            self.style = style
            steps = Dictionary(grouping: flow.steps, by: \.event)
            // An event is shown once, under the first step that published it: two that name each other must not hide both.
            var published: Set<String> = []
            for step in flow.steps where events[step.event] != nil { published.formUnion(step.published) }
            for event in flow.events where !published.contains(event.id) || event.causationID == nil {
                if let cause = event.causationID, events[cause] != nil {
                    loose[cause, default: []].append(event)
                } else {
                    roots.append(.event(event))
                }
            }
            roots += flow.steps.filter { events[$0.event] == nil }.map { .step($0) }
        }

        /// How many levels are shown: a line is as long as it is deep, and a chain of events may have any length.
        static let maxDepth = 200

        func lines(of root: Node) -> [String] {
            var shown: Set<String> = []
            var lines: [String] = []
            add(root, at: 0, first: "", rest: "", to: &lines, &shown)
            return lines
        }

        /// Adds the lines of a node: the first behind one prefix, those below it behind another.
        private func add(
            _ node: Node, at depth: Int, first: String, rest: String, to lines: inout [String],
            _ shown: inout Set<String>
        ) {
            var children: [Node] = []
            switch node {
            case .event(let event):
                guard shown.insert(event.id).inserted else { return }
                lines.append(first + line(of: event))
                children += (steps[event.id] ?? []).map { .step($0) }
                children += (loose[event.id] ?? []).map { .event($0) }
            case .step(let step):
                lines.append(first + line(of: step))
                children += step.published.compactMap { events[$0] }.map { .event($0) }
            }
            guard depth < Self.maxDepth || children.isEmpty else {
                lines.append(rest + "└─ " + style.dim("… what came of it is deeper than \(Self.maxDepth) levels"))
                return
            }
            for (index, child) in children.enumerated() {
                let isLast = index == children.count - 1
                add(
                    child, at: depth + 1, first: rest + (isLast ? "└─ " : "├─ "), rest: rest + (isLast ? "   " : "│  "),
                    to: &lines, &shown)
            }
        }

        private func line(of event: FlowEvent) -> String {
            let place = style.dim("\(event.topic)/\(event.partition)@\(event.offset)".printable)
            let ending = event.ending.map { " ends the flow as \($0.rawValue)" } ?? ""
            let time = event.time.subtractingSaturated(start)
            return "● \(style.bold(event.type.printable)) +\(time) ms\(ending)  \(place)"
        }

        private func line(of step: FlowStep) -> String {
            var words = [step.service.printable, style.status(step.status)]
            if step.attempts.count > 1 { words.append("after \(step.attempts.count.of("attempt"))") }
            if let began = step.startedAt, let event = events[step.event] {
                words.append("+\(began.subtractingSaturated(event.time)) ms")
            }
            if let last = step.attempts.last { words.append("in \(Self.length(last.microseconds))") }
            if let compensates = step.compensates { words.append("undoes \(compensates.printable)") }
            if events[step.event] == nil { words.append("(\(step.type.printable) was not read)") }
            if let failure = step.attempts.last(where: { $0.failure != nil })?.failure, step.status != .handled {
                words.append("\(failure.type): \(failure.message)".printable)
            }
            if let delay = step.delay { words.append("— \(delay.text.printable)") }
            if step.status.isOwed, let owedAt = step.owedAt {
                words.append("(owed by \(Timestamp.text(milliseconds: owedAt)))")
            }
            return words.joined(separator: " ")
        }

        private static func length(_ microseconds: Int64) -> String {
            microseconds < 10_000 ? "\(microseconds) µs" : "\(microseconds / 1_000) ms"
        }
    }
}

extension Style {
    /// The word of a step's status, in its colour.
    func status(_ status: StepStatus) -> String {
        switch status {
        case .handled: green(status.rawValue)
        case .owed, .waiting, .notKnown: yellow(status.rawValue)
        case .ignored, .deadLettered: red(status.rawValue)
        }
    }

    /// The word of a flow's status, in its colour.
    func status(_ status: FlowStatus) -> String { colored(status.rawValue, status) }

    /// A verdict, in the colour of its status.
    func verdict(_ verdict: Verdict) -> String { bold(colored(verdict.sentence.printable, verdict.status)) }

    private func colored(_ text: String, _ status: FlowStatus) -> String {
        switch status {
        case .completed, .compensated: green(text)
        case .running, .compensating: cyan(text)
        case .failed: yellow(text)
        case .stuck, .deadLettered: red(text)
        }
    }
}
