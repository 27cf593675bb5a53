// The graph as an indented tree, for terminals.

import Troupe

extension ChoreographyGraph {
    /// The flows as trees of lines: an event, below it who handles it, below that what follows.
    ///
    /// What was shown once is not shown again below another branch.
    public var tree: String { TreeWriter(self).lines.joined(separator: "\n") }
}

private struct TreeWriter {
    private let graph: ChoreographyGraph
    private let reach: FlowReach
    private(set) var lines: [String] = []
    private var shown: Set<String> = []

    init(_ graph: ChoreographyGraph) {
        self.graph = graph
        reach = FlowReach(graph)
        writeAll()
    }

    private mutating func writeAll() {
        for event in graph.events where !event.startedBy.isEmpty {
            lines.append("\(event.startedBy.map(plain).joined(separator: ", ")) starts")
            write(event.type, "", isLast: true)
        }
        let published = Set(graph.edges.filter { $0.direction == .publishes }.map(\.type))
        for event in graph.events where event.startedBy.isEmpty && !published.contains(event.type) {
            lines.append("nobody publishes")
            write(event.type, "", isLast: true)
        }
        // What is left is reached from no start.
        for event in graph.events where !shown.contains(event.type) {
            let publishers = graph.edges.filter { $0.type == event.type && $0.direction == .publishes }.map(\.service)
            lines.append("\(publishers.map(plain).joined(separator: ", ")) publishes")
            write(event.type, "", isLast: true)
        }
        let undeclared = graph.edges.filter { $0.provenance == .observed }
        if !undeclared.isEmpty {
            lines += ["", "seen, not declared"]
            for (index, edge) in undeclared.enumerated() {
                let branch = index == undeclared.count - 1 ? "└─ " : "├─ "
                lines.append(
                    branch + "\(plain(edge.service)) \(edge.direction.rawValue) \(plain(edge.type))" + counts(edge))
            }
        }
        let notes = graph.services.flatMap { service in
            service.notes.map { "\(plain(service.name)): \(plain($0))" }
        }
        if !notes.isEmpty { lines += ["", "notes"] + notes.map { "· " + $0 } }
    }

    private mutating func write(_ type: String, _ indent: String, isLast: Bool) {
        let event = graph.event(type)
        var line = indent + (isLast ? "└─ " : "├─ ") + plain(type)
        if let topic = event?.topic, !topic.isEmpty { line += "  (\(plain(topic)))" }
        if let ending = event?.ending { line += "  ■ \(ending.rawValue)" }
        let steps = reach.steps(of: type)
        let isKnown = !shown.insert(type).inserted
        if isKnown, !steps.isEmpty { line += "  (above)" }
        if steps.isEmpty, event?.ending == nil { line += "  ! nobody handles it" }
        lines.append(line)
        guard !isKnown else { return }
        let inner = indent + (isLast ? "   " : "│  ")
        for (index, step) in steps.enumerated() { write(step, inner, isLast: index == steps.count - 1) }
    }

    private mutating func write(_ step: ChoreographyGraph.Step, _ indent: String, isLast: Bool) {
        var line = indent + (isLast ? "└─ " : "├─ ") + "[\(plain(step.service))]"
        switch step.cardinality {
        case .none, .one: break
        case .optional: line += " maybe"
        case .many: line += " any number of"
        case .all: line += " each of"
        case .oneOf: line += " one of"
        case .manyOf: line += " any of"
        }
        if let undone = step.compensates { line += "  ↩ undoes \(plain(undone))" }
        if let edge = graph.edges.first(where: {
            $0.service == step.service && $0.type == step.type && $0.direction == .handles
        }) {
            line += counts(edge)
        }
        lines.append(line)
        let inner = indent + (isLast ? "   " : "│  ")
        for (index, type) in step.publishes.enumerated() {
            write(type, inner, isLast: index == step.publishes.count - 1)
        }
    }

    private func counts(_ edge: ChoreographyGraph.Edge) -> String {
        guard edge.count > 0 else { return "" }
        return "  ×\(edge.count)" + (edge.failures > 0 ? ", \(edge.failures) failed" : "")
    }

    private func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isInvisible ? "\u{fffd}" : $0 }))
    }
}
