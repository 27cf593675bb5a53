// The layout: layers, crossings, places.

import Testing
import Troupe

@testable import TroupeFlow

@Suite struct LayeredLayoutTests {
    private func layout(_ count: Int, _ edges: [(Int, Int)]) -> LayeredLayout {
        LayeredLayout(
            (0..<count).map { LayeredLayout.Size(width: 60 + Double($0 % 3) * 20, height: 30) },
            edges: edges.map { (from: $0.0, to: $0.1) })
    }

    @Test func cyclesAreBrokenWhereTheyCloseAndNowhereElse() {
        let edges = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 3)].map { (from: $0.0, to: $0.1) }
        #expect(Layering.backEdges(4, edges) == [false, false, true, false, false])
    }

    @Test func everyEdgeLeadsDownAndSourcesStandCloseToWhatTheyLeadTo() {
        let edges = [(0, 1), (1, 2), (2, 3), (4, 3), (0, 3)].map { (from: $0.0, to: $0.1) }
        #expect(Layering.ranks(5, edges) == [0, 1, 2, 3, 2])
    }

    @Test func crossingsThatNeedNotBeAreNot() {
        // Two pairs that cross in the order in which they are given.
        let edges = [(0, 3), (1, 2), (2, 5), (3, 4)].map { (from: $0.0, to: $0.1) }
        let sizes = (0..<6).map { _ in LayeredLayout.Size(width: 50, height: 20) }
        var grid = LayerGrid(sizes, edges, Layering.ranks(6, edges))
        #expect(grid.crossings == 2)
        grid.lessenCrossings()
        #expect(grid.crossings == 0)
    }

    @Test(arguments: 0..<40)
    func boxesNeverOverlapAndStayInside(seed: Int) {
        var random = Random(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1)
        let count = Int.random(in: 1...30, using: &random)
        let edges = (0..<Int.random(in: 0...60, using: &random)).map { _ in
            (Int.random(in: 0..<count, using: &random), Int.random(in: 0..<count, using: &random))
        }
        let layout = layout(count, edges)
        #expect(layout.centers.count == count)
        #expect(layout.paths.count == edges.count)
        for a in 0..<count {
            let wide = 60 + Double(a % 3) * 20
            #expect(layout.centers[a].x - wide / 2 >= 0 && layout.centers[a].x + wide / 2 <= layout.width)
            #expect(layout.centers[a].y - 15 >= 0 && layout.centers[a].y + 15 <= layout.height)
            for b in 0..<a where layout.centers[a].y == layout.centers[b].y {
                let apart = (wide + 60 + Double(b % 3) * 20) / 2
                #expect(abs(layout.centers[a].x - layout.centers[b].x) >= apart - 0.001)
            }
        }
        #expect(self.layout(count, edges).centers == layout.centers)
    }

    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    @Test func anEmptyGraphIsAnEmptyPicture() {
        let drawing = GraphDrawing(ChoreographyGraph([]))
        #expect(drawing.boxes.isEmpty && drawing.arrows.isEmpty)
        #expect(XMLCheck().isWellFormed(drawing.svg))
    }

    @Test func theShopFlowsFromTopToBottom() throws {
        let drawing = GraphDrawing(ChoreographyGraph(Choreography.shop.declarations))
        func y(_ id: String) throws -> Double { try #require(drawing.boxes.first { $0.id == id }).center.y }
        let way = [
            "start:storefront", "event:order.placed", "service:inventory", "event:stock.reserved", "service:payments",
            "event:payment.taken", "service:shipping", "event:parcel.dispatched", "service:storefront",
            "event:order.completed",
        ]
        let places = try way.map { try y($0) }
        #expect(places == places.sorted())
        // Only what undoes leads back up.
        let up = try drawing.arrows.filter { try y($0.from) > y($0.to) }
        #expect(up.map { "\($0.from) \($0.to)" } == ["event:payment.declined service:inventory"])
        #expect(XMLCheck().isWellFormed(drawing.svg))
    }
}
