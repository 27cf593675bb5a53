// `troupe tail` and `troupe publish` on a cluster.

import Foundation
import KafkaClient
import Testing
import Troupe

@testable import TroupeCommand

@Suite struct TailCommandTests {
    private func messages(_ count: Int) -> [KafkaMessage] {
        (0..<count).map { index in
            KafkaMessage(
                topic: "orders", key: Array("k-\(index % 10)".utf8), value: Array("\(index)".utf8),
                headers: [
                    KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "e-\(index)"),
                    KafkaHeader("ce_type", index.isMultiple(of: 2) ? "test.even" : "test.odd"),
                    KafkaHeader("ce_source", "/test"), KafkaHeader("ce_correlationid", "f-\(index)"),
                ], timestamp: Int64(1_000 + index))
        }
    }

    /// The numbers in the payloads of JSON lines.
    private func numbers(_ outcome: ToolOnCluster.Outcome) throws -> [Int] {
        try outcome.lines.map { line in
            let event = try JSONDecoder().decode(JSONValue.self, from: Data(line.utf8))
            guard case .string(let text)? = event["payload"] else { return -1 }
            return try #require(Int(text))
        }
    }

    @Test(arguments: TestCluster.available)
    func theLastEventsComeInTheOrderOfTime(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("orders")
        _ = try await tool.send(messages(100))
        #expect(try numbers(await tool.run("tail", "orders", "--format=json")) == Array(90..<100))
        #expect(try numbers(await tool.run("tail", "orders", "--last=3", "--format=json")) == [97, 98, 99])
        #expect(
            try numbers(await tool.run("tail", "orders", "-n2", "--key=k-4", "--format=json")) == [84, 94])
        #expect(try numbers(await tool.run("tail", "orders", "-n1", "-t", "test.even", "--format=json")) == [98])
        #expect(try numbers(await tool.run("tail", "orders", "--correlation-id=f-5", "--format=json")) == [5])
        #expect(await tool.run("tail", "orders", "--last=0").out == "")
        let all = try numbers(await tool.run("tail", "orders", "--from-beginning", "--format=json"))
        #expect(all.sorted() == Array(0..<100))
        let few = try numbers(await tool.run("tail", "orders", "--from-beginning", "--limit=7", "--format=json"))
        #expect(few.count == 7)
    }

    @Test(arguments: TestCluster.available)
    func followingShowsWhatComesAndEndsWhenInterrupted(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("orders")
        _ = try await tool.send(messages(4))
        let recorder = Recorder()
        let tail = Task { await tool.run("tail", "orders", "--follow", "--format=json", recorder: recorder) }
        try await wait { recorder.out.split(separator: "\n").count == 4 }
        let published = await tool.run("publish", "orders", "--type=test.new", "--key=k", #"{"n": 1}"#)
        #expect(published.code == .ok)
        try await wait { recorder.out.split(separator: "\n").count == 5 }
        tail.cancel()
        let outcome = await tail.value
        #expect(outcome.code == .interrupted)
        #expect(outcome.lines.last?.contains(#""payload":{"n":1}"#) == true)
    }

    @Test(.enabled(if: TestCluster.isKafkaNamed, TestCluster.needsKafka))
    func followingReadsPartitionsThatAreAdded() async throws {
        let tool = try ToolOnCluster(.kafka)
        try await tool.makeTopic("orders")
        _ = try await tool.send(messages(4))
        let recorder = Recorder()
        let tail = Task { await tool.run("tail", "orders", "--follow", "--format=json", recorder: recorder) }
        try await wait { recorder.out.split(separator: "\n").count == 4 }
        let topic = tool.namespace + "orders"
        for result in try await KafkaAdmin(tool.configuration).addPartitions([topic: 6]).values { try result.get() }
        let added = (0..<2).map { KafkaMessage(topic: "orders", partition: Int32(4 + $0), value: [0x31]) }
        try await wait { (try? await tool.send(added)) != nil }
        try await wait { recorder.out.split(separator: "\n").count >= 6 }
        tail.cancel()
        let outcome = await tail.value
        #expect(outcome.code == .interrupted)
        for partition in [4, 5] { #expect(outcome.out.contains("\"partition\":\(partition)")) }
    }

    @Test(arguments: TestCluster.available)
    func aPublishedEventHasItsEnvelopeAndItsPlace(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("orders")
        let published = try await tool.run(
            "publish", "orders", "--type=shop.order.placed", "--key=order-7", "--header=a=b=c", "--service=storefront",
            "--format=json", #"{"total": 1.10}"#
        ).json()
        let tail = await tool.run("tail", "orders", "--format=json")
        #expect(tail.lines.count == 1)
        let event = try tail.json()
        #expect(event["eventID"] == published["eventID"] && event["eventID"] != nil)
        #expect(event["correlationID"] == published["eventID"])
        #expect(event["partition"] == published["partition"] && event["offset"] == .integer(0))
        #expect(event["key"] == .string("order-7") && event["subject"] == .string("order-7"))
        #expect(event["source"] == .string("/services/storefront"))
        #expect(event["contentType"] == .string("application/json"))
        #expect(event["payload", "total"] == .number(Decimal(string: "1.1") ?? 0))
        #expect(tail.out.contains(#"{"name":"a","value":"b=c"}"#))
        #expect(event["problem"] == nil)
    }

    @Test(arguments: TestCluster.available)
    func anIdempotencyKeyGivesTheSameIds(_ cluster: TestCluster) async throws {
        let tool = try ToolOnCluster(cluster)
        try await tool.makeTopic("orders")
        func publish(_ key: String, _ type: String) async throws -> [JSONValue?] {
            let report = try await tool.run(
                "publish", "orders", "--type", type, "--idempotency-key", key, "--format=json", "--data={}"
            ).json()
            return [report["eventID"], report["correlationID"]]
        }
        let first = try await publish("order-7", "test.a")
        #expect(try await publish("order-7", "test.a") == first)
        #expect(try await publish("order-7", "test.b")[0] != first[0])
        #expect(try await publish("order-8", "test.a")[1] != first[1])
    }

    @Test func withoutAServiceAnOperatorIsTheSource() async throws {
        let tool = try ToolOnCluster(.embedded)
        try await tool.makeTopic("orders")
        let published = await tool.run("publish", "orders", "--type=order.placed", "--idempotency-key=a", "{}")
        #expect(published.code == .ok)
        let event = try await tool.run("tail", "orders", "--format=json").json()
        #expect(event["source"] == .string("/troupe/publish"))
        // The ids that follow from the key are those of ever.
        let id = EventID.derived(
            fromIdempotencyKey: "a", service: "troupe-publish", type: "order.placed", ordinal: 0)
        #expect(event["eventID"] == .string(id.text))
    }

    @Test func whatCannotBePublishedIsNot() async throws {
        let tool = try ToolOnCluster(.embedded)
        try await tool.makeTopic("orders")
        #expect(await tool.run("publish", "orders", "--type=a", "{").code == .failure)
        #expect(await tool.run("publish", "orders", "--type=a", "--file=/nowhere/x").code == .failure)
        #expect(await tool.run("publish", "order", "--type=a", "{}").code == .notFound)
        #expect(await tool.run("publish", "orders", "{}").code == .usage)
        #expect(await tool.run("publish", "orders", "--type=a\n", "{}").code == .usage)
        #expect(await tool.run("publish", "orders", "--type=a", "{}", "--data={}").code == .usage)
        #expect(await tool.run("publish", "orders", "--type=a", "{}", "--service=A B").code == .usage)
        #expect(await tool.run("publish", "orders", "--type=a", "{}", "--header=ce_id=x").code == .usage)
        #expect(await tool.run("publish", "orders", "--type=a", "{}", "--correlation-id=").code == .usage)
        let large = "\"\(String(repeating: "x", count: 1_000_000))\""
        #expect(await tool.run("publish", "orders", "--type=a", large).code == .failure)
        #expect(await tool.run("tail", "orders").out == "")
        #expect(await tool.run("publish", "orders", "--type=a", "--content-type=text/plain", "{").code == .ok)
        #expect(await tool.run("tail", "orders").lines.count == 3)
    }

    @Test func aFileIsPublishedAsItStands() async throws {
        let tool = try ToolOnCluster(.embedded)
        try await tool.makeTopic("orders")
        let file = FileManager.default.temporaryDirectory.appending(path: "\(tool.namespace)json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("{\"a\":\n  1}".utf8).write(to: file)
        #expect(await tool.run("publish", "orders", "--type=a", "--file", file.path).code == .ok)
        #expect(await tool.run("tail", "orders").lines.last == #"  {"a":\n  1}"#)
    }

    @Test func contradictionsAreTold() async {
        let recorder = Recorder()
        let words = ["tail", "x", "--last=3", "--from-beginning", "-b", "127.0.0.1:1"]
        #expect(await Tool.troupe.run(words, recorder.console()) == .usage)
    }
}
