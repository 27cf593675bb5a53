// What a simulation shows of handling: exactly what was published, in order, by the same rules as a broker.

import KafkaClient
import Testing
import Troupe
import TroupeTesting

@Suite struct SimulatedHandlingTests {
    @Test func exactlyWhatWasPublishedIsReturnedTyped() async throws {
        try await inventory().test(.simulated) { world in
            try await world.give(OrderPlaced(order: "42", quantity: 3))
            let reserved = try await world.published(StockReserved.self)
            #expect(reserved.map(\.event) == [StockReserved(order: "42", quantity: 3)])
            #expect(reserved.first?.quantity == 3)
            #expect(reserved.first?.record.topic == "stock")
            #expect(try await world.published().count == 1)
            #expect(try await world.deadLetters().isEmpty)
            #expect(try await world.retrying().isEmpty)
        }
    }

    @Test func followOnsCarryCorrelationAndCausation() async throws {
        try await inventory().test(.simulated) { world in
            let first = try await world.give(OrderPlaced(order: "1"))
            let joined = try await world.give(OrderPlaced(order: "2"), correlationID: "flow-7")
            let caused = try await world.give(OrderPlaced(order: "3"), causedBy: first)
            let reserved = try await world.published(StockReserved.self)
            let envelopes = Dictionary(uniqueKeysWithValues: reserved.map { ($0.order, $0.envelope) })
            #expect(envelopes.count == 3)
            #expect(first.correlationID == first.id)
            #expect(envelopes["1"]?.correlationID == first.id)
            #expect(envelopes["1"]?.causationID == first.id)
            #expect(envelopes["2"]?.correlationID == "flow-7")
            #expect(envelopes["2"]?.causationID == joined.id)
            #expect(caused.causationID == first.id)
            #expect(envelopes["3"]?.correlationID == first.id)
            #expect(envelopes["3"]?.causationID == caused.id)
            #expect(envelopes["1"]?.source == "/services/inventory")
        }
    }

    @Test func eventsOfOneKeyKeepTheirOrderWhateverTheSeed() async throws {
        for seed in 0..<20 as Range<UInt64> {
            let service = inventory { order, _ in
                for _ in 0..<order.quantity % 3 { await Task.yield() }
                return StockReserved(order: order.order, quantity: order.quantity)
            }
            try await service.test(.simulated(seed: seed)) { world in
                for number in 0..<60 {
                    try await world.give(OrderPlaced(order: "order-\(number % 6)", quantity: number))
                }
                let reserved = try await world.published(StockReserved.self)
                #expect(reserved.count == 60)
                for key in 0..<6 {
                    let numbers = reserved.filter { $0.order == "order-\(key)" }.map(\.quantity)
                    #expect(numbers == Array(stride(from: key, to: 60, by: 6)))
                }
            }
        }
    }

    @Test func seedsChooseInterleavingsAndRepeatThem() async throws {
        func order(seed: UInt64) async throws -> [String] {
            try await inventory().test(.simulated(seed: seed)) { world in
                for number in 0..<12 { try await world.give(OrderPlaced(order: "\(number)")) }
                return try await world.published(StockReserved.self).map { "\($0.order) \($0.envelope.id)" }
            }
        }
        var different: Set<[String]> = []
        for seed in 0..<10 as Range<UInt64> {
            let first = try await order(seed: seed)
            #expect(try await order(seed: seed) == first)
            different.insert(first)
        }
        #expect(different.count == 10)
    }

    @Test func handlersInterleaveWhereTheySuspend() async throws {
        // Two handlers that read, suspend and write lose an update in some interleaving, and the seed repeats it.
        func final(seed: UInt64) async throws -> Int {
            let counter = Counter()
            let service = inventory { order, _ in
                let value = await counter.value
                await Task.yield()
                await counter.set(value + 1)
                return StockReserved(order: order.order, quantity: 1)
            }
            return try await service.test(.simulated(seed: seed)) { world in
                try await world.give([OrderPlaced(order: "a"), OrderPlaced(order: "b")])
                #expect(try await world.published(StockReserved.self).count == 2)
                return await counter.value
            }
        }
        var results: Set<Int> = []
        for seed in 0..<20 as Range<UInt64> {
            let result = try await final(seed: seed)
            #expect(try await final(seed: seed) == result)
            results.insert(result)
        }
        #expect(results == [1, 2])
    }

    @Test func unroutedTypesAreSkipped() async throws {
        try await inventory().test(.simulated) { world in
            try await world.give(OrderNoted(order: "1"))
            try await world.give(OrderPlaced(order: "1"))
            #expect(try await world.skipped().map(\.type) == [OrderNoted.type])
            #expect(try await world.published().count == 1)
            #expect(try await world.deadLetters().isEmpty)
            #expect(try await world.attempts().count == 1)
        }
    }

    @Test func unroutedTypesAreDeadLetteredWhenTheServiceSaysSo() async throws {
        try await inventory(configuration: configuration { $0.unroutedEvents = .deadLetter }).test(.simulated) {
            world in
            try await world.give(OrderNoted(order: "1"))
            #expect(try await world.deadLetters().map(\.reason) == [.unrouted])
            #expect(try await world.skipped().isEmpty)
        }
    }

    @Test func tombstonesGoToTheirRouteOrTheDeadLetterTopic() async throws {
        try await inventory().test(.simulated) { world in
            try await world.give(tombstoneOf: OrderPlaced.self, key: "1")
            let letters = try await world.deadLetters()
            #expect(letters.map(\.reason) == [.tombstone])
            #expect(letters.first?.value == nil)
            #expect(letters.first?.key == Array("1".utf8))
        }
        let deleted = Tally()
        var router = EventRouter()
        router.on(tombstonesOf: OrderPlaced.self) { key, _ in deleted.add(key.description) }
        let service = EventService("archive", router: router, configuration: configuration())
        try await service.test(.simulated) { world in
            try await world.give(tombstoneOf: OrderPlaced.self, key: "1")
            try await world.settled()
            #expect(deleted.all == ["1"])
            #expect(try await world.deadLetters().isEmpty)
        }
    }

    @Test func poisonIsDeadLetteredWithItsBytesAndHeaders() async throws {
        try await inventory().test(.simulated) { world in
            let headers = [
                KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "p1"),
                KafkaHeader("ce_source", "/elsewhere"),
                KafkaHeader("ce_type", OrderPlaced.type.rawValue), KafkaHeader("x-null", bytes: nil),
                KafkaHeader("x-twice", "a"), KafkaHeader("x-twice", "b"),
            ]
            let given = try await world.give(
                KafkaMessage(topic: "orders", key: [1, 2], value: [0xff, 0x00], headers: headers))
            try await world.give(KafkaMessage(topic: "orders", key: nil, value: Array("no event".utf8)))
            let letters = try await world.deadLetters().sorted { $0.reason.rawValue > $1.reason.rawValue }
            #expect(letters.map(\.reason.rawValue) == ["undecodable", "not-a-cloudevent"])
            #expect(letters.first?.value == [0xff, 0x00])
            #expect(letters.first?.key == [1, 2])
            #expect(letters.first?.headers == headers)
            #expect(letters.first?.topic == "orders")
            #expect(letters.first?.partition == given.partition)
            #expect(letters.first?.offset == given.offset)
            #expect(letters.first?.attempts == 1)
            #expect(letters.last?.attempts == 0)
            #expect(letters.last?.envelope == nil)
        }
    }

    @Test func choreographyRunsAcrossServices() async throws {
        for seed in 0..<10 as Range<UInt64> {
            try await [compensatingInventory(), payments()].test(.simulated(seed: seed)) { world in
                let small = try await world.give(OrderPlaced(order: "small", quantity: 1))
                let large = try await world.give(OrderPlaced(order: "large", quantity: 11))
                let taken = try await world.published(PaymentTaken.self)
                #expect(taken.map(\.order) == ["small"])
                #expect(taken.first?.envelope.correlationID == small.id)
                let released = try await world.published(StockReleased.self)
                #expect(released.map(\.order) == ["large"])
                #expect(released.first?.envelope.correlationID == large.id)
                let declined = try await world.published(PaymentDeclined.self)
                #expect(released.first?.envelope.causationID == declined.first?.envelope.id)
                #expect(try await world.published().count == 5)
                #expect(try await world.skipped().map(\.service).sorted() == ["inventory", "payments"])
            }
        }
    }

    @Test func givingToATopicNobodyReadsIsAnError() async throws {
        await #expect(throws: UnreadTopic.self) {
            try await inventory().test(.simulated) { world in try await world.give(PaymentTaken(order: "1")) }
        }
    }

    @Test func mistakesOfTheServiceAreFoundAtTheStart() async throws {
        let service = EventService("Not A Name", router: EventRouter(), configuration: configuration())
        await #expect(throws: StartupError.self) { try await service.test(.simulated) { _ in } }
    }

    @Test func aHandlerThatNeverReturnsIsNamed() async throws {
        let service = inventory { order, _ in
            try await Task.sleep(for: .seconds(3_600))
            return StockReserved(order: order.order, quantity: 0)
        }
        let error = await #expect(throws: TestTimedOut.self) {
            // In real time: the handler must have begun by then.
            try await service.test(.simulated.timeout(.seconds(20))) { world in
                try await world.give(OrderPlaced(order: "1"))
                _ = try await world.published()
            }
        }
        #expect(error?.underWay.count == 1)
        #expect(error?.description.contains("shop.order.placed") == true)
    }

    @Test func eventsThatGoInACircleAreNotWaitedForForever() async throws {
        var router = EventRouter()
        router.on(OrderPlaced.self, publishes: .one(OrderPlaced.self)) { order, _ in order }
        let service = EventService("echo", router: router, configuration: configuration())
        await #expect(throws: TestTimedOut.self) {
            try await service.test(.simulated.timeout(.milliseconds(100))) { world in
                try await world.give(OrderPlaced(order: "1"))
                _ = try await world.published()
            }
        }
    }
}

private actor Counter {
    private(set) var value = 0
    func set(_ new: Int) { value = new }
}
