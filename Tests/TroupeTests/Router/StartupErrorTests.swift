// Mistakes that are reported when a service starts, naming the route.

import Testing

@testable import Troupe

private struct Odd: Event {
    static let type: EventType = "odd"
    static let topic: Topic = "od d"
    var key: EventKey { .none }
}

private struct Dotted: Event {
    static let type: EventType = "dotted"
    static let topic: Topic = "or_ders"
    var key: EventKey { .none }
}

private struct DottedToo: Event {
    static let type: EventType = "dotted.too"
    static let topic: Topic = "or.ders"
    var key: EventKey { .none }
}

private struct Long: Event {
    static let type: EventType = "long"
    static let topic = Topic(String(repeating: "x", count: 230))
    var key: EventKey { .none }
}

private struct Nameless: Event {
    static let type: EventType = ""
    static let topic: Topic = "names"
    var key: EventKey { .none }
}

private struct OrderPlacedOnce: Event {
    static let type: EventType = "shop.order.placed.v0"
    static let topic: Topic = "orders"
    static let acceptedTypes: [EventType] = ["shop.order.placed"]
    var key: EventKey { .none }
}

@Suite struct StartupErrorTests {
    private func problems(
        service: String = "inventory", settings: ProcessorSettings = .fixed(), _ build: (inout EventRouter) -> Void
    ) -> [String] {
        var router = EventRouter()
        build(&router)
        do {
            _ = try RecordProcessor(service: service, router: router, settings: settings)
            return []
        } catch { return error.problems }
    }

    @Test func twoRoutesForOneTypeAreNamed() {
        let found = problems {
            $0.on(OrderPlaced.self) { _, _ in }
            $0.on(OrderPlaced.self) { _, _ in }
        }
        #expect(found == ["Two routes handle the type shop.order.placed: keep one, or move what both do into it"])
        let accepted = problems {
            $0.on(OrderPlacedOnce.self) { _, _ in }
            $0.on(OrderPlaced.self) { _, _ in }
        }
        #expect(accepted.count == 1 && accepted[0].contains("shop.order.placed:"))
        let tombstones = problems {
            $0.on(tombstonesOf: OrderPlaced.self) { _, _ in }
            $0.on(tombstonesOf: OrderPlaced.self) { _, _ in }
        }
        #expect(tombstones == ["Two routes handle tombstones of shop.order.placed: keep one"])
    }

    @Test func anEventAndItsTombstonesMayHaveARouteEach() {
        #expect(
            problems {
                $0.on(OrderPlaced.self) { _, _ in }
                $0.on(tombstonesOf: OrderPlaced.self) { _, _ in }
            }.isEmpty)
    }

    @Test func topicsThatKafkaRefusesNameTheirRoute() {
        let input = problems { $0.on(Odd.self) { _, _ in } }
        #expect(
            input.count == 1 && input[0].hasPrefix("The route of odd needs a topic named `od d`: Kafka allows only"))
        let output = problems { $0.on(OrderPlaced.self, publishes: .one(Odd.self)) { _, _ in Odd() } }
        #expect(
            output.count == 1 && output[0].hasPrefix("The route of shop.order.placed publishes to a topic named `od d`")
        )
        let collision = problems {
            $0.on(Dotted.self) { _, _ in }
            $0.on(DottedToo.self) { _, _ in }
        }
        #expect(
            collision == ["The topics or.ders and or_ders differ only in `.` and `_`, which Kafka refuses: rename one"])
        let type = problems { $0.on(Nameless.self) { _, _ in } }
        #expect(type == ["The route of  uses a type named ``: it is empty"])
    }

    @Test func theComposedNameIsMeasured() {
        // 230 + "." + ".retry" + the service's name.
        #expect(problems(service: String(repeating: "s", count: 12)) { $0.on(Long.self) { _, _ in } }.isEmpty)
        let found = problems(service: String(repeating: "s", count: 13)) { $0.on(Long.self) { _, _ in } }
        #expect(found.count == 1 && found[0].contains("it has 250 characters; Kafka allows 249"))
    }

    @Test(arguments: ["", "troupe", "Inventory", "a_b", "a.b", String(repeating: "a", count: 64), "größe"])
    func unusableServiceNamesAreRefused(_ name: String) {
        let found = problems(service: name) { $0.on(OrderPlaced.self) { _, _ in } }
        #expect(found.first?.hasPrefix("The service cannot be named `\(name)`") == true)
    }

    @Test func unusableNamespacesAndGroupsAreRefused() {
        var settings = ProcessorSettings.fixed()
        settings.namespace = "a b"
        settings.consumerGroup = "c/d"
        let found = problems(settings: settings) { $0.on(OrderPlaced.self) { _, _ in } }
        #expect(found.contains { $0.hasPrefix("The namespace cannot be `a b`") })
        #expect(found.contains { $0.hasPrefix("The consumer group cannot be named `c/d`") })
    }

    @Test func aServiceWithoutRoutesIsRefused() {
        #expect(problems { _ in } == ["The service inventory has no route: add one with `on`"])
    }

    @Test func upcastsMustLeadToARoute() {
        let nowhere = problems {
            $0.on(StockReserved.self) { _, _ in }
            $0.upcast(from: OrderPlaced.self, to: OrderShipped.self) { OrderShipped(orderID: $0.orderID) }
        }
        #expect(nowhere == ["The upcast of shop.order.placed leads to shop.order.shipped, which no route handles"])
        let circle = problems {
            $0.on(StockReserved.self) { _, _ in }
            $0.upcast(from: OrderPlaced.self, to: OrderShipped.self) { OrderShipped(orderID: $0.orderID) }
            $0.upcast(from: OrderShipped.self, to: OrderPlaced.self) { OrderPlaced(orderID: $0.orderID, lines: []) }
        }
        #expect(circle.count == 2)
        let both = problems {
            $0.on(StockReserved.self) { _, _ in }
            $0.on(StockReleased.self) { _, _ in }
            $0.upcast(from: StockReleased.self, to: StockReserved.self) { StockReserved(orderID: $0.orderID) }
        }
        #expect(both.count == 1 && both[0].contains("both handled by a route and turned into shop.stock.reserved"))
    }

    @Test func topicsOfUpcastsAreCheckedToo() {
        let found = problems {
            $0.on(StockReserved.self) { _, _ in }
            $0.upcast(from: Odd.self, to: StockReserved.self) { _ in StockReserved(orderID: "1") }
        }
        #expect(found.count == 1 && found[0].hasPrefix("The upcast of odd needs a topic named `od d`"))
    }

    @Test func anEmptyTopicIsRefusedAlsoBehindANamespace() {
        let found = problems(settings: .fixed { $0.namespace = "test-" }) {
            $0.onForeign(topic: "", as: StockReserved.self, read: { _ in StockReserved(orderID: "1") }) { _, _ in }
        }
        #expect(found.count == 1 && found[0].contains("it is empty"))
    }

    @Test func twoForeignRoutesOfATopicAreRefused() {
        let found = problems {
            for _ in 0..<2 {
                $0.onForeign(topic: "legacy", as: StockReserved.self, read: { _ in StockReserved(orderID: "1") }) {
                    _, _ in
                }
            }
        }
        #expect(found == ["Two routes read foreign records of the topic legacy: keep one"])
    }
}
