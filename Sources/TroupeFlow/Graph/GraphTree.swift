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
        // Where nobody but an operator publishes an event, flows start with it.
        for event in graph.events where publishers(of: event.type).allSatisfy({ isOperator($0) }) {
            writePublished(event.type)
        }
        // What is left is reached from no start.
        for event in graph.events { writePublished(event.type) }
        let seen = graph.edges.filter { $0.provenance == .observed }
        lines += list("seen, not declared", seen.filter { !$0.isByOperator }) { edge in
            "\(plain(edge.service)) \(edge.direction.rawValue) \(plain(edge.type))"
        }
        lines += list("published by an operator, with 'troupe publish'", seen.filter(\.isByOperator)) { plain($0.type) }
        let notes = graph.services.filter { !$0.isOperator }.flatMap { service in
            service.notes.map { "\(plain(service.name)): \(plain($0))" }
        }
        if !notes.isEmpty { lines += ["", "notes"] + notes.map { "· " + $0 } }
    }

    /// Edges below a heading; nothing without edges.
    private func list(
        _ heading: String, _ edges: [ChoreographyGraph.Edge], _ text: (ChoreographyGraph.Edge) -> String
    ) -> [String] {
        guard !edges.isEmpty else { return [] }
        return ["", heading]
            + edges.enumerated().map { index, edge in
                (index == edges.count - 1 ? "└─ " : "├─ ") + text(edge) + counts(edge)
            }
    }

    /// Writes an event below those who publish it, unless it was shown.
    private mutating func writePublished(_ type: String) {
        guard !shown.contains(type) else { return }
        let names = publishers(of: type).map { isOperator($0) ? "an operator" : plain($0) }
        lines.append("\(names.joined(separator: ", ")) publishes")
        write(type, "", isLast: true)
    }

    private func publishers(of type: String) -> [String] {
        graph.edges.filter { $0.type == type && $0.direction == .publishes }.map(\.service)
    }

    private func isOperator(_ name: String) -> Bool { graph.service(name)?.isOperator == true }

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
