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

    @Test func everyRecordIsHandledSkippedWaitingOrDeadLettered() async throws {
        let space = try await TestSpace(partitions: 3)
        var router = EventRouter(retry: .fixed(.seconds(3_600), maxRetries: 1).notRetrying(Failure.self))
        router.on(Placed.self, publishes: .one(Reserved.self)) { placed, _ in
            switch placed.number % 6 {
            case 0: return Reserved(order: placed.order, number: placed.number)
            case 1: throw Failure(description: "never")
            default: throw TimedOut(topic: "something outside", count: 0)
            }
        }
        // Of each six: one is handled, one refused, one waits for its retry, one has no route, one cannot be decoded,
        // one is a tombstone. A key each, so that none follows another.
        let records = (0..<120).map { number in
            var record = space.placed("order-\(number)", number: number)
            record.partition = Int32(number / 6 % 3)
            switch number % 6 {
            case 3: record.headers = record.headers.filter { $0.name != "ce_type" } + [KafkaHeader("ce_type", "other")]
            case 4: record.value = Array("{".utf8)
            case 5: record.value = nil
            default: break
            }
            return record
        }
        try await TestCluster.produce(records)
        let service = space.service("stock", router: router)
        try await withService(service) {
            try await wait(for: "all to have come to an end") {
                let status = service.status
                return status.handled + status.skipped + status.redirected + status.deadLettered == 120
                    && status.published == 20
            }
            try await wait(for: "the retries to wait") { service.status.waiting == 20 && service.status.inFlight == 20 }
        }
        #expect(service.status.handled == 20)
        #expect(service.status.skipped == 20)
        #expect(service.status.redirected == 20)
        #expect(service.status.deadLettered == 60)
        func numbers(_ topic: String) async throws -> [Int] {
            try await TestCluster.readAll(topic)
                .compactMap { record in record.key.flatMap { Int(String(decoding: $0, as: UTF8.self).dropFirst(6)) } }
                .sorted()
        }
        let retries = try await numbers("\(space.namespace)stock.placed.retry")
        let letters = try await numbers("\(space.namespace)stock.placed.dlt")
        let published = try await numbers(space.name(Reserved.topic))
        #expect(retries == Array(stride(from: 2, to: 120, by: 6)))
        #expect(letters == (0..<120).filter { [1, 4, 5].contains($0 % 6) })
        #expect(published == Array(stride(from: 0, to: 120, by: 6)))
        // Nothing of the input is left to be handled.
        let partitions = (0..<3).map { TopicPartition(space.name(Placed.topic), $0) }
        let offsets = try await KafkaAdmin(TestCluster.configuration)
            .committedOffsets(ofGroup: space.namespace + "stock", partitions: partitions)
        #expect(partitions.map { offsets[$0]?.offset } == [42, 42, 36])
    }
}
