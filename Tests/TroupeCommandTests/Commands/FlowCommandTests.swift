// `troupe flow`, `troupe services` and `troupe track`, on a broker and on a store.

import EventJSON
import Foundation
import KafkaClient
import Testing
import Troupe
import TroupeFlow

@testable import TroupeCommand

@Suite struct FlowCommandTests {
    private let tool: ToolOnCluster
    private let now = nowInMilliseconds()

    init() throws { tool = try ToolOnCluster(.embedded) }

    /// Two orders: one was handled, the other waits for a service that is not there.
    private func fill() async throws {
        let topic = tool.namespace + "orders"
        let declaration = ServiceDeclaration(
            service: "inventory", version: "1.2", group: "inventory", delivery: "at-least-once",
            routes: [
                RouteDeclaration(
                    name: "shop.order.placed", input: .event, type: "shop.order.placed", acceptedTypes: [],
                    topic: topic, retryTopic: "r", deadLetterTopic: "d", cardinality: .one,
                    publishes: ["shop.stock.reserved"], compensates: nil, withinMilliseconds: 1_000, maxRetries: 3)
            ], starts: [],
            events: [
                EventDescription(
                    type: "shop.stock.reserved", topic: topic, flowEnding: .completed,
                    contentType: "application/json", dataSchema: nil, payloadSchema: nil)
            ])
        func event(
            _ id: String, _ type: String, _ flow: String, _ subject: String, cause: String? = nil
        ) -> KafkaMessage {
            var headers = [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", id), KafkaHeader("ce_type", type),
                KafkaHeader("ce_source", "/services/inventory"), KafkaHeader("ce_correlationid", flow),
                KafkaHeader("ce_subject", subject),
            ]
            if let cause { headers.append(KafkaHeader("ce_causationid", cause)) }
            return KafkaMessage(
                topic: "orders", key: Array(flow.utf8), value: Array("{}".utf8), headers: headers,
                timestamp: now - 580_000)
        }
        let report = TaskReport(
            event: "e1", flow: "f1", type: "shop.order.placed", topic: topic, partition: 0, offset: 0, attempt: 1,
            replays: 0, outcome: .handled, startedAt: now - 580_000, microseconds: 1_500, published: ["e2"],
            notBefore: nil, failure: nil)
        _ = try await tool.send([
            KafkaMessage(
                topic: "troupe.services",
                key: Array(RegistryKey.declaration(service: "inventory", fingerprint: "abc").text.utf8),
                value: try EventJSONEncoder().encode(declaration), timestamp: now - 700_000),
            event("e1", "shop.order.placed", "f1", "order-1"),
            event("e2", "shop.stock.reserved", "f1", "order-1", cause: "e1"),
            event("e3", "shop.order.placed", "f2", "order-2"),
            KafkaMessage(
                topic: "troupe.tasks",
                value: try EventJSONEncoder().encode(TaskBatch(service: "inventory", instance: "i", tasks: [report]))),
        ])
    }

    @Test func theTopicsAnswerWithoutATracker() async throws {
        try await fill()
        let list = await tool.run("flow", "list")
        #expect(list.code == .ok, "\(list.err)")
        #expect(list.lines.last == "All flows: 1 completed, 1 stuck.")
        #expect(list.lines.count { $0.contains("order-") } == 2)

        let done = await tool.run("flow", "show", "order-1")
        #expect(done.lines.first == "COMPLETED in 1 ms: shop.stock.reserved ended the flow")
        #expect(
            done.lines.dropFirst(2).map { $0.prefix { $0 != "+" } } == [
                "● shop.order.placed ", "└─ inventory handled ", "   └─ ● shop.stock.reserved ",
            ])
        for name in ["f2", "e3", "order-2"] {
            let stuck = await tool.run("flow", "show", name)
            // How long depends on when it is asked.
            let verdict = try #require(stuck.lines.first)
            #expect(verdict.hasPrefix("STUCK "))
            #expect(verdict.hasSuffix(" min: inventory has not handled shop.order.placed; its group has no members"))
        }
        let json = try await tool.run("flow", "show", "order-2", "--format=json").json()
        #expect(json["verdict", "status"] == .string("stuck"))
        #expect(json["verdict", "delay", "kind"] == .string("no-members"))

        let followed = await tool.run("flow", "follow", "order-1")
        #expect(followed.code == .ok)
        #expect(followed.lines.count == 4)
        #expect(followed.lines.last == done.lines.first)
    }

    @Test func aTrackersStoreAnswersTheSame() async throws {
        try await fill()
        let path = NSTemporaryDirectory() + "troupe-track-\(UInt64.random(in: 0 ... .max)).sqlite"
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        for words in [["--once"], ["--once", "--rebuild"]] {
            let track = await Tool.troupe.run(
                ["track", "--store", path] + words
                    + ["-b", tool.configuration.bootstrapServers, "--namespace", tool.namespace], Recorder().console())
            #expect(track == .ok)
            let recorder = Recorder()
            let list = await Tool.troupe.run(
                ["flow", "list", "--store", path, "--status=stuck", "--format=json"], recorder.console())
            #expect(list == .ok)
            let json = try JSONDecoder().decode(JSONValue.self, from: Data(recorder.out.utf8))
            #expect(json["flows", "0", "subject"] == .string("order-2"))
            #expect(json["flows", "1"] == nil)
        }
    }

    @Test func theRegistryIsShown() async throws {
        try await fill()
        let list = await tool.run("services", "list")
        #expect(list.lines.count == 2)
        #expect(list.lines.last?.hasPrefix("inventory  1.2") == true)
        let show = await tool.run("services", "show", "inventory")
        #expect(show.code == .ok)
        #expect(show.out.contains("one shop.stock.reserved"))
        let json = try await tool.run("services", "show", "inventory", "--format=json").json()
        #expect(json["declarations", "0", "fingerprint"] == .string("abc"))
    }

    private struct Asked: Event {
        static let type: EventType = "shop.asked"
        static let topic: Topic = "orders"
        var key: EventKey { EventKey(order) }
        var order: String
    }

    @Test func aPublisherIsShownAsOneAndNotAsADeadService() async throws {
        try await fill()
        var configuration = ServiceConfiguration(kafka: tool.configuration, environment: [:])
        configuration.namespace = tool.namespace
        configuration.logger = Logger(label: "test", level: .critical, handler: Unheard())
        let publisher = try await EventPublisher("gateway", publishes: [Asked.self], configuration: configuration)
        let deadline = ContinuousClock.now + .seconds(120)
        var list = await tool.run("services", "list")
        while list.lines.count < 3, ContinuousClock.now < deadline { list = await tool.run("services", "list") }
        await publisher.shutdown()
        let words = try #require(list.lines.first { $0.hasPrefix("gateway") }).split(separator: " ")
        #expect(words.dropLast(1) == ["gateway", "-", "-", "-", "-", "-", "publisher"])
        let show = await tool.run("services", "show", "gateway")
        #expect(show.lines.first == "gateway")
        #expect(show.lines.dropFirst().first?.hasPrefix("publisher, last seen ") == true)
        #expect(show.lines.last == "starts flows with shop.asked")
        #expect(show.lines.count == 4)
        let json = try await tool.run("services", "show", "gateway", "--format=json").json()
        #expect(json["kind"] == .string("publisher"))
        let other = try await tool.run("services", "show", "inventory", "--format=json").json()
        #expect(other["kind"] == .string("service"))
    }

    private struct Unheard: LogHandler {
        func log(_ line: LogLine) {}
    }

    @Test func whatIsNotThereEndsWith3() async throws {
        try await fill()
        #expect(await tool.run("flow", "show", "order-9").code == .notFound)
        #expect(await tool.run("services", "show", "inventori").err.contains("Did you mean inventory?"))
        let missing = await Tool.troupe.run(
            ["flow", "list", "--store", NSTemporaryDirectory() + "none.sqlite"], Recorder().console())
        #expect(missing == .notFound)
        #expect(await tool.run("flow", "list", "--status=happy").code == .usage)
    }
}
