// The payment service: charges cards through a provider that may be down, and never charges an order twice.

import DemoEvents
import DemoSupport
import Foundation
import Troupe

@main
enum Main {
    static func main() async {
        await DemoService.main("payments") { settings in
            let outageFlag = try settings.file("provider-is-down")
            return router(
                store: try PaymentStore(path: settings.file("payments.db")),
                provider: try PaymentProvider(ledgerPath: settings.file("provider.db")) {
                    FileManager.default.fileExists(atPath: outageFlag)
                })
        }
    }

    static func router(store: PaymentStore, provider: PaymentProvider) -> EventRouter {
        var router = EventRouter()
        router.on(OrderPlaced.self, publishes: .optional(PaymentDeclined.self)) { order, context in
            guard case .declined(let reason) = try store.precheck(order, eventID: context.eventID) else { return nil }
            return PaymentDeclined(orderID: order.orderID, reason: reason)
        }
        router.on(
            StockReserved.self, publishes: .manyOf(PaymentTaken.self, PaymentDeclined.self),
            retry: .exponential(initial: .milliseconds(250), multiplier: 2, maxDelay: .seconds(4), maxRetries: 20)
        ) { order, context in
            var answer: ProviderAnswer?
            if try store.store.outcome(of: context.eventID, as: PaymentAnswer.self) == nil,
                try !store.isDecided(order.orderID), !Payments.isStolen(order.card)
            {
                answer = try await charge(order, context.eventID)
            }
            switch try store.settle(answer, order: order.orderID, eventID: context.eventID) {
            case .taken:
                return [
                    .event(
                        PaymentTaken(
                            orderID: order.orderID, amount: order.total, customer: order.customer,
                            country: order.country))
                ]
            case .declined(let reason): return [.event(PaymentDeclined(orderID: order.orderID, reason: reason))]
            case .nothing: return []
            }
        }
        return router

        @Sendable func charge(_ order: StockReserved, _ eventID: String) async throws -> ProviderAnswer {
            try store.callBegan(order: order.orderID, eventID: eventID)
            do {
                return try await provider.charge(
                    order: order.orderID, amount: order.total, card: order.card, idempotencyKey: order.orderID)
            } catch {
                try store.callFailed(eventID: eventID)
                throw error
            }
        }
    }
}
