// Flows that a gateway knows in part: they are told as the archive knows them, or not at all, never as running for ever.

import Foundation
import Synchronization
import Testing
import Troupe

@testable import TroupeWeb

/// An archive whose knowledge a test changes.
private final class Archive: FlowArchive {
    struct Unreachable: Error {}
    private let flows = Mutex<[String: FlowSnapshot]?>([:])
    func keep(_ flow: FlowSnapshot) { flows.withLock { $0?[flow.id] = flow } }
    /// Has it answer nothing any more.
    func fail() { flows.withLock { $0 = nil } }
    /// How often it was asked.
    var questions: Int { asked.load(ordering: .relaxed) }
    private let asked = Atomic<Int>(0)
    func flow(_ id: String) throws -> FlowSnapshot? {
        asked.add(1, ordering: .relaxed)
        guard let flows = flows.withLock({ $0 }) else { throw Unreachable() }
        return flows[id]
    }
}

/// An event that another one caused.
private func consequence(_ id: String, of flow: String, type: EventType = "step", offset: Int64 = 1) throws -> FlowEvent
{
    var event = try flowEvent(id, of: flow, type: type, offset: offset)
    event.envelope.causationID = "cause-of-\(id)"
    return event
}

@Suite struct FlowArchiveTests {
    /// The routes over a follower that remembers one flow, and no Kafka.
    private func with(
        _ archive: Archive? = nil, _ body: (FlowFollower, UInt16) async throws -> Void
    ) async throws {
        var memory = FlowMemory()
        memory.flows = 1
        let follower = FlowFollower(memory)
        follower.learn(["done": .completed])
        var configuration = GatewayConfiguration(service: ServiceConfiguration(environment: [:]))
        configuration.maxWait = .seconds(100)
        configuration.patienceWithUnknownFlows = .seconds(100)
        configuration.archive = archive
        var router = HTTPRouter()
        let logger = Logger(label: "test", level: .critical, handler: SilentLogHandler())
        var routes = FlowRoutes(follower: follower, configuration: configuration, logger: logger)
        routes.archiveInterval = .seconds(1_000)
        routes.add(to: &router, requiring: nil)
        let server = try HTTPServer(router)
        // Nobody's time is up unless a test says so, but for those who wait for what is unknown.
        let result: Result<Void, any Error>
        do { result = .success(try await body(follower, server.port)) } catch { result = .failure(error) }
        follower.end()
        await server.stop()
        try result.get()
    }

    /// Has a flow end and be forgotten, and then go on.
    private func forget(_ id: String, _ follower: FlowFollower) throws {
        follower.add(try flowEvent("1", of: id))
        follower.add(try consequence("2", of: id, type: "done"))
        follower.add(try flowEvent("1", of: "another"))
        #expect(follower.snapshot(id) == nil)
        follower.add(try consequence("3", of: id, type: "late", offset: 9))
    }

    @Test func aForgottenFlowThatGoesOnIsNotToldAsRunning() async throws {
        try await with { follower, port in
            try forget("f", follower)
            async let answer = RawClient.ask(port, "GET /flows/f")
            try await eventually { follower.waiterCount == 1 }
            follower.expire(at: .now + .seconds(600))
            #expect(try await answer.status == 404)
            async let waiting = RawClient.ask(port, "GET /flows/f?wait=100s")
            try await eventually { follower.waiterCount == 1 }
            follower.expire(at: .now + .seconds(600))
            #expect(try await waiting.status == 404)
            // Its end is told also without its beginning.
            follower.add(try consequence("4", of: "f", type: "done", offset: 10))
            #expect(try await RawClient.ask(port, "GET /flows/f").json["status"] as? String == "completed")
        }
    }

    @Test func theArchiveIsAskedForAForgottenFlowThatGoesOn() async throws {
        let archive = Archive()
        archive.keep(FlowSnapshot(id: "f", outcome: .failed))
        try await with(archive) { follower, port in
            try forget("f", follower)
            for query in ["", "?wait=100s"] {
                let answer = try await RawClient.ask(port, "GET /flows/f\(query)")
                #expect(answer.status == 200)
                #expect(answer.json["status"] as? String == "failed")
                #expect((answer.json["events"] as? [Any])?.count == 1)
            }
        }
    }

    @Test func theEndOfAFlowThatOnlyTheArchiveKnowsIsWaitedFor() async throws {
        let archive = Archive()
        archive.keep(FlowSnapshot(id: "f", events: [try flowEvent("1", of: "f")]))
        try await with(archive) { follower, port in
            async let answer = RawClient.ask(port, "GET /flows/f?wait=100s")
            try await eventually { follower.waiterCount == 1 }
            follower.add(try consequence("2", of: "f", type: "done"))
            #expect(try await answer.status == 200)
            #expect(try await answer.json["status"] as? String == "completed")
            #expect(try await (answer.json["events"] as? [Any])?.count == 2)
        }
    }

    @Test func theArchiveIsAskedAgainWhenTheTimeIsUp() async throws {
        let archive = Archive()
        archive.keep(FlowSnapshot(id: "f"))
        try await with(archive) { follower, port in
            for (isOver, status) in [(false, 202), (true, 200)] {
                async let answer = RawClient.ask(port, "GET /flows/f?wait=100s")
                try await eventually { follower.waiterCount == 1 }
                if isOver { archive.keep(FlowSnapshot(id: "f", outcome: .completed)) }
                follower.expire(at: .now + .seconds(600))
                #expect(try await answer.status == status)
            }
        }
    }

    @Test func theStreamOfAFlowThatOnlyTheArchiveKnowsGoesOn() async throws {
        let archive = Archive()
        archive.keep(FlowSnapshot(id: "f", events: [try flowEvent("1", of: "f")]))
        try await with(archive) { follower, port in
            let client = try RawClient(port: port)
            try client.ask("GET /flows/f/events")
            try await eventually { follower.waiterCount == 1 }
            follower.add(try consequence("2", of: "f", type: "done"))
            let text = try await client.text { $0.hasSuffix("0\r\n\r\n") }
            #expect(text.components(separatedBy: "\ndata: ").count == 4)
            #expect(text.contains(#""status":"completed""#))
        }
    }

    @Test func theArchiveIsAskedForAFlowThatMayHaveBegunBefore() async throws {
        let archive = Archive()
        archive.keep(FlowSnapshot(id: "f", outcome: .completed))
        archive.keep(FlowSnapshot(id: "g", outcome: .completed))
        try await with(archive) { follower, port in
            // The request was repeated, so its event is on the topic once more, and nobody handles it again.
            follower.add(try flowEvent("1", of: "f"))
            follower.confirm("f", isNew: false)
            for query in ["", "?wait=100s"] {
                let answer = try await RawClient.ask(port, "GET /flows/f\(query)")
                #expect(answer.status == 200)
                #expect(answer.json["status"] as? String == "completed")
            }
            // Whoever asks for its events is told of its end, once.
            let events = try await RawClient.ask(port, "GET /flows/f/events")
            #expect(events.text.contains(#""status":"completed""#))
            let told = try await RawClient.ask(port, "GET /flows/f/events", headers: ["Last-Event-ID: orders:0:9"])
            #expect(told.text.contains(#""status":"completed""#))
            let again = try await RawClient.ask(port, "GET /flows/f/events", headers: ["Last-Event-ID: orders:0:9,end"])
            #expect(again.status == 204)
            // What began here runs until its end is read: the archive is not asked.
            follower.confirm("g", isNew: true)
            #expect(try await RawClient.ask(port, "GET /flows/g").json["status"] as? String == "running")
        }
    }

    @Test func theArchiveIsAskedNowAndThenForWhatRuns() async throws {
        let archive = Archive()
        try await with(archive) { follower, port in
            follower.add(try flowEvent("1", of: "f"))
            for _ in 0..<10 {
                #expect(try await RawClient.ask(port, "GET /flows/f").json["status"] as? String == "running")
            }
            #expect(archive.questions == 1)
            // Whoever waits has it asked when the time is up all the same.
            async let answer = RawClient.ask(port, "GET /flows/f?wait=100s")
            try await eventually { follower.waiterCount == 1 }
            archive.keep(FlowSnapshot(id: "f", outcome: .failed))
            follower.expire(at: .now + .seconds(600))
            #expect(try await answer.json["status"] as? String == "failed")
            #expect(archive.questions == 2)
        }
    }

    @Test func anArchiveThatFailsIsNoReasonToHideWhatWasRead() async throws {
        let archive = Archive()
        archive.fail()
        try await with(archive) { follower, port in
            follower.add(try flowEvent("1", of: "f"))
            #expect(try await RawClient.ask(port, "GET /flows/f").json["status"] as? String == "running")
            #expect(try await RawClient.ask(port, "GET /flows/g").status == 500)
            // An end is an answer without its beginning, too.
            follower.add(try consequence("2", of: "h", type: "done"))
            #expect(try await RawClient.ask(port, "GET /flows/h").json["status"] as? String == "completed")
        }
    }

    @Test func aFlowIsWholeWithItsFirstEventOrWhenItWasStartedHere() throws {
        var table = FlowTable()
        _ = table.add(try consequence("2", of: "f"))
        #expect(!table.isTellable("f"))
        _ = table.add(try flowEvent("1", of: "f"))
        #expect(table.isTellable("f"))
        #expect(table.snapshot("f")?.isWhole == true)
        table.hold("g")
        #expect(!table.isTellable("g"))
        table.confirm("g", isNew: true)
        #expect(table.isTellable("g"))
    }
}
