// What a handling publishes.

import KafkaClient
import Testing

@testable import Troupe

private struct Bytes: RawEvent {
    static let type: EventType = "test.bytes"
    static let topic: Topic = "bytes"
    var rawBytes: [UInt8]
    var key: EventKey { .none }
}

private struct Unencodable: Event {
    static let type: EventType = "test.unencodable"
    static let topic: Topic = "bytes"
    var key: EventKey { .none }
    var number = Double.nan
}

@Suite struct HandleTests {
    private func processor(
        _ stock: Int = 10, _ change: (inout ProcessorSettings) -> Void = { _ in }
    ) throws -> RecordProcessor {
        try RecordProcessor(service: "inventory", router: inventoryRouter(Stock(stock)), settings: .fixed(change))
    }

    private let order = eventRecord(
        value: #"{"orderID":"o-1","lines":[{"article":"a","quantity":1}],"unknown":{}}"#,
        headers: [
            KafkaHeader("ce_correlationid", "flow-1"),
            KafkaHeader("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            KafkaHeader("tracestate", "vendor=1"),
        ])

    @Test func followOnsCarryTheGoldenHeaders() async throws {
        let message = try await processor().run(order)[0]
        let headers = message.message.headers.filter { $0.name != "traceparent" }.map { "\($0.name): \($0.text ?? "")" }
        #expect(
            headers == [
                "ce_specversion: 1.0", "ce_type: shop.stock.reserved", "ce_source: /services/inventory",
                "content-type: application/json", "ce_id: 0190163d-8694-8045-87e2-2cb25b529309",
                "ce_time: 2026-11-21T11:15:00.000Z", "ce_subject: o-1", "ce_correlationid: flow-1",
                "ce_causationid: 0190163d-8694-739b-aea5-966c26f8ad91", "tracestate: vendor=1",
            ])
        let trace = try #require(message.header("traceparent"))
        #expect(trace.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") && trace.hasSuffix("-01"))
        #expect(!trace.contains("b7ad6b7169203331"))
        #expect(message.topic == "stock" && message.partition == -1 && message.timestamp == 0)
        #expect(message.message.key.map { String(decoding: $0, as: UTF8.self) } == "o-1")
        #expect(message.message.value.map { String(decoding: $0, as: UTF8.self) } == #"{"orderID":"o-1"}"#)
    }

    @Test func theSameHandlingPublishesTheSameIds() async throws {
        let first = try await processor().run(order)[0].header("ce_id")
        // Another instance, later: it draws other random numbers.
        let second = try await processor {
            $0.random = FastRandom(seed: 2)
            let now = $0.now
            $0.now = { now() + 60_000 }
        }
        .run(order, attempt: 3)[0].header("ce_id")
        #expect(first != nil && first == second)
    }

    @Test func aParentWithoutCorrelationGivesItsOwnId() async throws {
        let record = eventRecord(value: #"{"orderID":"o-1","lines":[]}"#, headers: [KafkaHeader("tracestate", "a=b")])
        let message = try await processor().run(record)[0]
        #expect(message.header("ce_correlationid") == "0190163d-8694-739b-aea5-966c26f8ad91")
        #expect(message.header("traceparent") != nil, "a trace begins here")
        #expect(message.header("tracestate") == nil, "and the state of none is not taken over")
    }

    @Test func theNamespaceStandsBeforeEveryTopic() async throws {
        let processor = try processor { $0.namespace = "test-" }
        #expect(
            processor.inputTopics.first == "test-orders" && processor.retryTopics.first == "test-inventory.orders.retry"
        )
        #expect(processor.names.consumerGroup == "test-inventory")
        let record = eventRecord(topic: "test-orders")
        #expect(try await processor.run(record)[0].topic == "test-stock")
        let group = try self.processor { $0.consumerGroup = "legacy.group" }
        #expect(
            group.names.consumerGroup == "legacy.group" && group.deadLetterTopics.first == "legacy.group.orders.dlt")
    }

    @Test func theContextTellsWhereTheEventComesFrom() async throws {
        var router = EventRouter()
        let seen = LogRecorder()
        router.on(OrderPlaced.self) { order, context in
            #expect(context.eventID == "0190163d-8694-739b-aea5-966c26f8ad91" && context.correlationID == "flow-1")
            #expect(context.causationID == nil && context.key == "o-1" && context.service == "inventory")
            #expect(context.topic == "orders" && context.partition == 3 && context.offset == 42)
            #expect(context.timestamp.milliseconds == 1000 && context.attempt == 2 && context.firstFailedAt == 5)
            #expect(!context.isReplay && context.replayCount == 0 && context.routeName == "shop.order.placed")
            #expect(context.envelope.type == "shop.order.placed" && context.record.offset == 42)
            context.logger.info("seen", metadata: ["order": order.orderID.description])
        }
        let processor = try RecordProcessor(
            service: "inventory", router: router, settings: .fixed { $0.logger = Logger(label: "l", handler: seen) })
        let messages = try await processor.handle(
            try processor.classify(order).handling(), attempt: 2, firstFailedAt: 5)
        #expect(messages.isEmpty && seen.lines.count == 1)
        #expect(seen.lines[0].metadata["order"] == "o-1" && seen.lines[0].metadata["attempt"] == "2")
        #expect(seen.lines[0].metadata["event_id"] == "0190163d-8694-739b-aea5-966c26f8ad91")
    }

    @Test func handlerErrorsComeOut() async throws {
        let record = eventRecord(value: #"{"orderID":"o","lines":[{"article":"a","quantity":0}]}"#)
        let processor = try processor()
        await #expect(throws: InvalidOrder.self) { try await processor.run(record) }
    }

    @Test(arguments: [-1, 0, 1]) func publishedSizesEndAtTheLimit(_ excess: Int) async throws {
        let limit = 2000
        func run(_ size: Int) async throws -> [PackedMessage] {
            var router = EventRouter()
            router.on(OrderPlaced.self, publishes: .one(Bytes.self)) { _, _ in
                Bytes(rawBytes: [UInt8](repeating: 7, count: size))
            }
            return try await RecordProcessor(
                service: "inventory", router: router, settings: .fixed { $0.maxMessageBytes = limit }
            ).run(eventRecord())
        }
        let overhead = try await run(0)[0].maxWireSize
        if excess <= 0 {
            #expect(try await run(limit - overhead + excess)[0].maxWireSize == limit + excess)
        } else {
            await #expect(throws: PublicationFailure.self) { try await run(limit - overhead + excess) }
        }
    }

    @Test func whatCannotBeEncodedIsAPublicationFailure() async throws {
        var router = EventRouter()
        router.on(OrderPlaced.self, publishes: .one(Unencodable.self)) { _, _ in Unencodable() }
        let processor = try RecordProcessor(service: "inventory", router: router, settings: .fixed())
        let failure = await #expect(throws: PublicationFailure.self) { try await processor.run(eventRecord()) }
        #expect(failure?.type == "test.unencodable")
    }

    @Test func flowsStartedOutsideHaveTheirOwnIds() throws {
        let publisher = PublisherIdentity(service: "storefront")
        var emitter = EventEmitter(
            publisher: publisher, cause: .outside(correlationID: nil, idempotencyKey: nil), now: testTime,
            random: FastRandom(seed: 1))
        try emitter.emit(StockReserved(orderID: "1"))
        try emitter.emit(StockReserved(orderID: "2"))
        let ids = emitter.messages.map { $0.header("ce_id") }
        #expect(Set(ids).count == 2 && emitter.correlationID == ids[0])
        #expect(
            emitter.messages.allSatisfy {
                $0.header("ce_correlationid") == ids[0] && $0.header("ce_causationid") == nil
            })

        func keyed() throws -> [PackedMessage] {
            var emitter = EventEmitter(
                publisher: publisher, cause: .outside(correlationID: nil, idempotencyKey: "checkout-42"), now: testTime,
                random: FastRandom())
            try emitter.emit(OrderPlaced(orderID: "1", lines: []))
            return emitter.messages
        }
        let message = try keyed()[0]
        #expect(message.header("ce_id") == "00000000-0000-8595-8980-ae5af0a5c009")
        #expect(message.header("ce_correlationid") == "00000000-0000-8dd8-b803-576da3f9428a")
        #expect(try keyed()[0].header("ce_id") == message.header("ce_id"))

        var joining = EventEmitter(
            publisher: publisher, cause: .outside(correlationID: "flow-9", idempotencyKey: nil), now: testTime,
            random: FastRandom(seed: 1))
        try joining.emit(StockReserved(orderID: "1"))
        #expect(joining.messages[0].header("ce_correlationid") == "flow-9")
    }
}
