// The graph of declarations and observations, and its texts.

import EventJSON
import Foundation
import Testing
import Troupe
import TroupeFlow

@Suite struct ChoreographyGraphTests {
    private let shop = Choreography.shop.declarations

    @Test func everyServiceEventAndEdgeIsThereOnce() throws {
        let graph = ChoreographyGraph(shop)
        #expect(graph.services.map(\.name) == ["inventory", "notifications", "payments", "shipping", "storefront"])
        #expect(graph.events.count == 9)
        #expect(graph.starts == ["order.placed"])
        #expect(graph.event("order.cancelled")?.ending == .failed)
        #expect(graph.event("order.completed")?.ending == .completed)
        #expect(graph.edges.count == 18)
        #expect(graph.edges.allSatisfy { $0.provenance == .declared && $0.count == 0 })
        let undoing = graph.edges.filter { !$0.compensates.isEmpty }.map { "\($0.direction) \($0.type)" }
        #expect(undoing == ["handles payment.declined", "publishes stock.released"])
    }

    @Test func theOrderOfDeclarationsDoesNotMatter() {
        let graph = ChoreographyGraph(shop)
        #expect(ChoreographyGraph(shop.reversed()) == graph)
        #expect(GraphDrawing(ChoreographyGraph(shop.reversed())).svg == GraphDrawing(graph).svg)
    }

    @Test func declaredAndSeenAreToldApart() throws {
        let graph = ChoreographyGraph(
            shop,
            observed: [
                ObservedEdge(
                    publisher: "storefront", type: "order.placed", consumer: "inventory", count: 7, failures: 2),
                ObservedEdge(publisher: "storefront", type: "order.placed", consumer: "spy", count: 5),
                ObservedEdge(publisher: "shipping", type: "parcel.lost", count: 1),
            ])
        func edge(_ service: String, _ type: String) throws -> ChoreographyGraph.Edge {
            try #require(graph.edges.first { $0.service == service && $0.type == type })
        }
        #expect(try edge("storefront", "order.placed").provenance == .both)
        #expect(try edge("storefront", "order.placed").count == 7)
        #expect(try edge("inventory", "order.placed").failures == 2)
        #expect(try edge("spy", "order.placed").provenance == .observed)
        #expect(try edge("shipping", "parcel.lost").provenance == .observed)
        #expect(try edge("payments", "stock.reserved").provenance == .declared)
        #expect(graph.service("spy")?.isDeclared == false)
    }

    @Test func anOperatorIsShownAsOne() throws {
        let graph = ChoreographyGraph(
            shop,
            observed: [
                ObservedEdge(publisher: "/troupe/publish", type: "order.placed", consumer: "inventory", count: 2),
                ObservedEdge(publisher: "/troupe/publish", type: "parcel.lost", count: 1),
            ])
        #expect(graph.service("/troupe/publish")?.isOperator == true)
        #expect(graph.service("storefront")?.isOperator == false)
        let tree = graph.tree
        #expect(
            tree.hasSuffix(
                """
                an operator publishes
                └─ parcel.lost  ! nobody handles it

                published by an operator, with 'troupe publish'
                ├─ order.placed  ×2
                └─ parcel.lost  ×1
                """), "\(tree)")
        let drawing = GraphDrawing(graph)
        #expect(drawing.boxes.first { $0.name == "an operator" }?.isUndeclared == false)
        #expect(drawing.svg.contains("an operator publishes parcel.lost; by hand"))
        #expect(graph.mermaid.contains("|\"by hand, 1\"|"))
    }

    @Test func versionsSideBySideAreJoinedWithANote() throws {
        var shop = Choreography.shop
        shop.change("shipping") { $0.version = "1" }
        shop.service(
            "shipping", version: "2",
            [Choreography.on("payment.taken", .one, "parcel.dispatched"), Choreography.on("order.cancelled")])
        let shipping = try #require(ChoreographyGraph(shop.declarations).service("shipping"))
        #expect(shipping.versions == ["1", "2"])
        #expect(
            shipping.notes == ["2 declarations side by side: 1, 2", "Only version 2 handles order.cancelled"])
    }

    @Test func theTreeReadsFromStartToEnd() {
        let expected = """
            storefront starts
            └─ order.placed  (order)
               └─ [inventory] one of
                  ├─ stock.reserved  (stock)
                  │  └─ [payments] one of
                  │     ├─ payment.taken  (payment)
                  │     │  └─ [shipping]
                  │     │     └─ parcel.dispatched  (parcel)
                  │     │        ├─ [notifications]
                  │     │        └─ [storefront]
                  │     │           └─ order.completed  (order)  ■ completed
                  │     └─ payment.declined  (payment)
                  │        └─ [inventory]  ↩ undoes stock.reserved
                  │           └─ stock.released  (stock)
                  │              └─ [storefront]
                  │                 └─ order.cancelled  (order)  ■ failed
                  │                    └─ [notifications]
                  └─ stock.rejected  (stock)
                     └─ [storefront]
                        └─ order.cancelled  (order)  ■ failed  (above)
            """
        #expect(ChoreographyGraph(shop).tree == expected)
    }

    @Test func theTreeShowsAlsoWhatNoStartReaches() {
        var odd = Choreography()
        odd.service("a", [Choreography.on("ping", .one, "pong"), Choreography.on("lost")])
        odd.service("b", [Choreography.on("pong", .one, "ping")])
        let tree = ChoreographyGraph(odd.declarations, observed: [ObservedEdge(publisher: "x", type: "y", count: 3)])
            .tree
        #expect(
            tree == """
                nobody publishes
                └─ lost  (lost)
                   └─ [a]
                b publishes
                └─ ping  (ping)
                   └─ [a]
                      └─ pong  (pong)
                         └─ [b]
                            └─ ping  (ping)  (above)
                x publishes
                └─ y  ! nobody handles it

                seen, not declared
                └─ x publishes y  ×3

                notes
                · x: It has not declared itself
                """)
    }

    @Test func jsonHasEverythingAndIsReadBack() throws {
        let graph = ChoreographyGraph(shop, observed: [ObservedEdge(publisher: "x", type: "y", count: 3)])
        #expect(try EventJSONDecoder().decode(ChoreographyGraph.self, from: Array(graph.json.utf8)) == graph)
        let again = try JSONDecoder().decode(ChoreographyGraph.self, from: Data(graph.json.utf8))
        #expect(again == graph)
    }

    @Test func dotAndMermaidNameEveryBoxAndEdge() {
        let graph = ChoreographyGraph(shop)
        // 5 services, 9 events and the place where flows start.
        #expect(graph.dot.split(separator: "\n").filter { $0.contains("shape=") }.count == 15)
        #expect(graph.dot.split(separator: "\n").filter { $0.contains(" -> ") }.count == 18)
        #expect(graph.dot.contains(#""service:inventory" -> "event:stock.released" [style=dashed, color=sienna];"#))
        let mermaid = graph.mermaid.split(separator: "\n")
        #expect(mermaid.first == "flowchart TD")
        #expect(mermaid.filter { $0.contains("-->") || $0.contains("-.->") }.count == 18)
        #expect(mermaid.filter { $0.contains("-.->|\"undo\"|") }.count == 2)
    }

    @Test func hostileNamesStayText() throws {
        var hostile = Choreography()
        let name = "x\"]; <script>alert(1)</script> \u{202e} & ' \\ \n end"
        hostile.service("evil", starts: [name], [Choreography.on(name)])
        let graph = ChoreographyGraph(hostile.declarations)
        let svg = GraphDrawing(graph).svg
        #expect(!svg.contains("<script"))
        #expect(!svg.contains("\u{202e}"))
        #expect(svg.contains("&lt;script&gt;"))
        let parser = XMLCheck()
        #expect(parser.isWellFormed(svg))
        #expect(!graph.mermaid.contains("<script"))
        #expect(graph.mermaid.split(separator: "\n").filter { $0.contains("end") }.count == 1)
        #expect(graph.dot.split(separator: "\n").filter { $0.contains("alert") && $0.contains("shape=") }.count == 1)
        #expect(!graph.tree.contains("\u{202e}"))
    }
}
