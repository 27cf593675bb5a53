// Layers of boxes and of the bends of edges that pass through them: their order and their columns.

/// Boxes, and the bends of edges that cross layers, layer by layer.
struct LayerGrid {
    /// The sizes of boxes and, behind them, of bends.
    private(set) var sizes: [LayeredLayout.Size]
    private(set) var ranks: [Int]
    /// The boxes and bends of each layer, in order.
    private(set) var layers: [[Int]]
    /// The bends of each edge, from its upper end.
    private(set) var bends: [[Int]] = []
    private var above: [[Int]]
    private var below: [[Int]]

    /// - Parameter edges: Each leads to a lower layer, or from a box to itself.
    init(_ boxes: [LayeredLayout.Size], _ edges: [(from: Int, to: Int)], _ boxRanks: [Int]) {
        sizes = boxes
        ranks = boxRanks
        var links: [(Int, Int)] = []
        for edge in edges {
            var bends: [Int] = []
            if edge.from != edge.to {
                for rank in (boxRanks[edge.from] + 1)..<max(boxRanks[edge.to], boxRanks[edge.from] + 1) {
                    bends.append(sizes.count)
                    sizes.append(LayeredLayout.Size(width: 8, height: 0))
                    ranks.append(rank)
                }
                let chain = [edge.from] + bends + [edge.to]
                links += zip(chain, chain.dropFirst())
            }
            self.bends.append(bends)
        }
        layers = [[Int]](repeating: [], count: (ranks.max() ?? -1) + 1)
        for node in sizes.indices { layers[ranks[node]].append(node) }
        above = [[Int]](repeating: [], count: sizes.count)
        below = above
        for (upper, lower) in links {
            above[lower].append(upper)
            below[upper].append(lower)
        }
    }

    // MARK: Order

    /// Orders each layer by the mean place of its neighbours, up and down in turn, and keeps the best order seen.
    mutating func lessenCrossings() {
        var best = layers
        var fewest = crossings
        for sweep in 0..<24 where fewest > 0 {
            let isDown = sweep.isMultiple(of: 2)
            for rank in isDown ? Array(layers.indices) : layers.indices.reversed() {
                sort(rank, by: isDown ? above : below)
            }
            let count = crossings
            if count < fewest { (fewest, best) = (count, layers) }
        }
        layers = best
    }

    private mutating func sort(_ rank: Int, by neighbours: [[Int]]) {
        let places = places
        let means = layers[rank].enumerated().map { place, node in
            let near = neighbours[node]
            let mean = near.isEmpty ? Double(place) : near.reduce(0) { $0 + Double(places[$1]) } / Double(near.count)
            return (mean, place, node)
        }
        layers[rank] = means.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }

    /// Each node's place in its layer.
    private var places: [Int] {
        var places = [Int](repeating: 0, count: sizes.count)
        for layer in layers { for (place, node) in layer.enumerated() { places[node] = place } }
        return places
    }

    /// How many pairs of edges cross between neighbouring layers.
    var crossings: Int {
        let places = places
        var count = 0
        for layer in layers {
            // The lower ends in the order of the upper ones: each pair out of order crosses.
            let ends = layer.flatMap { node in below[node].map { places[$0] }.sorted() }
            for (index, end) in ends.enumerated() { for other in ends[..<index] where other > end { count += 1 } }
        }
        return count
    }

    // MARK: Columns

    /// The horizontal centres: near those of the neighbours, in the layer's order, and apart from one another.
    func columns() -> [Double] {
        var columns = [Double](repeating: 0, count: sizes.count)
        for layer in layers {
            var x = 0.0
            for node in layer {
                columns[node] = x + sizes[node].width / 2
                x += sizes[node].width + LayeredLayout.boxGap
            }
        }
        for sweep in 0..<40 {
            let isDown = sweep.isMultiple(of: 2)
            for layer in isDown ? layers : layers.reversed() {
                // The last sweeps look both ways: so long edges become straight.
                let wishes = layer.map { node in
                    let near = sweep >= 16 ? above[node] + below[node] : isDown ? above[node] : below[node]
                    return near.isEmpty
                        ? columns[node] : near.reduce(0) { $0 + columns[$1] } / Double(near.count)
                }
                for (node, column) in zip(layer, spread(layer, wishes)) { columns[node] = column }
            }
        }
        return columns
    }

    /// The columns nearest to `wishes`, in the sense of least squares, that keep the boxes apart: pools of neighbours that
    /// touch share the mean of what they wish.
    private func spread(_ layer: [Int], _ wishes: [Double]) -> [Double] {
        var offsets: [Double] = []
        for (index, node) in layer.enumerated() {
            guard index > 0 else {
                offsets.append(0)
                continue
            }
            let gap = LayeredLayout.boxGap + (sizes[layer[index - 1]].width + sizes[node].width) / 2
            offsets.append(offsets[index - 1] + gap)
        }
        var pools: [(sum: Double, count: Int)] = []
        for (wish, offset) in zip(wishes, offsets) {
            pools.append((wish - offset, 1))
            while pools.count > 1 {
                let (last, before) = (pools[pools.count - 1], pools[pools.count - 2])
                guard last.sum / Double(last.count) < before.sum / Double(before.count) else { break }
                pools.removeLast(2)
                pools.append((last.sum + before.sum, last.count + before.count))
            }
        }
        let means = pools.flatMap { [Double](repeating: $0.sum / Double($0.count), count: $0.count) }
        return zip(means, offsets).map { $0 + $1 }
    }
}
