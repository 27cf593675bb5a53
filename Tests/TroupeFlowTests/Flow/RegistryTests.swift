// Which declarations hold, and which instances are alive.

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
