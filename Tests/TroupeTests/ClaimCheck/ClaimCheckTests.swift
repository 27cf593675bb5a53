// Values too large for records: stored before, fetched after.

import Foundation
import KafkaClient
import Synchronization
import Testing

@testable import Troupe

/// A claim check in memory that can be told to fail.
private final class MemoryClaimCheck: ClaimCheck {
    struct Down: Error {}

    let values = Mutex<[String: [UInt8]]>([:])
    let failures = Mutex<Int>(0)

    private func failIfTold() throws {
        let fails = failures.withLock { left in
            defer { left = max(left - 1, 0) }
            return left > 0
        }
        if fails { throw Down() }
    }

    func store(_ bytes: [UInt8], eventID: String) async throws -> String {
        try failIfTold()
        values.withLock { $0["memory/\(eventID)"] = bytes }
        return "memory/\(eventID)"
    }

    func fetch(_ reference: String) async throws -> [UInt8] {
        try failIfTold()
        guard let bytes = values.withLock({ $0[reference] }) else { throw ClaimCheckError("Nothing at \(reference)") }
        return bytes
    }
}

private struct Report: Event, Equatable {
    static let type: EventType = "test.report"
    static let topic: Topic = "reports"
    var key: EventKey { "r" }
    var text: String
}

@Suite struct ClaimCheckTests {
    private let store = MemoryClaimCheck()

    private func processor(
        _ handled: @escaping @Sendable (Report) -> Void = { _ in }, threshold: Int = 100, hasStore: Bool = true
    ) throws -> RecordProcessor {
        var router = EventRouter(retry: .fixed(.seconds(60), maxRetries: 3))
        router.on(OrderPlaced.self, publishes: .many(Report.self)) { order, _ in
            [Report(text: "small"), Report(text: String(repeating: order.orderID.text ?? "", count: 1000))]
        }
        router.on(Report.self) { report, _ in handled(report) }
        let policy = hasStore ? ClaimCheckPolicy(store, threshold: threshold) : nil
        return try RecordProcessor(
            service: "inventory", router: router,
            settings: .fixed {
                $0.claimCheck = policy; $0.maxMessageBytes = 2000
            })
    }

    @Test func whatIsLargeIsStoredAndOnlyItsReferencePublished() async throws {
        let processor = try processor()
        let messages = try await processor.run(eventRecord())
        #expect(messages.count == 2)
        #expect(messages[0].header("troupe-claim-check") == nil)
        #expect(messages[0].message.value == Array(#"{"text":"small"}"#.utf8))
        let id = try #require(messages[1].header("ce_id"))
        #expect(messages[1].header("troupe-claim-check") == "memory/\(id)")
        #expect(messages[1].message.value == [])
        #expect(store.values.withLock { $0.count } == 1)
        // The same handling again stores under the same name.
        #expect(try await processor.run(eventRecord()).count == 2)
        #expect(store.values.withLock { $0.count } == 1)
    }

    @Test func theValueIsBackBeforeTheHandlerRuns() async throws {
        let handled = Mutex<[Report]>([])
        let processor = try processor { report in handled.withLock { $0.append(report) } }
        for message in try await processor.run(eventRecord()) { _ = try await processor.run(KafkaRecord(message)) }
        let texts = handled.withLock { $0.map(\.text) }
        #expect(texts == ["small", String(repeating: "o-1", count: 1000)])
    }

    @Test func aStoreThatIsDownIsRetriedAndTheReferenceKept() async throws {
        let processor = try processor()
        store.failures.withLock { $0 = 1 }
        await #expect(throws: MemoryClaimCheck.Down.self) { try await processor.run(eventRecord()) }
        let large = KafkaRecord(try await processor.run(eventRecord())[1])
        store.failures.withLock { $0 = 1 }
        let handling = try processor.classify(large).handling()
        let error = await #expect(throws: MemoryClaimCheck.Down.self) {
            try await processor.handle(handling, attempt: 1, firstFailedAt: nil)
        }
        let action = processor.decide(
            try #require(error), handling, attempt: 1, firstFailedAt: nil, now: testTime)
        guard case .retryTopic(let message, _, _) = action else {
            Issue.record("Not through the retry topic: \(action)")
            return
        }
        #expect(message.header("troupe-claim-check") == large.header("troupe-claim-check"))
        _ = try await processor.run(KafkaRecord(message), attempt: 2)
    }

    @Test func aReferenceThatLeadsNowhereIsUndecodable() async throws {
        let record = eventRecord(
            "test.report", topic: "reports", value: "", headers: [KafkaHeader("troupe-claim-check", "memory/none")])
        let missing = await #expect(throws: DecodeFailure.self) { try await self.processor().run(record) }
        #expect(missing?.description.contains("Nothing at memory/none") == true)
        let unknown = await #expect(throws: DecodeFailure.self) {
            try await self.processor(hasStore: false).run(record)
        }
        #expect(unknown?.description.contains("Set the service's claimCheck") == true)
        let hostile = eventRecord(
            "test.report", topic: "reports", value: "", headers: [KafkaHeader("troupe-claim-check", "a\nb")])
        #expect(try processor().classify(hostile).letterReason == "invalid-attribute")
    }

    @Test func withoutAStoreWhatIsTooLargeIsUnpublishable() async throws {
        await #expect(throws: PublicationFailure.self) { try await self.processor(hasStore: false).run(eventRecord()) }
    }

    // MARK: - Files

    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "claims-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try await body(directory.path(percentEncoded: false))
    }

    @Test func filesKeepValuesWholeUnderTheEventsId() async throws {
        try await withDirectory { directory in
            let files = FileClaimCheck(directory: directory)
            let value = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
            let reference = try await files.store(value, eventID: "0190163d-8694-739b-aea5-966c26f8ad91")
            #expect(reference == "0190163d-8694-739b-aea5-966c26f8ad91.value")
            #expect(try await files.fetch(reference) == value)
            #expect(try await files.store([1], eventID: "0190163d-8694-739b-aea5-966c26f8ad91") == reference)
            #expect(try await files.fetch(reference) == [1])
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [reference])
        }
    }

    @Test(arguments: ["../secret.value", "/etc/passwd", "..value", "a/b.value", "", ".value", "a.txt", "a\u{0}.value"])
    func aReferenceToAnotherFileIsRefused(_ reference: String) async throws {
        try await withDirectory { directory in
            await #expect(throws: ClaimCheckError.self) {
                try await FileClaimCheck(directory: directory).fetch(reference)
            }
        }
    }

    /// A volume that hangs, here by a pipe that nobody writes to, takes a bounded number of threads.
    @Test(.timeLimit(.minutes(5))) func whatHangsHoldsABoundedNumberOfThreads() async throws {
        try await withDirectory { directory in
            let files = FileClaimCheck(directory: directory, maxCalls: 2)
            try #require(mkfifo(directory + "/hangs.value", 0o600) == 0)
            func refusal() async -> String? {
                do { _ = try await files.fetch("missing.value") } catch { return "\(error)" }
                return nil
            }
            let hanging = (0..<2).map { _ in
                Task {
                    while true {
                        do {
                            return try await files.fetch("hangs.value")
                        } catch let error where "\(error)".contains("is not touched") {
                            // Whoever looks below was in between.
                        }
                    }
                }
            }
            while await refusal()?.contains("is not touched: 2 others") != true {}
            for task in hanging { task.cancel() }
            for task in hanging { await #expect(throws: CancellationError.self) { try await task.value } }
            // Nobody waits for them any more, but they hang still.
            #expect(await refusal()?.contains("is not touched: 2 others") == true)
            // Somebody writes: the reads end, and others may begin.
            while await refusal()?.contains("cannot be opened") != true {
                close(open(directory + "/hangs.value", O_WRONLY | O_NONBLOCK))
            }
        }
    }

    @Test func aMissingFileOrDirectoryIsTriedAgain() async throws {
        let files = FileClaimCheck(directory: "/nowhere")
        let reading = try #require(
            await #expect(throws: (any Error).self) { try await files.fetch("a.value") })
        #expect(!(reading is ClaimCheckError))
        #expect("\(reading)".contains("/nowhere/a.value"))
        await #expect(throws: (any Error).self) { try await files.store([1], eventID: "a") }
    }
}
