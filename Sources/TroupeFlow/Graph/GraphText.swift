// The graph in the languages of Graphviz and Mermaid, and as JSON.

import EventJSON
import Troupe

extension ChoreographyGraph {
    /// The graph in Graphviz's language: `dot -Tpng` draws it.
    public var dot: String {
        let picture = GraphPicture(self)
        func quoted(_ text: String) -> String {
            "\"" + plain(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        var lines = [
            "digraph choreography {", "  node [fontname=\"monospace\", fontsize=11];",
            "  edge [fontname=\"monospace\", fontsize=9];",
        ]
        for box in picture.boxes {
            var attributes = ["label=\(quoted(box.name))"]
            attributes.append(
                box.kind == .event ? "shape=ellipse" : box.kind == .start ? "shape=box, style=rounded" : "shape=box")
            if let ending = box.ending { attributes.append("color=\(ending == .completed ? "darkgreen" : "red")") }
            if !box.detail.isEmpty { attributes.append("tooltip=\(quoted(box.detail))") }
            lines.append("  \(quoted(box.id)) [\(attributes.joined(separator: ", "))];")
        }
        for arrow in picture.arrows {
            var attributes: [String] = []
            if !arrow.edge.compensates.isEmpty { attributes.append("style=dashed, color=sienna") }
            if arrow.edge.provenance == .observed { attributes.append("style=dotted, color=purple") }
            if !arrow.label.isEmpty { attributes.append("label=\(quoted(arrow.label))") }
            let ends = "\(quoted(picture.boxes[arrow.from].id)) -> \(quoted(picture.boxes[arrow.to].id))"
            lines.append("  \(ends)\(attributes.isEmpty ? "" : " [\(attributes.joined(separator: ", "))]");")
        }
        return (lines + ["}"]).joined(separator: "\n")
    }

    /// The graph in Mermaid's language, as pages of Markdown show it.
    public var mermaid: String {
        let picture = GraphPicture(self)
        func quoted(_ text: String) -> String {
            // Mermaid reads entities by their number, without the ampersand.
            var safe = ""
            for character in plain(text) {
                switch character {
                case "\"", "#", "<", ">", "&", ";": safe += "#\(character.asciiValue ?? 0);"
                default: safe.append(character)
                }
            }
            return "\"\(safe)\""
        }
        var lines = ["flowchart TD"]
        for (index, box) in picture.boxes.enumerated() {
            let label = quoted(box.name)
            switch box.kind {
            case .event: lines.append("  n\(index)([\(label)])")
            case .start: lines.append("  n\(index)((\(label)))")
            case .service: lines.append("  n\(index)[\(label)]")
            }
            if let ending = box.ending { lines.append("  class n\(index) \(ending.rawValue)") }
        }
        for arrow in picture.arrows {
            let isBroken = !arrow.edge.compensates.isEmpty || arrow.edge.provenance == .observed
            var label = arrow.label
            if !arrow.edge.compensates.isEmpty { label = label.isEmpty ? "undo" : "undo, \(label)" }
            if arrow.edge.provenance == .observed {
                let word = arrow.edge.isByOperator ? "by hand" : "not declared"
                label = label.isEmpty ? word : "\(word), \(label)"
            }
            let line = isBroken ? "-.->" : "-->"
            lines.append("  n\(arrow.from) \(line)\(label.isEmpty ? "" : "|\(quoted(label))|") n\(arrow.to)")
        }
        lines += [
            "  classDef completed stroke:#2e7d32,stroke-width:3px", "  classDef failed stroke:#c62828,stroke-width:3px",
        ]
        return lines.joined(separator: "\n")
    }

    /// The graph as JSON: services, events, edges and steps.
    public var json: String {
        guard let bytes = try? EventJSONEncoder().encode(self),
            let tree = try? JSONTree(parsing: String(decoding: bytes, as: UTF8.self))
        else { return "null" }
        return tree.pretty
    }

    /// Text on one line that shows nothing but itself.
    private func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isInvisible ? "\u{fffd}" : $0 }))
    }
}
