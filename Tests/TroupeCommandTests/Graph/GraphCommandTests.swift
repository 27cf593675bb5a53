// `troupe graph` and `troupe asyncapi` on a cluster.

import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct GraphCommandTests {
    private func declare(_ declarations: [ServiceDeclaration], on tool: ToolOnCluster) async throws {
        try await RegistryFixture.declare(declarations, on: tool)
    }

    private let shop = [
        RegistryFixture.declaration("storefront", starts: ["order.placed"]),
        RegistryFixture.declaration("shipping", to: "order.completed"),
    ]

    @Test(arguments: TestCluster.available)
    func thePictureIsMadeOfWhatServicesDeclare(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        #expect(await tool.run("graph").code == .notFound)
        try await tool.makeTopic("troupe.services")
        #expect(await tool.run("graph").code == .notFound)
        try await declare(shop, on: tool)

        let tree = await tool.run("graph")
        #expect(tree.code == .ok, "\(tree.err)")
        #expect(
            tree.lines == [
                "storefront starts", "└─ order.placed  (orders)", "   └─ [shipping]",
                "      └─ order.completed  (orders)  ■ completed",
            ])
        for (format, beginning) in [
            ("svg", "<svg "), ("dot", "digraph "), ("mermaid", "flowchart "), ("json", "{"),
        ] {
            let outcome = await tool.run("graph", "--format", format)
            #expect(outcome.code == .ok)
            #expect(outcome.out.hasPrefix(beginning))
        }
        #expect(await tool.run("graph", "--format=png").code == .usage)
        #expect(await tool.run("graph", "--check", "--format=svg").code == .usage)
    }

    @Test(arguments: TestCluster.available)
    func checkingEndsWithFiveWhenSomethingIsWrong(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("troupe.services")
        try await declare(shop, on: tool)
        let good = await tool.run("graph", "--check")
        #expect(good.code == .ok)
        #expect(good.out.isEmpty)
        try await declare([RegistryFixture.declaration("returns", from: "parcel.returned")], on: tool)
        let bad = await tool.run("graph", "--check")
        #expect(bad.code == .nonconforming)
        #expect(bad.code.rawValue == 5)
        #expect(
            bad.lines.prefix(2) == [
                "unpublished  returns handles parcel.returned, and nobody publishes it",
                "    service returns, route parcel.returned, type parcel.returned",
            ])
        let json = try await tool.run("graph", "--check", "--format=json").json()
        #expect(json["0", "rule"] == .string("unpublished"))
        #expect(json["1"] == nil)
    }

    @Test(arguments: TestCluster.available)
    func whatWasSeenIsShownAndItsUndeclaredPublicationsAreNamed(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        for topic in ["troupe.services", "troupe.tasks", "orders"] { try await tool.makeTopic(topic) }
        try await declare(shop.map { $0.moved(to: tool.namespace) }, on: tool)
        func event(_ id: String, _ type: String, by service: String) -> KafkaMessage {
            KafkaMessage(
                topic: "orders", key: Array(id.utf8), value: Array("{}".utf8),
                headers: [
                    KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", id), KafkaHeader("ce_type", type),
                    KafkaHeader("ce_source", "/services/\(service)"), KafkaHeader("ce_correlationid", "f"),
                ])
        }
        _ = try await tool.send([
            event("1", "order.placed", by: "storefront"), event("2", "order.completed", by: "shipping"),
        ])
        let path = FileManager.default.temporaryDirectory.appending(path: "graph-\(UUID()).sqlite").path
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        #expect(await tool.run("track", "--once", "--store", path).code == .ok)
        #expect(await tool.run("graph", "--check", "--store", path).code == .ok)
        #expect(await tool.run("graph", "--check", "--observed").code == .ok)

        _ = try await tool.send([event("3", "order.completed", by: "storefront")])
        #expect(await tool.run("graph", "--check").code == .ok)
        #expect(await tool.run("graph", "--check", "--store", path).code == .ok)
        #expect(await tool.run("track", "--once", "--store", path).code == .ok)
        for words in [["--store", path], ["--observed"]] {
            let bad = await tool.run(["graph", "--check"] + words)
            #expect(bad.code == .nonconforming, "\(bad.err)")
            #expect(
                bad.lines.first?.hasPrefix(
                    "undeclared-publication  storefront was seen to publish order.completed once, at 20") == true)
            let picture = await tool.run(["graph"] + words)
            #expect(picture.lines.suffix(2) == ["seen, not declared", "└─ storefront publishes order.completed  ×1"])
        }
        #expect(await tool.run("graph", "--observed", "--store", path).code == .usage)
        #expect(await tool.run("graph", "--store=/nowhere.sqlite").code == .notFound)
    }

    @Test(arguments: TestCluster.available)
    func whatAnOperatorPublishesIsToldAndIsNoFinding(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        for topic in ["troupe.services", "troupe.tasks", "orders"] { try await tool.makeTopic(topic) }
        // Nobody but the operator publishes what shipping handles.
        try await declare([shop[1].moved(to: tool.namespace)], on: tool)
        #expect(await tool.run("graph", "--check", "--observed").code == .nonconforming)
        for _ in 0..<2 {
            #expect(await tool.run("publish", "orders", "--type=order.placed", "{}").code == .ok)
        }
        let check = await tool.run("graph", "--check", "--observed")
        #expect(check.code == .ok, "\(check.out)\(check.err)")
        #expect(check.out.isEmpty)
        #expect(
            check.err.contains("An operator published order.placed 2 times, with 'troupe publish': that is no finding.")
        )
        let picture = await tool.run("graph", "--observed")
        #expect(
            picture.lines.suffix(2) == ["published by an operator, with 'troupe publish'", "└─ order.placed  ×2"])
        #expect(picture.lines.first == "an operator publishes")

        // In a service's name it is that service's.
        #expect(
            await tool.run("publish", "orders", "--type=order.placed", "--service=shipping", "{}").code == .ok)
        let bad = await tool.run("graph", "--check", "--observed")
        #expect(bad.code == .nonconforming)
        #expect(bad.lines.first?.hasPrefix("undeclared-publication  shipping was seen to publish order.placed") == true)
    }

    @Test(arguments: TestCluster.available)
    func theDocumentIsWrittenAndItsChangesAreJudged(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("troupe.services")
        try await declare(shop, on: tool)
        let document = await tool.run("asyncapi", "--title=Shop", "--api-version=2")
        #expect(document.code == .ok)
        #expect(try document.json()["info", "version"] == .string("2"))
        let file = FileManager.default.temporaryDirectory.appending(path: "asyncapi-\(UUID()).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(document.out.utf8).write(to: file)
        #expect(await tool.run("asyncapi", "--check", file.path).code == .ok)

        try await declare([RegistryFixture.declaration("shipping", to: "parcel.completed")], on: tool)
        let changed = await tool.run("asyncapi", "--check", file.path)
        #expect(changed.code == .nonconforming)
        #expect(changed.lines.last == "orders   order.completed  The message was removed")
        #expect(await tool.run("asyncapi", "--check=/nowhere.json").code == .notFound)
    }
}

extension ServiceDeclaration {
    /// The declaration with its topics in a namespace, as a service names them.
    fileprivate func moved(to namespace: String) -> ServiceDeclaration {
        var copy = self
        for index in copy.routes.indices { copy.routes[index].topic = namespace + copy.routes[index].topic }
        for index in copy.events.indices { copy.events[index].topic = namespace + copy.events[index].topic }
        return copy
    }
}
