// `troupe graph` and `troupe asyncapi` on a cluster.

import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct GraphCommandTests {
    private func declare(_ declarations: [ServiceDeclaration], on tool: ToolOnCluster) async throws {
        _ = try await tool.send(
            try declarations.map {
                KafkaMessage(
                    topic: "troupe.services",
                    key: Array(RegistryKey.declaration(service: $0.service, fingerprint: $0.version).text.utf8),
                    value: try RegistryFixture.bytes($0))
            })
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
