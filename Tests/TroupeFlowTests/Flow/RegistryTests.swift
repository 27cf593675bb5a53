// Which declarations hold, and which instances are alive.

import EventJSON
import Testing
import Troupe

@testable import TroupeFlow

@Suite struct RegistryTests {
    private func twoVersions(_ heartbeats: [InstanceHeartbeat]) -> ServiceRegistry {
        var registry = Shop.registry(heartbeats, declarations: [])
        registry.declarations["mail"] = [
            DeclarationEntry(
                fingerprint: "old", declaration: Shop.declaration("mail", [Shop.route("mail", Shop.placed)]),
                lastSeen: 1),
            DeclarationEntry(
                fingerprint: "new",
                declaration: Shop.declaration("mail", [Shop.route("mail", Shop.shipped)], version: "2"), lastSeen: 2),
        ]
        return registry
    }

    @Test func theNewestDeclarationHoldsWhenNobodyLives() {
        let judged = twoVersions([]).judged(at: 0)
        #expect(judged.duties.keys.sorted() == [Shop.shipped])
    }

    @Test func everyLiveInstancesDeclarationHolds() {
        let both = twoVersions([
            Shop.heartbeat("mail", declaration: "old", instance: "a"),
            Shop.heartbeat("mail", declaration: "new", instance: "b"),
        ])
        #expect(both.judged(at: 0).duties.keys.sorted() == [Shop.placed, Shop.shipped])
        #expect(both.entries(at: 0).map(\.versions) == [["1"]])
    }

    @Test func aRolledBackVersionHoldsWhileItLives() {
        let old = twoVersions([Shop.heartbeat("mail", declaration: "old")])
        #expect(old.judged(at: 15_000).duties.keys.sorted() == [Shop.placed])
        #expect(old.judged(at: 15_001).duties.keys.sorted() == [Shop.shipped])
    }

    /// A log in which a publisher speaks at these times, in hours, each time of another type.
    private func publisherLog(_ hours: [Int64]) throws -> Log {
        var log = Log()
        for hour in hours {
            var declaration = Shop.declaration("storefront", [], starts: ["type-\(hour)"])
            declaration.group = ""
            try log.declare(declaration, at: hour * 3_600_000, fingerprint: "p\(hour)")
        }
        return log
    }

    private func registry(_ log: Log) -> ServiceRegistry {
        var registry = ServiceRegistry()
        for record in log.records { registry.take(record, SystemTopics()) }
        return registry
    }

    @Test func whatPublishersWithoutHeartbeatsSaidLatelyHolds() throws {
        let registry = registry(try publisherLog([1, 8, 9]))
        // It holds however long ago that was: publishers speak when they publish.
        for now in [Int64(9), 10_000].map({ $0 * 3_600_000 }) {
            #expect(registry.declarations(at: now).flatMap(\.starts).sorted() == ["type-8", "type-9"])
        }
    }

    @Test func whatPublishersSaidHoldsBesideTheService() throws {
        var log = try publisherLog([8])
        try log.declare(
            Shop.declaration("storefront", [Shop.route("storefront", Shop.shipped)]), at: 9 * 3_600_000,
            fingerprint: "service")
        try log.beat(Shop.heartbeat("storefront", at: 100 * 3_600_000, declaration: "service"))
        let held = registry(log).declarations(at: 100 * 3_600_000)
        #expect(held.flatMap(\.starts) == ["type-8"])
        #expect(held.flatMap(\.routes).map(\.type) == [Shop.shipped])
    }

    @Test func whoOnlyPublishesIsAPublisherAndNoDeadService() throws {
        var log = try publisherLog([8, 9])
        #expect(registry(log).entries(at: 10_000 * 3_600_000).map(\.kind) == [.publisher])
        let entry = try #require(registry(log).entries(at: 0).first)
        #expect(entry.lastSeen == 9 * 3_600_000)
        let json = String(decoding: try EventJSONEncoder().encode(entry), as: UTF8.self)
        #expect(json.hasPrefix(#"{"name":"storefront","kind":"publisher","declarations":["#))
        #expect(try EventJSONDecoder().decode(ServiceEntry.self, from: Array(json.utf8)) == entry)
        // One that declares routes is a service, also when none of its instances is known; so is one that has an instance.
        try log.declare(
            Shop.declaration("storefront", [Shop.route("storefront", Shop.shipped)]), at: 10 * 3_600_000,
            fingerprint: "service")
        #expect(registry(log).entries(at: 0).map(\.kind) == [.service])
        var instance = try publisherLog([8])
        try instance.beat(Shop.heartbeat("storefront", declaration: "p8"))
        #expect(registry(instance).entries(at: 0).map(\.kind) == [.service])
        var silent = ServiceRegistry()
        silent.heartbeats["mail"] = [Shop.heartbeat("mail")]
        #expect(silent.entries(at: 0).map(\.kind) == [.service])
    }

    @Test func theStoreAndTheTopicSayTheSame() throws {
        var log = try publisherLog([1, 8, 9])
        for declaration in Shop.declarations { try log.declare(declaration, at: 5) }
        try log.declare(Shop.declaration("inventory", [], version: "2"), at: 6, fingerprint: "v2")
        // The older version lived longer.
        try log.beat(Shop.heartbeat("inventory", at: 7))
        let store = try FlowStore(path: ":memory:")
        try FlowWriter(store).apply(log.records, at: 0)
        for now in [Int64(7), 1_000_000] {
            let held = registry(log).declarations(at: now)
            #expect(try store.declarations(at: now) == held)
            #expect(held.filter { $0.service == "inventory" }.map(\.version) == ["1"])
        }
    }

    @Test func tombstonesTakeBackAndOddRecordsAreLeftOut() throws {
        var log = Log()
        for version in ["1", "2"] {
            try log.declare(
                Shop.declaration("shipping", [Shop.route("shipping", Shop.paid)], version: version), at: 1,
                fingerprint: "f" + version)
        }
        try log.beat(Shop.heartbeat("shipping", declaration: "f2"))
        #expect(registry(log).declarations(at: 0).map(\.version) == ["2"])
        log.append("troupe.services", 0, key: "instance/shipping/shipping-1", value: nil, at: 2)
        log.append("troupe.services", 0, key: "declaration/shipping/f2", value: nil, at: 2)
        log.append("troupe.services", 0, key: "nonsense", value: [], at: 3)
        log.append("troupe.services", 0, key: "declaration/other/f", value: Array("{".utf8), at: 3)
        log.append("troupe.services", 0, key: nil, value: nil, at: 3)
        #expect(registry(log).declarations(at: 0).map(\.version) == ["1"])
    }

    @Test func lagIsThatOfTheLiveInstances() {
        let heartbeats = [("a", 2), ("b", 3)].map { name, lag in
            Shop.heartbeat("mail", instance: name) { $0.status.lag = lag }
        }
        #expect(Shop.registry(heartbeats).entries(at: 0).first { $0.name == "mail" }?.lag == 5)
        let unknown = heartbeats + [Shop.heartbeat("mail", instance: "c")]
        #expect(Shop.registry(unknown).entries(at: 0).first { $0.name == "mail" }?.lag == nil)
        let dead = Shop.registry(heartbeats, lags: ["mail": 9]).entries(at: 1_000_000)
        #expect(dead.first { $0.name == "mail" }?.lag == 9)
        #expect(dead.first { $0.name == "mail" }?.instances.map(\.state) == [.stale, .stale])
    }

    @Test func numbersAtTheirLimitsAreBorne() {
        let heartbeats = [Int64.min, .max].map { time in
            Shop.heartbeat("mail", at: time, instance: "\(time)") { $0.status.lag = .max }
        }
        let entry = Shop.registry(heartbeats).entries(at: 1_000).first { $0.name == "mail" }
        #expect(entry?.instances.map(\.state) == [.stale, .live])
        let twins = ["a", "b"].map { name in Shop.heartbeat("mail", instance: name) { $0.status.lag = .max } }
        #expect(Shop.registry(twins).entries(at: 0).first { $0.name == "mail" }?.lag == .max)
    }

    @Test func theDigestIsThatOfWhatDecides() {
        let registry = Shop.registry()
        let heard = Shop.registry([Shop.heartbeat("inventory") { $0.status.lag = 7 }])
        #expect(registry.judged(at: 0).digest == heard.judged(at: 1_000_000).digest)
        let later = Shop.registry(since: [ServiceRegistry.RouteKey(service: "inventory", type: Shop.placed): 5])
        #expect(registry.judged(at: 0).digest != later.judged(at: 0).digest)
    }

    @Test func theTopicsOfAllEventsAreRead() {
        #expect(Shop.registry().judged(at: 0).eventTopics == ["orders", "stock", "payments"])
    }
}
