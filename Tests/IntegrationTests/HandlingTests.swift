// Handling and publishing, on a real broker's protocol.

import KafkaClient
import Synchronization
import Testing
import Troupe

@Suite(.timeLimit(.minutes(5))) struct HandlingTests {
    @Test func everyEventIsHandledAndItsFollowOnPublishedOnce() async throws {
        let space = try await TestSpace()
        var router = EventRouter()
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            Reserved(order: placed.order, number: placed.number)
        }
        let service = space.service("stock", router: router)
        try await TestCluster.produce((0..<1_000).map { space.placed("order-\($0 % 50)", number: $0) })
        try await withService(service) {
            let records = try await TestCluster.read(space.name(Reserved.topic), count: 1_000)
            #expect(Set(records.compactMap { $0.header("ce_causationid") }).count == 1_000)
            #expect(Set(records.compactMap { $0.header("ce_id") }).count == 1_000)
            #expect(records.allSatisfy { $0.header("ce_correlationid")?.hasPrefix("flow-order-") == true })
            try await wait(for: "the service to have handled all") { service.status.handled == 1_000 }
        }
        #expect(service.status.inFlight == 0)
        #expect(service.status.published == 1_000)
        #expect(service.status.phase == .stopped)
    }
}
