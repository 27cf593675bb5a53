// Where everything stands in a picture of a choreography: what a page draws.

public import Troupe

/// A picture of a choreography with all places set; lengths are in the units of SVG.
///
/// Flows lead downwards. The same graph gives the same picture.
public struct GraphDrawing: Sendable, Hashable, Codable {
    /// A point of the picture.
    public struct Point: Sendable, Hashable, Codable {
        /// The distance from the left.
        public var x: Double
        /// The distance from the top.
        public var y: Double
    }

    /// A box for a service, for a service that starts flows, or for a type of event.
    public struct Box: Sendable, Hashable, Codable {
        /// `start:`, `service:` or `event:` and the name.
        public var id: String
        /// `start`, `service` or `event`.
        public var kind: String
        /// The name of the service or the type.
        public var name: String
        /// A second line: an event's topic, a service's versions; may be empty.
        public var detail: String
        /// How an event ends its flow.
        public var ending: FlowEnding?
        /// Whether it was only seen, and never declared.
        public var isUndeclared: Bool
        /// What to say of it at length.
        public var title: String
        /// Its centre.
        public var center: Point
        /// Its width.
        public var width: Double
        /// Its height.
        public var height: Double
    }

    /// An arrow from box to box.
    public struct Arrow: Sendable, Hashable, Codable {
        /// The box it comes from.
        public var from: String
        /// The box it leads to.
        public var to: String
        /// What it stands for.
        public var edge: ChoreographyGraph.Edge
        /// Its way, for curves whose ends are vertical.
        public var path: [Point]
        /// What is written on it; may be empty.
        public var label: String
    }

    /// The width of the picture.
    public var width: Double
    /// The height of the picture.
    public var height: Double
    /// The boxes.
    public var boxes: [Box]
    /// The arrows.
    public var arrows: [Arrow]

    /// Draws a graph.
    public init(_ graph: ChoreographyGraph) {
        let picture = GraphPicture(graph)
        let sizes = picture.boxes.map { box in
            // A letter of the font below is 7.3 wide; names longer than a line are cut.
            let letters = min(max(box.name.count, box.detail.count), GraphDrawing.maxLetters)
            return LayeredLayout.Size(
                width: max(Double(letters) * 7.3 + 24, 72), height: box.detail.isEmpty ? 30 : 44)
        }
        let layout = LayeredLayout(sizes, edges: picture.arrows.map { ($0.from, $0.to) })
        func rounded(_ point: LayeredLayout.Point) -> Point {
            Point(x: (point.x * 10).rounded() / 10, y: (point.y * 10).rounded() / 10)
        }
        width = layout.width.rounded(.up)
        height = layout.height.rounded(.up)
        boxes = picture.boxes.indices.map { index in
            let box = picture.boxes[index]
            return Box(
                id: box.id, kind: box.kind.rawValue, name: box.name, detail: box.detail, ending: box.ending,
                isUndeclared: box.isUndeclared, title: box.title, center: rounded(layout.centers[index]),
                width: sizes[index].width, height: sizes[index].height)
        }
        arrows = picture.arrows.indices.map { index in
            let arrow = picture.arrows[index]
            return Arrow(
                from: picture.boxes[arrow.from].id, to: picture.boxes[arrow.to].id, edge: arrow.edge,
                path: layout.paths[index].map(rounded), label: arrow.label)
        }
    }

    /// How much of a name is shown in a box.
    static let maxLetters = 40
}
