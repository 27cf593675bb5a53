// Which declarations hold, by what the topic of the registry says.

import EventJSON
import Foundation
import Testing
import Troupe

@testable import TroupeCommand

/// Declarations and heartbeats for the tool's tests.
enum RegistryFixture {
    static func declaration(
        _ service: String, version: String = "1", from type: String = "order.placed", to answer: String? = nil,
        starts: [String] = []
    ) -> ServiceDeclaration {
        func event(_ type: String) -> EventDescription {
            EventDescription(
                type: type, topic: "orders", flowEnding: type.hasSuffix("completed") ? .completed : nil,
                contentType: "application/json", dataSchema: nil,
                payloadSchema: #"{"type":"object","properties":{"orderID":{"type":"string"}},"required":["orderID"]}"#)
        }
        let route = RouteDeclaration(
            name: type, input: .event, type: type, acceptedTypes: [], topic: "orders",
            retryTopic: "\(service).orders.retry", deadLetterTopic: "\(service).orders.dlt",
            cardinality: answer == nil ? .none : .one, publishes: answer.map { [$0] } ?? [], compensates: nil,
            withinMilliseconds: 30_000, maxRetries: 3)
        return ServiceDeclaration(
            service: service, version: version, group: service, delivery: "at-least-once",
            routes: starts.isEmpty ? [route] : [], starts: starts,
            events: (starts.isEmpty ? [type] + (answer.map { [$0] } ?? []) : starts).map(event))
    }

    static func heartbeat(
        _ service: String, declaration: String, at time: Int64, phase: ServiceStatus.Phase = .running
    ) -> InstanceHeartbeat {
        var status = ServiceStatus()
        status.phase = phase
        return InstanceHeartbeat(
            service: service, instance: "i-\(declaration)", version: "1", declaration: declaration, host: "here",
            processID: 1, endpoint: nil, startedAt: 0, time: time, intervalMilliseconds: 1_000, assignment: [:],
            status: status)
    }

    static func bytes(_ value: some Encodable) throws -> [UInt8] { try EventJSONEncoder().encode(value) }
}

@Suite struct RegistryRecordsTests {
    private typealias Fixture = RegistryFixture

    private func registry(_ beats: [InstanceHeartbeat]) throws -> RegistryRecords {
        var registry = RegistryRecords()
        for (version, time) in [("1", 100), ("2", 200)] as [(String, Int64)] {
            registry.take(
                key: "declaration/shipping/f\(version)",
                value: try Fixture.bytes(Fixture.declaration("shipping", version: version)), time: time)
        }
        for beat in beats {
            registry.take(
                key: RegistryKey.instance(service: beat.service, instance: beat.instance).text,
                value: try Fixture.bytes(beat), time: beat.time)
        }
        return registry
    }

    @Test func declarationsOfLiveInstancesHold() throws {
        let both = try registry([
            Fixture.heartbeat("shipping", declaration: "f1", at: 9_000),
            Fixture.heartbeat("shipping", declaration: "f2", at: 9_500),
        ])
        #expect(both.current(at: 10_000).map(\.version) == ["1", "2"])
        // Three intervals without a word: the instance is dead.
        #expect(both.current(at: 12_400).map(\.version) == ["2"])
        let stopped = try registry([
            Fixture.heartbeat("shipping", declaration: "f1", at: 9_000),
            Fixture.heartbeat("shipping", declaration: "f2", at: 9_500, phase: .stopped),
        ])
        #expect(stopped.current(at: 10_000).map(\.version) == ["1"])
    }

    @Test func whatPublishersSaidLatelyHoldsBesideTheService() throws {
        var registry = try registry([Fixture.heartbeat("shipping", declaration: "f1", at: 9_000)])
        for (fingerprint, type, time) in [("p1", "old", 0), ("p2", "a", 9_000_000), ("p3", "b", 9_100_000)] {
            var publisher = Fixture.declaration("shipping", starts: [type])
            publisher.group = ""
            registry.take(
                key: "declaration/shipping/\(fingerprint)", value: try Fixture.bytes(publisher), time: Int64(time))
        }
        let current = registry.current(at: 10_000)
        #expect(current.flatMap(\.starts).sorted() == ["a", "b"])
        #expect(current.filter { !$0.routes.isEmpty }.map(\.version) == ["1"])
    }

    @Test func aServiceThatDoesNotRunIsShownByItsLastDeclaration() throws {
        #expect(try registry([]).current(at: 10_000).map(\.version) == ["2"])
    }

    @Test func tombstonesTakeBackAndOddRecordsAreLeftOut() throws {
        var registry = try registry([])
        registry.take(key: "declaration/shipping/f2", value: nil, time: 300)
        #expect(registry.current(at: 10_000).map(\.version) == ["1"])
        registry.take(key: "nonsense", value: [], time: 300)
        registry.take(key: "declaration/other/f", value: Array("{".utf8), time: 300)
        #expect(registry.current(at: 10_000).map(\.service) == ["shipping"])
    }
}
