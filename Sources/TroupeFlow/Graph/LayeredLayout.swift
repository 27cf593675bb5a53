// Places boxes in layers, edges leading down: breaks cycles, layers, lessens crossings, sets coordinates.

/// A layered drawing of a directed graph (after Sugiyama, Tagawa and Toda, 1981); the same for the same input.
struct LayeredLayout {
    struct Size {
        var width: Double
        var height: Double
    }

    struct Point: Equatable {
        var x: Double
        var y: Double
    }

    /// The space between layers, between boxes, and around everything.
    static let layerGap = 44.0
    static let boxGap = 28.0
    static let margin = 16.0

    /// The centres of the boxes.
    private(set) var centers: [Point] = []
    /// The way of each edge, from box to box.
    private(set) var paths: [[Point]] = []
    private(set) var width = 0.0
    private(set) var height = 0.0

    /// - Parameters:
    ///   - sizes: The boxes; those named first are placed first where there is a choice.
    ///   - edges: Pairs of their indices.
    init(_ sizes: [Size], edges: [(from: Int, to: Int)]) {
        let isReversed = Layering.backEdges(sizes.count, edges)
        // An edge from a box to itself has no place in layers: it is drawn beside its box.
        let down = zip(edges, isReversed).map { edge, isReversed in
            isReversed ? (from: edge.to, to: edge.from) : edge
        }
        let ranks = Layering.ranks(sizes.count, down)
        var grid = LayerGrid(sizes, down, ranks)
        grid.lessenCrossings()
        let columns = grid.columns()
        place(sizes, edges, isReversed, grid, columns)
    }

    private mutating func place(
        _ sizes: [Size], _ edges: [(from: Int, to: Int)], _ isReversed: [Bool], _ grid: LayerGrid, _ columns: [Double]
    ) {
        var rows: [Double] = []
        var y = Self.margin
        for layer in grid.layers {
            let tallest = layer.map { grid.sizes[$0].height }.max() ?? 0
            rows.append(y + tallest / 2)
            y += tallest + Self.layerGap
        }
        height = max(y - Self.layerGap, Self.margin) + Self.margin
        let left = columns.indices.map { columns[$0] - grid.sizes[$0].width / 2 }.min() ?? 0
        let right = columns.indices.map { columns[$0] + grid.sizes[$0].width / 2 }.max() ?? 0
        width = right - left + 2 * Self.margin
        let points = columns.indices.map { Point(x: columns[$0] - left + Self.margin, y: rows[grid.ranks[$0]]) }
        centers = Array(points.prefix(sizes.count))
        paths = edges.indices.map { index in
            let edge = edges[index]
            guard edge.from != edge.to else { return Self.loop(at: points[edge.from], sizes[edge.from]) }
            let (upper, lower) = isReversed[index] ? (edge.to, edge.from) : (edge.from, edge.to)
            // Edges that lead up leave the middle to those that lead down.
            func shift(_ box: Int) -> Double { isReversed[index] ? sizes[box].width / 4 : 0 }
            let start = Point(x: points[upper].x + shift(upper), y: points[upper].y + sizes[upper].height / 2)
            let end = Point(x: points[lower].x + shift(lower), y: points[lower].y - sizes[lower].height / 2)
            let path = [start] + grid.bends[index].map { points[$0] } + [end]
            return isReversed[index] ? path.reversed() : path
        }
    }

    private static func loop(at center: Point, _ size: Size) -> [Point] {
        let x = center.x + size.width / 2
        return [
            Point(x: x, y: center.y - size.height / 4), Point(x: x + boxGap / 2, y: center.y),
            Point(x: x, y: center.y + size.height / 4),
        ]
    }
}

/// Cycles and layers.
enum Layering {
    /// Which edges close a cycle, seen from the boxes named first.
    static func backEdges(_ count: Int, _ edges: [(from: Int, to: Int)]) -> [Bool] {
        var outgoing = [[Int]](repeating: [], count: count)
        var hasIncoming = [Bool](repeating: false, count: count)
        for (index, edge) in edges.enumerated() where edge.from != edge.to {
            outgoing[edge.from].append(index)
            hasIncoming[edge.to] = true
        }
        enum State { case new, open, done }
        var states = [State](repeating: .new, count: count)
        var isBack = [Bool](repeating: false, count: edges.count)
        let order = (0..<count).filter { !hasIncoming[$0] } + (0..<count).filter { hasIncoming[$0] }
        for root in order where states[root] == .new {
            // Depth first, without recursion: graphs come from outside.
            var stack = [(node: root, next: 0)]
            states[root] = .open
            while let (node, next) = stack.last {
                guard next < outgoing[node].count else {
                    states[node] = .done
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].next += 1
                let edge = outgoing[node][next]
                switch states[edges[edge].to] {
                case .new:
                    states[edges[edge].to] = .open
                    stack.append((edges[edge].to, 0))
                case .open: isBack[edge] = true
                case .done: break
                }
            }
        }
        return isBack
    }

    /// The layer of each box: below all that leads to it, and sources close to what they lead to.
    ///
    /// `edges` have no cycles but from a box to itself.
    static func ranks(_ count: Int, _ edges: [(from: Int, to: Int)]) -> [Int] {
        var ranks = [Int](repeating: 0, count: count)
        var left = [Int](repeating: 0, count: count)
        let edges = edges.filter { $0.from != $0.to }
        for edge in edges { left[edge.to] += 1 }
        let incoming = left
        var ready = (0..<count).filter { left[$0] == 0 }
        var next = 0
        while next < ready.count {
            let node = ready[next]
            next += 1
            for edge in edges where edge.from == node {
                ranks[edge.to] = max(ranks[edge.to], ranks[node] + 1)
                left[edge.to] -= 1
                if left[edge.to] == 0 { ready.append(edge.to) }
            }
        }
        for node in 0..<count where incoming[node] == 0 {
            if let first = edges.filter({ $0.from == node }).map({ ranks[$0.to] }).min() { ranks[node] = first - 1 }
        }
        return ranks
    }
}
