// What a store forgets, and how its file comes of age.

import SQLite
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct RetentionTests {
    private func filled(_ directory: TemporaryDirectory, flows: Int) throws -> (FlowStore, FlowWriter) {
        let store = try FlowStore(path: directory.store)
        let writer = FlowWriter(store)
        try writer.apply(try Traffic(flows: flows, seed: 2).log.records, at: 10_000_000)
        return (store, writer)
    }

    @Test func oldFlowsAreForgottenInSlicesWithEverythingOfTheirs() throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let (store, writer) = try filled(directory, flows: 100)
        // Something of the last 40 is read again later.
        let late = (60..<100).map { "flow-\($0)" }
        var log = Log()
        for id in late { log.publish("\(id)-late", Shop.placed, flow: id, at: 1, partition: 9) }
        try writer.apply(log.records, at: 10_001_000)
        let retention = FlowRetention(age: 500)
        var slices: [Int] = []
        while case let count = try writer.forget(retention, at: 10_001_500, limit: 25), count > 0 {
            slices.append(count)
        }
        #expect(slices == [25, 25, 10])
        let left = try store.flows(FlowQuery(limit: 1_000)).flows
        #expect(Set(left.map(\.id)) == Set(late))
        #expect(try store.counts().values.reduce(0, +) == 40)
        let orphans = try store.reader.read { connection in
            try ["event", "payload", "message", "task", "flow_of_type", "flow_of_service"].map { table in
                try connection.first("SELECT COUNT(*) FROM \(table) WHERE flow NOT IN (SELECT number FROM flow)") {
                    try $0.get(0, as: Int.self)
                }
            }
        }
        #expect(orphans == [0, 0, 0, 0, 0, 0])
    }

    @Test func whatEventsSayOfTimeDoesNotDecide() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        log.publish("e1", Shop.placed, flow: "ancient", at: 1)
        log.publish("e2", Shop.placed, flow: "future", at: 4_000_000_000_000)
        try writer.apply(log.records, at: 10_000)
        let retention = FlowRetention(age: 1_000)
        #expect(try writer.forget(retention, at: 11_000) == 0)
        // To be judged again is not to be read.
        while try writer.sweep(at: 11_000) {}
        #expect(try writer.forget(retention, at: 11_001) == 2)
    }

    @Test func aFileThatIsTooLargeShrinks() throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let (store, writer) = try filled(directory, flows: 500)
        func pages() throws -> Int {
            try store.reader.read { try $0.first("PRAGMA page_count") { try $0.get(0) } ?? 0 }
        }
        let before = try pages()
        let bound = Int64(before / 2 * 4_096)
        while try writer.forget(FlowRetention(bytes: bound), at: 0, limit: 20) > 0 {}
        #expect(try pages() <= before / 2)
        #expect(try store.flows(FlowQuery(limit: 1_000)).flows.count > 100)
    }

    @Test func withoutBoundsNothingIsForgotten() throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let (store, writer) = try filled(directory, flows: 10)
        #expect(try writer.forget(FlowRetention(instanceAge: .max), at: .max) == 0)
        #expect(try store.flows().flows.count == 10)
        #expect(try store.services(at: 0).flatMap(\.instances).count == 2)
    }

    @Test func silentInstancesAreForgotten() throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let (store, writer) = try filled(directory, flows: 1)
        try writer.forget(FlowRetention(instanceAge: 100), at: 102)
        #expect(try store.services(at: 0).flatMap(\.instances).isEmpty)
        #expect(try store.services(at: 0).count == 3)
    }

    @Test func aServiceThatIsGoneForAWeekIsForgottenAndItsFlowsAreStuckNoMore() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        let day: Int64 = 86_400_000
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration, at: 1) }
        // It spoke last on the second day, long after it was declared; another one is alive.
        try log.beat(Shop.heartbeat("inventory", at: 2 * day))
        log.publish("e1", Shop.placed, flow: "f1", at: 1_000)
        try writer.apply(log.records, at: 2 * day)
        try writer.setLag(7, of: "inventory", at: 2 * day)
        func look(at now: Int64) throws -> [String] {
            try log.beat(Shop.heartbeat("payments", at: now))
            try writer.apply(log.records, at: now)
            try writer.forget(FlowRetention(), at: now)
            try writer.settle(at: now)
            return try store.services(at: now).map(\.name)
        }
        // Shipping never had an instance.
        #expect(try look(at: 8 * day) == ["inventory", "payments"])
        #expect(try store.counts() == [.stuck: 1])
        #expect(try look(at: 9 * day) == ["inventory", "payments"])
        #expect(try look(at: 9 * day + 1) == ["payments"])
        #expect(try store.counts() == [.running: 1])
        let lags = try store.reader.read { try $0.first("SELECT COUNT(*) FROM lag") { try $0.get(0, as: Int.self) } }
        #expect(lags == 0)
    }

    @Test func aHeartbeatHasNoTopicsLookedForAndNoDeclarationsDecoded() throws {
        let store = try FlowStore(path: ":memory:")
        let writer = FlowWriter(store)
        var log = Log()
        for declaration in Shop.declarations { try log.declare(declaration, at: 1) }
        #expect(try writer.apply(log.records, at: 1_000).registryChanged)
        #expect(writer.cache.declarations.decodings == 3)
        for number in 1...20 {
            try log.beat(Shop.heartbeat("inventory", at: Int64(number * 1_000)))
            #expect(try !writer.apply(log.records, at: Int64(number * 1_000)).registryChanged)
        }
        #expect(writer.cache.declarations.decodings == 3)
        #expect(writer.cache.heartbeats.decodings == 20)
        #expect(try store.services(at: 20_000).first?.liveCount == 1)
    }

    @Test func aSilentServiceIsAskedForItsLagMoreAndMoreRarely() {
        func interval(silentFor time: Int64) -> Int64 {
            let entry = ServiceEntry(name: "mail", declarations: [], instances: [], lastSeen: 1_000, lag: nil)
            return FlowTracker.lagInterval(of: entry, at: 1_000 + time)
        }
        #expect(interval(silentFor: -5_000) == 0)
        #expect(interval(silentFor: 60_000) == 1_000)
        #expect(interval(silentFor: 3_600_000) == 60_000)
        #expect(interval(silentFor: .max / 2) == 300_000)
    }

    @Test func aReaderRefusesAFileOfAnotherVersion() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: SQLiteError.self) { try FlowStore(path: directory.store, mode: .readOnly) }
        let database = try Database(path: directory.store)
        try database.read { try $0.executeScript("PRAGMA user_version = 99") }
        for mode in [FlowStore.Mode.readOnly, .readWrite] {
            let error = #expect(throws: SQLiteError.self) { try FlowStore(path: directory.store, mode: mode) }
            #expect(error?.code == .newerSchema)
        }
    }

    @Test func aReaderSeesWhatTheWriterCommitted() throws {
        let directory = try TemporaryDirectory()
        let (_, writer) = try filled(directory, flows: 3)
        let reader = try FlowStore(path: directory.store, mode: .readOnly)
        #expect(try reader.flows().flows.count == 3)
        var log = Log()
        log.publish("x", Shop.placed, flow: "late", at: 1, partition: 7)
        try writer.apply(log.records, at: 10_000_000)
        #expect(try reader.flows().flows.map(\.id).last == "late")
    }
}
