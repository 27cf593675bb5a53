// Places the seeded orders, at a steady rate, and never one twice.

import DemoEvents
import DemoSupport
import Foundation
import Troupe

/// Places orders.
struct Storefront: Sendable {
    let store: OrderStore
    let publisher: EventPublisher

    /// Waits until the service has joined its group, so that answers are not left lying.
    func untilAnswersAreHeard(by service: EventService) async throws {
        while service.status.partitions == 0 { try await Task.sleep(for: .milliseconds(20)) }
    }

    /// Places all orders of `traffic`, `rate` a second, and goes on where an earlier run broke off.
    func place(_ traffic: Traffic, rate: Double) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            var number = 0
            for order in traffic.orders {
                guard let placedAt = try store.begin(order, now: Date()) else { continue }
                // Acknowledgements are not waited for before the next order is placed.
                group.addTask { try await publish(order, at: placedAt) }
                number += 1
                try await clock.sleep(until: start + .seconds(Double(number) / rate))
            }
            try await group.waitForAll()
        }
    }

    /// Publishes an order under ids derived from its own id, so that a repetition has the same ones.
    private func publish(_ order: PlannedOrder, at date: Date) async throws {
        if order.path == .garbled {
            try await publisher.publish(GarbledOrder(orderID: order.id), idempotencyKey: order.id)
        } else {
            try await publisher.publish(order.placed(at: date), idempotencyKey: order.id)
        }
        try store.published(order.id)
    }
}
