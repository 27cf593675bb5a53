// What is declared, what is returned, and what is published.

import KafkaClient
import Testing

@testable import Troupe

@Suite struct PublishesTests {
    private func published(_ build: (inout EventRouter) -> Void) async throws -> [PackedMessage] {
        var router = EventRouter()
        build(&router)
        return try await RecordProcessor(service: "inventory", router: router, settings: .fixed()).run(eventRecord())
    }

    private func types(_ messages: [PackedMessage]) -> [String?] { messages.map { $0.header("ce_type") } }

    @Test func eachDeclarationPublishesWhatIsReturned() async throws {
        let reserved = StockReserved(orderID: "o-1")
        let rejected = StockRejected(orderID: "o-1")
        #expect(try await published { $0.on(OrderPlaced.self) { _, _ in } }.isEmpty)
        let one = try await published {
            $0.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { _, _ in reserved }
        }
        #expect(types(one) == ["shop.stock.reserved"])
        let some = try await published {
            $0.on(OrderPlaced.self, publishes: .optional(StockReserved.self)) { _, _ in reserved }
        }
        #expect(types(some) == ["shop.stock.reserved"])
        let none = try await published {
            $0.on(OrderPlaced.self, publishes: .optional(StockReserved.self)) { _, _ in nil }
        }
        #expect(none.isEmpty)
        let many = try await published {
            $0.on(OrderPlaced.self, publishes: .many(StockReserved.self)) { _, _ in [reserved, reserved, reserved] }
        }
        #expect(types(many).count == 3 && Set(many.map { $0.header("ce_id") }).count == 3)
        let all = try await published {
            $0.on(OrderPlaced.self, publishes: .all(StockReserved.self, StockRejected.self)) { _, _ in
                (reserved, rejected)
            }
        }
        #expect(types(all) == ["shop.stock.reserved", "shop.stock.rejected"])
        let oneOf = try await published {
            $0.on(OrderPlaced.self, publishes: .oneOf(StockReserved.self, StockRejected.self)) { _, _ in
                .event(rejected)
            }
        }
        #expect(types(oneOf) == ["shop.stock.rejected"])
        let manyOf = try await published {
            $0.on(OrderPlaced.self, publishes: .manyOf(StockReserved.self, StockRejected.self)) { _, _ in
                [.event(rejected), .event(reserved)]
            }
        }
        #expect(types(manyOf) == ["shop.stock.rejected", "shop.stock.reserved"])
    }

    @Test func fiveTypesCanBeDeclared() async throws {
        let five = try await published {
            $0.on(
                OrderPlaced.self,
                publishes: .oneOf(
                    StockReserved.self, StockRejected.self, StockReleased.self, OrderShipped.self, PaymentDeclined.self)
            ) { order, _ in .event(PaymentDeclined(orderID: order.orderID)) }
        }
        #expect(types(five) == ["shop.payment.declined"])
    }

    private struct Sixth: Event {
        static let type: EventType = "shop.sixth"
        static let topic: Topic = "sixth"
        var key: EventKey { .none }
    }
    private struct Seventh: Event {
        static let type: EventType = "shop.seventh"
        static let topic: Topic = "seventh"
        var key: EventKey { .none }
    }
    private struct Eighth: Event {
        static let type: EventType = "shop.eighth"
        static let topic: Topic = "eighth"
        var key: EventKey { .none }
    }

    @Test func eightTypesCanBeDeclared() async throws {
        let six = try await published {
            $0.on(
                OrderPlaced.self,
                publishes: .oneOf(
                    StockReserved.self, StockRejected.self, StockReleased.self, OrderShipped.self, PaymentDeclined.self,
                    Sixth.self)
            ) { _, _ in .event(Sixth()) }
        }
        #expect(types(six) == ["shop.sixth"])
        let seven = try await published {
            $0.on(
                OrderPlaced.self,
                publishes: .manyOf(
                    StockReserved.self, StockRejected.self, StockReleased.self, OrderShipped.self, PaymentDeclined.self,
                    Sixth.self, Seventh.self)
            ) { order, _ in
                [.event(Seventh()), .event(PaymentDeclined(orderID: order.orderID))]
            }
        }
        #expect(types(seven) == ["shop.seventh", "shop.payment.declined"])
        let eight = try await published {
            $0.on(
                OrderPlaced.self,
                publishes: .oneOf(
                    StockReserved.self, StockRejected.self, StockReleased.self, OrderShipped.self, PaymentDeclined.self,
                    Sixth.self, Seventh.self, Eighth.self)
            ) { order, _ in
                if !order.lines.isEmpty { return .event(StockRejected(orderID: order.orderID)) }
                return .event(Eighth())
            }
        }
        #expect(types(eight) == ["shop.eighth"])
    }

    @Test func declarationsSayWhatIsPublished() throws {
        let routes = inventoryRouter(Stock(1)).routes
        #expect(routes.map(\.name) == ["shop.order.placed", "shop.payment.declined", "shop.order.shipped"])
        #expect(routes.map(\.publishes.cardinality) == [.oneOf, .one, .none])
        #expect(routes[0].publishes.events.map(\.type) == ["shop.stock.reserved", "shop.stock.rejected"])
        #expect(routes[0].publishes.events.map(\.flowEnding) == [nil, .failed])
        #expect(routes[1].compensates == "shop.stock.reserved")
        let processor = try RecordProcessor(service: "inventory", router: inventoryRouter(Stock(1)), settings: .fixed())
        #expect(processor.inputTopics == ["orders", "payments", "shipments"] && processor.outputTopics == ["stock"])
        #expect(processor.retryTopics.first == "inventory.orders.retry")
        #expect(processor.deadLetterTopics.last == "inventory.shipments.dlt")
        #expect(processor.within(routes[0]) == .seconds(30))
    }

    @Test func handlersOfTheirOwnTypeAreRoutes() async throws {
        struct Reserve: EventHandler {
            func handle(_ event: OrderPlaced, _ context: EventContext) async throws -> StockReserved {
                StockReserved(orderID: event.orderID)
            }
        }
        struct Watch: EventHandler {
            func handle(_ event: OrderPlaced, _ context: EventContext) async throws {}
        }
        let one = try await published { $0.on(Reserve(), publishes: .one(StockReserved.self)) }
        #expect(types(one) == ["shop.stock.reserved"])
        #expect(try await published { $0.on(Watch()) }.isEmpty)
    }
}
