// The graph as SVG: no scripts, no outside resources, light and dark.

import Troupe

extension GraphDrawing {
    /// The picture as an SVG document, which may also stand inside a page.
    ///
    /// It has no scripts and fetches nothing; all text is escaped. Colours follow the reader's preference for light or dark;
    /// a page sets others by the variables `--graph-ink`, `--graph-paper`, `--graph-service`, `--graph-event`,
    /// `--graph-good`, `--graph-bad`, `--graph-undo` and `--graph-seen`. Arrows that were declared and never seen are thin, those
    /// seen and never declared dotted, compensations dashed. Boxes have `data-id`, arrows `data-from` and `data-to`.
    public var svg: String {
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" class="troupe-graph" role="img" aria-label="Services and events" \
            viewBox="0 0 \(number(width)) \(number(height))" width="\(number(width))" height="\(number(height))">
            <style>\(Self.style)</style>
            <defs>\(marker("arrow", "ink"))\(marker("undo", "undo"))\(marker("seen", "seen"))</defs>

            """
        for arrow in arrows { text += svg(of: arrow) }
        for box in boxes { text += svg(of: box) }
        return text + "</svg>\n"
    }

    private static let style = """
        .troupe-graph{--ink:var(--graph-ink,#3b4252);--paper:var(--graph-paper,#fff);\
        --service:var(--graph-service,#dbe7f6);--event:var(--graph-event,#fff7e0);--good:var(--graph-good,#2e7d32);\
        --bad:var(--graph-bad,#c62828);--undo:var(--graph-undo,#a1522c);--seen:var(--graph-seen,#8e24aa);\
        max-width:100%;height:auto;font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
        @media(prefers-color-scheme:dark){.troupe-graph{--ink:var(--graph-ink,#d8dee9);--paper:var(--graph-paper,#16181d);\
        --service:var(--graph-service,#26384f);--event:var(--graph-event,#3d3620);--good:var(--graph-good,#81c784);\
        --bad:var(--graph-bad,#ef9a9a);--undo:var(--graph-undo,#e6a27c);--seen:var(--graph-seen,#ce93d8)}}
        .troupe-graph text{fill:var(--ink);text-anchor:middle}.troupe-graph .detail{font-size:10px;opacity:.75}
        .troupe-graph .box{stroke:var(--ink);stroke-width:1}.troupe-graph .service .box{fill:var(--service)}
        .troupe-graph .start .box{fill:var(--paper);stroke-width:1.5}.troupe-graph .event .box{fill:var(--event)}
        .troupe-graph .completed .box{stroke:var(--good);stroke-width:2.5}
        .troupe-graph .failed .box{stroke:var(--bad);stroke-width:2.5}
        .troupe-graph .undeclared .box{stroke:var(--seen);stroke-dasharray:2 3}
        .troupe-graph .arrow path{fill:none;stroke:var(--ink);stroke-width:1.6}
        .troupe-graph .declared path{stroke-width:1}.troupe-graph .undo path{stroke:var(--undo);stroke-dasharray:7 4}
        .troupe-graph .observed path{stroke:var(--seen);stroke-dasharray:2 3}
        .troupe-graph .arrow text{font-size:10px;paint-order:stroke;stroke:var(--paper);stroke-width:3px}
        .troupe-graph .failing text{fill:var(--bad)}
        """

    private func marker(_ name: String, _ color: String) -> String {
        "<marker id=\"troupe-\(name)\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
            + "orient=\"auto\"><path d=\"M0 0.5 8 4 0 7.5Z\" fill=\"var(--\(color))\"/></marker>"
    }

    private func svg(of box: Box) -> String {
        var classes = [box.kind]
        if let ending = box.ending { classes.append(ending.rawValue) }
        if box.isUndeclared { classes.append("undeclared") }
        let (x, y) = (box.center.x - box.width / 2, box.center.y - box.height / 2)
        let corner = box.kind == "event" ? box.height / 2 : box.kind == "start" ? 14 : 3
        var text = "<g class=\"\(classes.joined(separator: " "))\" data-id=\"\(escaped(box.id))\">"
        text += "<title>\(escaped(box.title))</title>"
        // Attributes are for viewers that know no variables; the style above outweighs them.
        let fill = box.kind == "service" ? "#dbe7f6" : box.kind == "event" ? "#fff7e0" : "#fff"
        text +=
            "<rect class=\"box\" fill=\"\(fill)\" stroke=\"#3b4252\" x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(box.width))\" "
        text += "height=\"\(number(box.height))\" rx=\"\(number(corner))\"/>"
        let base = box.detail.isEmpty ? box.center.y + 4 : box.center.y - 3
        text += label(box.name, box.center.x, base, "name")
        if !box.detail.isEmpty { text += label(box.detail, box.center.x, box.center.y + 12, "detail") }
        return text + "</g>\n"
    }

    private func svg(of arrow: Arrow) -> String {
        let isUndo = !arrow.edge.compensates.isEmpty
        var classes = ["arrow", arrow.edge.provenance.rawValue]
        if isUndo { classes.append("undo") }
        if arrow.edge.failures > 0 { classes.append("failing") }
        let way = curve(through: arrow.path)
        let marker = arrow.edge.provenance == .observed ? "seen" : isUndo ? "undo" : "arrow"
        let service = arrow.edge.isByOperator ? "an operator" : arrow.edge.service
        var title = "\(service) \(arrow.edge.direction.rawValue) \(arrow.edge.type)"
        if isUndo { title += ", undoing \(arrow.edge.compensates.joined(separator: ", "))" }
        switch arrow.edge.provenance {
        case .observed: title += arrow.edge.isByOperator ? "; by hand" : "; seen, not declared"
        case .declared: title += "; declared"
        case .both: title += "; declared and seen"
        }
        var text = "<g class=\"\(classes.joined(separator: " "))\" data-from=\"\(escaped(arrow.from))\" "
        text += "data-to=\"\(escaped(arrow.to))\"><title>\(escaped(title))</title>"
        text += "<path fill=\"none\" stroke=\"#3b4252\" d=\"\(way)\" marker-end=\"url(#troupe-\(marker))\"/>"
        if !arrow.label.isEmpty {
            let (from, to) = (arrow.path[arrow.path.count / 2 - 1], arrow.path[arrow.path.count / 2])
            text += label(arrow.label, (from.x + to.x) / 2, (from.y + to.y) / 2 + 3, "count")
        }
        return text + "</g>\n"
    }

    /// A smooth way through points, vertical at its ends (Catmull and Rom's splines between them).
    private func curve(through path: [Point]) -> String {
        guard let first = path.first else { return "" }
        func text(_ point: Point) -> String { "\(number(point.x)) \(number(point.y))" }
        /// Half of the way between a point's neighbours, by thirds: where its handle lies.
        func handle(_ index: Int, _ sign: Double) -> Point {
            let (before, after) = (path[index - 1], path[index + 1])
            return Point(
                x: path[index].x + sign * (after.x - before.x) / 6, y: path[index].y + sign * (after.y - before.y) / 6)
        }
        var way = "M" + text(first)
        for index in path.indices.dropFirst() {
            let middle = (path[index - 1].y + path[index].y) / 2
            let start = index == 1 ? Point(x: first.x, y: middle) : handle(index - 1, 1)
            let end = index == path.count - 1 ? Point(x: path[index].x, y: middle) : handle(index, -1)
            way += "C\(text(start)) \(text(end)) \(text(path[index]))"
        }
        return way
    }

    private func label(_ text: String, _ x: Double, _ y: Double, _ name: String) -> String {
        var shown = text
        if text.count > Self.maxLetters { shown = text.prefix(Self.maxLetters - 1) + "…" }
        return "<text class=\"\(name)\" x=\"\(number(x))\" y=\"\(number(y))\">\(escaped(shown))</text>"
    }

    private func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths.isMultiple(of: 10)
            ? "\(tenths / 10)" : "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }

    /// Text for XML: no markup, no quote, and nothing XML has no place for.
    private func escaped(_ text: String) -> String {
        var safe = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": safe += "&amp;"
            case "<": safe += "&lt;"
            case ">": safe += "&gt;"
            case "\"": safe += "&quot;"
            case "'": safe += "&#39;"
            case "\n": safe += "&#10;"
            case _ where scalar.isInvisible: safe.unicodeScalars.append("\u{fffd}")
            default: safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }
}

extension Unicode.Scalar {
    /// Whether it may change how other text is shown, or is no character: controls, marks of direction, XML's exceptions.
    var isInvisible: Bool {
        value < 0x20 || (0x7f...0x9f).contains(value) || (0x200e...0x200f).contains(value)
            || (0x202a...0x202e).contains(value) || (0x2066...0x2069).contains(value)
            || (0xfffe...0xffff).contains(value)
    }
}
