// Values too large for Kafka, from publisher to handler over a broker: through retries and into the dead-letter topic.

import Foundation
import KafkaClient
import Synchronization
import Testing
import Troupe

/// An event whose text does not fit into a record.
private struct Scan: Event {
    static let type: EventType = "test.scan"
    static let topic: Topic = "placed"
    var key: EventKey { EventKey(order) }
    var order: String
    var text: String
}

/// What a handler makes of it, as large.
private struct Copy: Event {
    static let type: EventType = "test.copy"
    static let topic: Topic = "reserved"
    var key: EventKey { EventKey(order) }
    var order: String
    var text: String
}

@Suite(.timeLimit(.minutes(5))) struct ClaimCheckTests {
    /// The embedded broker has no transactions.
    private static var deliveries: [DeliveryGuarantee] {
        TestCluster.isKafka ? [.atLeastOnce, .exactlyOnce] : [.atLeastOnce]
    }

    /// Three times what a broker takes.
    private let text = String(repeating: "0123456789abcdef", count: 3 << 16)

    /// A namespace whose services keep large values in `directory`.
    private func space(
        _ directory: URL?, _ delivery: DeliveryGuarantee = .atLeastOnce
    ) async throws -> TestSpace {
        try await TestSpace(partitions: 1) {
            $0.delivery = delivery
            $0.inPlaceRetryLimit = .zero
            let store = directory.map { FileClaimCheck(directory: $0.path(percentEncoded: false)) }
            $0.claimCheck = store.map { ClaimCheckPolicy($0) }
        }
    }

    private func withDirectory(_ body: (URL) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "claims-\(TestCluster.uniquePart())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try await body(directory)
    }

    private func publish(_ order: String, in space: TestSpace) async throws {
        let publisher = try await EventPublisher("scanner", configuration: space.configuration)
        try await publisher.publish(Scan(order: order, text: text))
        await publisher.shutdown()
    }

    private func names(in directory: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path(percentEncoded: false)).sorted()
    }

    @Test(arguments: deliveries)
    func whatNoRecordCouldHoldGoesFromServiceToServiceWhole(_ delivery: DeliveryGuarantee) async throws {
        try await withDirectory { directory in
            let space = try await space(directory, delivery)
            let attempts = Mutex(0)
            var copying = EventRouter()
            copying.on(Scan.self, publishes: .one(Copy.self), retry: .fixed(.milliseconds(50), maxRetries: 3)) {
                scan, _ in
                // Once through the retry topic, which carries the reference on.
                let attempt = attempts.withLock { count in
                    count += 1
                    return count
                }
                if attempt == 1 { throw Failure(description: "not yet") }
                return Copy(order: scan.order, text: scan.text)
            }
            let received = Mutex<[String]>([])
            var receiving = EventRouter()
            receiving.on(Copy.self) { copy, _ in received.withLock { $0.append(copy.text) } }
            try await publish("a", in: space)
            try await withService(space.service("copier", router: copying)) {
                try await withService(space.service("receiver", router: receiving)) {
                    try await wait(for: "the copy to be received") { received.withLock { $0.count } == 1 }
                }
            }
            #expect(received.withLock { $0 } == [text])
            #expect(attempts.withLock { $0 } == 2)
            let scans = try await TestCluster.readAll(space.name(Scan.topic))
            let copies = try await TestCluster.readAll(space.name(Copy.topic))
            let retries = try await TestCluster.readAll("\(space.namespace)copier.placed.retry")
            #expect((scans.count, copies.count, retries.count) == (1, 1, 1))
            for record in scans + copies + retries {
                #expect(record.value?.isEmpty == true)
                #expect(record.header("troupe-claim-check") == record.header("ce_id").map { $0 + ".value" })
            }
            #expect(retries.first?.header("ce_id") == scans.first?.header("ce_id"))
            let references = (scans + copies).compactMap { $0.header("troupe-claim-check") }
            #expect(try names(in: directory) == references.sorted())
        }
    }

    @Test func aLetterCarriesTheReferenceAndTheValueStaysWhereItIs() async throws {
        try await withDirectory { directory in
            let space = try await space(directory)
            var router = EventRouter()
            router.on(Scan.self, retry: .never) { _, _ in throw Failure(description: "unreadable") }
            try await publish("a", in: space)
            try await withService(space.service("copier", router: router)) {
                let letters = try await TestCluster.read("\(space.namespace)copier.placed.dlt", count: 1)
                #expect(letters.count == 1)
                #expect(letters.first?.value?.isEmpty == true)
                let reference = try #require(letters.first?.header("troupe-claim-check"))
                #expect(try names(in: directory) == [reference])
            }
        }
    }

    @Test func aServiceWithoutTheStoreDeadLettersTheReferenceAndSaysWhatToSet() async throws {
        try await withDirectory { directory in
            let publishing = try await space(directory)
            try await publish("a", in: publishing)
            var configuration = publishing.configuration
            configuration.claimCheck = nil
            var router = EventRouter()
            router.on(Scan.self) { _, _ in }
            let service = EventService("blind", router: router, configuration: configuration)
            try await withService(service) {
                let letters = try await TestCluster.read("\(publishing.namespace)blind.placed.dlt", count: 1)
                #expect(letters.count == 1)
                #expect(letters.first?.header("troupe-reason") == "undecodable")
                #expect(letters.first?.header("troupe-error-message")?.contains("claimCheck") == true)
            }
        }
    }
}
