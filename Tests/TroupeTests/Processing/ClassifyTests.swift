// What becomes of a record before anything is decoded.

import KafkaClient
import Testing

@testable import Troupe

private struct OldOrder: Event {
    static let type: EventType = "shop.order.old"
    static let topic: Topic = "orders"
    var key: EventKey { id }
    let id: EventKey
}

private struct MidOrder: Event {
    static let type: EventType = "shop.order.mid"
    static let topic: Topic = "orders"
    var key: EventKey { id }
    let id: EventKey
    let count: Int
}

private struct NewOrder: Event {
    static let type: EventType = "shop.order.new"
    static let topic: Topic = "orders"
    static let acceptedTypes: [EventType] = ["shop.order.newish"]
    var key: EventKey { id }
    let id: EventKey
    let count: Int
}

@Suite struct ClassifyTests {
    @Test func routedTypesAreHandled() throws {
        let handling = try orderProcessor().classify(eventRecord()).handling()
        #expect(handling.route.name == "shop.order.placed" && handling.attempt == 1 && handling.notBefore == nil)
        #expect(handling.origin.topic == "orders" && handling.origin.partition == 3 && handling.origin.offset == 42)
        #expect(!handling.isFromRetryTopic)
    }

    @Test func unroutedTypesAreSkippedBeforeAnythingElseIsLookedAt() throws {
        // Neither the id nor the value would do, but the event is none of the service's.
        let record = eventRecord("shop.other", value: "{not json", headers: [KafkaHeader("ce_id", "")])
        guard case .skip(.unrouted) = try orderProcessor().classify(record) else {
            Issue.record("The event is not skipped")
            return
        }
        let strict = try orderProcessor { $0.unroutedEvents = .deadLetter }
        #expect(strict.classify(record).letterReason == "unrouted")
        #expect(strict.classify(eventRecord("shop.other", value: nil)).letterReason == "unrouted")
    }

    @Test func aFailedEventWhoseRouteIsGoneIsNotSkipped() throws {
        let record = eventRecord("shop.gone", topic: "inventory.orders.retry")
        #expect(try orderProcessor().classify(record).letterReason == "unrouted")
    }

    @Test func topicsOfOthersAreSkipped() throws {
        guard case .skip(.unknownTopic) = try orderProcessor().classify(eventRecord(topic: "x")) else {
            Issue.record("The record is not skipped")
            return
        }
    }

    @Test func tombstoneIsDeadLettered() throws {
        #expect(try orderProcessor().classify(eventRecord(value: nil)).letterReason == "tombstone")
        let bare = KafkaRecord(topic: "orders", key: [1], value: nil)
        #expect(try orderProcessor().classify(bare).letterReason == "tombstone")
    }

    @Test func tombstonesGoToTheirRoute() async throws {
        var router = EventRouter()
        router.on(tombstonesOf: OrderPlaced.self, publishes: .one(StockReleased.self)) { key, _ in
            StockReleased(orderID: key)
        }
        let processor = try RecordProcessor(service: "inventory", router: router, settings: .fixed())
        let messages = try await processor.run(eventRecord(value: nil))
        #expect(messages.map { $0.header("ce_subject") } == ["o-1"])
        let bare = KafkaRecord(topic: "orders", partition: 1, offset: 2, key: Array("o-2".utf8), value: nil)
        let fromBare = try await processor.run(bare)
        #expect(fromBare.map { $0.header("ce_subject") } == ["o-2"])
        #expect(fromBare.map { $0.header("ce_causationid") } == ["orders/1/2"])
        guard case .skip(.unrouted) = processor.classify(eventRecord()) else {
            Issue.record("The event has no route but for tombstones")
            return
        }
    }

    @Test func anEmptyValueIsNoTombstone() async throws {
        let processor = try orderProcessor()
        let handling = try processor.classify(eventRecord(value: "")).handling()
        await #expect(throws: DecodeFailure.self) {
            try await processor.handle(handling, attempt: 1, firstFailedAt: nil)
        }
    }

    @Test func recordsWithoutHeadersNeedARouteThatSaysHow() async throws {
        let record = KafkaRecord(
            topic: "orders", partition: 2, offset: 7, timestamp: KafkaTimestamp(milliseconds: testTime),
            key: Array("o-9".utf8), value: Array("raw".utf8), headers: [KafkaHeader("other", "x")])
        #expect(try orderProcessor().classify(record).letterReason == "not-a-cloudevent")

        var router = EventRouter()
        router.onForeign(
            topic: "orders", as: OrderPlaced.self, publishes: .one(StockReserved.self),
            read: { record in
                guard record.value?.text == "raw" else { throw InvalidOrder() }
                return OrderPlaced(orderID: EventKey(bytes: record.key ?? record.value!), lines: [])
            }
        ) { order, context in
            #expect(context.eventID == "orders/2/7" && context.correlationID == "orders/2/7")
            return StockReserved(orderID: order.orderID)
        }
        let processor = try RecordProcessor(service: "inventory", router: router, settings: .fixed())
        let messages = try await processor.run(record)
        #expect(messages.map { $0.header("ce_correlationid") } == ["orders/2/7"])
        #expect(messages.map { $0.header("ce_id") } == (try await processor.run(record)).map { $0.header("ce_id") })

        // The retry record of it has the same ids: they come from the origin.
        let handling = try processor.classify(record).handling()
        guard
            case .retryTopic(let retry, _, _) = processor.decide(
                InvalidOrder(), handling, attempt: 2, firstFailedAt: nil, now: testTime)
        else {
            Issue.record("No retry")
            return
        }
        let again = try await processor.run(KafkaRecord(retry, offset: 99))
        #expect(again.map { $0.header("ce_id") } == messages.map { $0.header("ce_id") })

        // What the route cannot read is undecodable.
        let bad = KafkaRecord(topic: "orders", value: [1])
        await #expect(throws: DecodeFailure.self) { try await processor.run(bad) }
    }

    @Test func hostileHeadersAreDeadLettered() throws {
        let processor = try orderProcessor()
        #expect(processor.classify(eventRecord(id: "")).letterReason == "missing-attribute")
        #expect(processor.classify(eventRecord(id: "a\0b")).letterReason == "invalid-attribute")
        let version = eventRecord(headers: [KafkaHeader("ce_specversion", "2.0")])
        #expect(processor.classify(version).letterReason == "unsupported-specversion")
        let structured = eventRecord(headers: [KafkaHeader("content-type", "application/cloudevents+json")])
        #expect(processor.classify(structured).letterReason == "malformed-structured-event")
    }

    @Test func structuredEventsAreHandled() async throws {
        let processor = try RecordProcessor(
            service: "inventory", router: inventoryRouter(Stock(5)), settings: .fixed())
        let json = #"""
            {"specversion":"1.0","id":"7","source":"/erp","type":"shop.order.placed","time":"2026-11-21T11:15:00Z",
             "data":{"orderID":"o-7","lines":[{"article":"a","quantity":2}]}}
            """#
        let record = KafkaRecord(
            topic: "orders", value: Array(json.utf8),
            headers: [KafkaHeader("content-type", "application/cloudevents+json")])
        let messages = try await processor.run(record)
        #expect(messages.map { $0.header("ce_causationid") } == ["7"])
        #expect(messages.map { $0.header("ce_subject") } == ["o-7"])
        // Not a UUID, so the follow-on's id begins with the event's time.
        #expect(messages[0].header("ce_id")?.hasPrefix("01a1fdd1-1320-8") == true)
    }

    @Test func olderTypesAreAcceptedAndTurned() async throws {
        var router = EventRouter()
        router.on(NewOrder.self, publishes: .one(NewOrder.self)) { order, _ in order }
        router.upcast(from: OldOrder.self, to: MidOrder.self) { MidOrder(id: $0.id, count: 1) }
        router.upcast(from: MidOrder.self, to: NewOrder.self) { NewOrder(id: $0.id, count: $0.count + 10) }
        let processor = try RecordProcessor(service: "inventory", router: router, settings: .fixed())
        func published(_ type: String, _ value: String) async throws -> String? {
            try await processor.run(eventRecord(type, value: value))[0].message.value.map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        func count(_ text: String?) -> Bool { text?.contains(#""count":11"#) == true }
        #expect(count(try await published("shop.order.old", #"{"id":"1"}"#)))
        #expect(count(try await published("shop.order.mid", #"{"id":"1","count":1}"#)))
        #expect(count(try await published("shop.order.new", #"{"id":"1","count":11}"#)))
        #expect(count(try await published("shop.order.newish", #"{"id":"1","count":11}"#)))
        await #expect(throws: DecodeFailure.self) { try await published("shop.order.old", "[]") }
    }

    @Test func typesAreFoundAmongMany() {
        let route = inventoryRouter(Stock(0)).routes[0]
        var types: [EventType: TypeEntry] = [:]
        for number in 0..<500 { types[EventType("type.\(number)")] = TypeEntry(route: route) }
        let table = TypeTable(types)
        func found(_ name: String) -> Bool { Array(name.utf8).withUnsafeBytes { table.entry($0) != nil } }
        #expect((0..<500).allSatisfy { found("type.\($0)") })
        #expect(!(500..<1500).contains { found("type.\($0)") } && !found(""))
        #expect(!TypeTable([:]).contains("x"))
    }
}

extension TypeTable {
    fileprivate func contains(_ name: String) -> Bool { Array(name.utf8).withUnsafeBytes { entry($0) != nil } }
}
