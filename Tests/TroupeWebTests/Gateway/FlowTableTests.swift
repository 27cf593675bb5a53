// What a gateway remembers of flows, and who is woken by what.

import KafkaClient
import Synchronization
import Testing
import Troupe

@testable import TroupeWeb

/// Makes an event of a flow.
func flowEvent(
    _ id: String, of flow: String?, type: EventType = "step", partition: Int32 = 0, offset: Int64 = 0, bytes: Int = 0
) throws -> FlowEvent {
    var headers: [KafkaHeader] = [
        KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", id), KafkaHeader("ce_type", type.rawValue),
        KafkaHeader("ce_source", "/services/a"), KafkaHeader("content-type", "application/json"),
    ]
    if let flow { headers.append(KafkaHeader("ce_correlationid", flow)) }
    let record = KafkaRecord(
        topic: "orders", partition: partition, offset: offset, value: [UInt8](repeating: 0x31, count: bytes),
        headers: headers)
    return try FlowEvent(
        envelope: EventEnvelope(record), data: record.value.map { Array($0) }, partition: record.topicPartition,
        offset: offset)
}

@Suite struct FlowTableTests {
    @Test func eventsMakeAFlow() throws {
        var table = FlowTable()
        _ = table.learn(["done": .completed, "off": .failed])
        #expect(table.snapshot("f") == nil)
        #expect(try table.add(flowEvent("1", of: "f")) == .progressed)
        #expect(table.snapshot("f")?.status == "running")
        #expect(try table.add(flowEvent("1", of: "f", offset: 7)) == .none)
        #expect(try table.add(flowEvent("2", of: "f", type: "off")) == .ended)
        // What comes behind the end changes nothing about it.
        #expect(try table.add(flowEvent("3", of: "f", type: "done")) == .progressed)
        let flow = try #require(table.snapshot("f"))
        #expect(flow.status == "failed")
        #expect(flow.ending?.envelope.id == "2")
        #expect(flow.events.map(\.envelope.id) == ["1", "2", "3"])
        #expect(try table.add(flowEvent("4", of: nil)) == .none)
        #expect(table.count == 1)
    }

    @Test func aFlowThatBeganHereIsKnownByItsBody() throws {
        var table = FlowTable()
        func holds(_ id: String, _ digest: Int) -> Bool { table.hold(id, digest: digest) }
        #expect(holds("f", 1))
        #expect(!holds("f", 2))
        #expect(holds("f", 1))
        // Nothing came of it: it is forgotten with its body.
        table.release("f")
        table.release("f")
        #expect(table.count == 0)
        #expect(holds("f", 2))
        table.confirm("f", isNew: true)
        table.release("f")
        #expect(!holds("f", 1))
        // One that was read first began elsewhere, with whatever body.
        _ = try table.add(flowEvent("1", of: "g"))
        #expect(holds("g", 1))
        #expect(holds("g", 2))
    }

    @Test func theFlowWithoutNewsForLongestIsForgotten() throws {
        var memory = FlowMemory()
        memory.flows = 3
        var table = FlowTable(memory)
        for flow in ["a", "b", "c"] { _ = try table.add(flowEvent("1", of: flow)) }
        _ = try table.add(flowEvent("2", of: "a"))
        _ = try table.add(flowEvent("1", of: "d"))
        #expect(["a", "b", "c", "d"].filter { table.snapshot($0) != nil } == ["a", "c", "d"])
        table.hold("c")
        _ = try table.add(flowEvent("1", of: "e"))
        _ = try table.add(flowEvent("1", of: "f"))
        _ = try table.add(flowEvent("1", of: "g"))
        #expect(table.snapshot("c") != nil)
        #expect(table.count == 3)
        table.release("c")
        _ = try table.add(flowEvent("1", of: "h"))
        _ = try table.add(flowEvent("1", of: "i"))
        _ = try table.add(flowEvent("1", of: "j"))
        #expect(table.snapshot("c") == nil)
        #expect(["h", "i", "j"].allSatisfy { table.snapshot($0) != nil })
    }

    @Test func aFlowThatIsHeldInFrontOfTheOrderIsForgottenWhenItIsReleased() throws {
        var memory = FlowMemory()
        memory.flows = 2
        var table = FlowTable(memory)
        _ = try table.add(flowEvent("1", of: "old"))
        table.hold("old")
        for flow in 0..<100 { _ = try table.add(flowEvent("1", of: "\(flow)")) }
        #expect(table.count == 2)
        #expect(table.snapshot("old") != nil)
        table.hold("x")
        table.release("old")
        #expect(table.count == 2)
        table.release("x")
        #expect(table.count == 1)
    }

    @Test func bytesAreBounded() throws {
        var memory = FlowMemory()
        memory.bytes = 10_000
        memory.eventsPerFlow = 3
        var table = FlowTable(memory)
        for flow in 0..<1000 { _ = try table.add(flowEvent("1", of: "\(flow)", bytes: 600)) }
        #expect(table.count == 10)
        #expect(table.byteCount <= 10_000)
        for number in 0..<50 { _ = try table.add(flowEvent("\(number)", of: "999", bytes: 0)) }
        let flow = try #require(table.snapshot("999"))
        #expect(flow.events.count == 3)
        #expect(flow.omittedEvents == 47)
    }

    @Test func whatIsOnlyHeldIsNotKnown() {
        var table = FlowTable()
        table.hold("f")
        #expect(table.snapshot("f") == nil)
        table.release("f")
        #expect(table.count == 0)
        table.hold("f")
        table.confirm("f", isNew: true)
        table.release("f")
        #expect(table.snapshot("f")?.status == "running")
        table.release("never-held")
    }

    @Test func anEndingLearnedLateEndsWhatIsRemembered() throws {
        var table = FlowTable()
        _ = try table.add(flowEvent("1", of: "f", type: "done"))
        #expect(table.learn(["done": .completed]) == ["f"])
        #expect(table.learn(["done": .completed]) == [])
        #expect(table.snapshot("f")?.outcome == .completed)
    }

    @Test func aMillionNewsTakeBoundedRoom() throws {
        var memory = FlowMemory()
        memory.flows = 100
        var table = FlowTable(memory)
        let events = try (0..<200).map { try flowEvent("1", of: "\($0)") }
        for number in 0..<100_000 { _ = table.add(events[number % 200]) }
        #expect(table.count == 100)
        #expect(table.placeCount <= 2 * 100 + 1024 + 1)
    }

    @Test func heldFlowsAreNotInTheWay() throws {
        var memory = FlowMemory()
        memory.flows = 100
        var table = FlowTable(memory)
        for number in 0..<90 { table.hold("held-\(number)") }
        for number in 0..<10_000 { _ = try table.add(flowEvent("1", of: "\(number)")) }
        #expect(table.count == 100)
        #expect(table.placeCount <= 2 * 100 + 1024 + 90)
        #expect(table.snapshot("9999") != nil)
        for number in 0..<90 { table.release("held-\(number)") }
        #expect(table.count == 10)
    }
}

@Suite struct FlowFollowerTests {
    @Test func whoWaitsIsWokenByTheEnd() async throws {
        let follower = FlowFollower(FlowMemory())
        follower.learn(["done": .completed])
        async let waiting: Void = follower.wait(for: .over, of: "f", until: .now + .seconds(600))
        try await eventually { follower.waiterCount == 1 }
        follower.add(try flowEvent("1", of: "f"))
        #expect(follower.waiterCount == 1)
        follower.add(try flowEvent("2", of: "f", type: "done"))
        await waiting
        #expect(follower.waiterCount == 0)
        // What has happened is not waited for.
        await follower.wait(for: .over, of: "f", until: .now + .seconds(600))
    }

    @Test func timeUpAndCancellationAndTheEndWakeToo() async throws {
        let follower = FlowFollower(FlowMemory())
        async let short: Void = follower.wait(for: .tellable, of: "f", until: .now + .seconds(1))
        async let long: Void = follower.wait(for: .tellable, of: "f", until: .now + .seconds(600))
        try await eventually { follower.waiterCount == 2 }
        follower.expire(at: .now + .seconds(2))
        await short
        #expect(follower.waiterCount == 1)
        let task = Task { await follower.wait(for: .tellable, of: "f", until: .now + .seconds(600)) }
        try await eventually { follower.waiterCount == 2 }
        task.cancel()
        await task.value
        #expect(follower.waiterCount == 1)
        follower.end()
        await long
        await follower.wait(for: .tellable, of: "f", until: .now + .seconds(600))
        #expect(follower.waiterCount == 0)
    }
}
