// Ten thousand records that are no events.

import Foundation
import KafkaClient
import Testing
import Troupe

@Suite(.timeLimit(.minutes(10))) struct MalformedFloodTests {
    @Test func tenThousandMalformedRecordsAreDeadLetteredAndTheServiceLives() async throws {
        let seed = UInt64(ProcessInfo.processInfo.environment["TEST_SEED"] ?? "") ?? UInt64.random(in: 1...UInt64.max)
        var random = Generator(state: seed)
        let space = try await TestSpace(partitions: 4)
        var router = EventRouter()
        router.on(Placed.self) { _, _ in }
        let service = space.service("stock", router: router)
        var messages = (0..<10_000).map { malformed($0, space, &random) }
        messages.append(space.placed("fine"))
        try await TestCluster.produce(messages)
        try await withService(service) {
            let letters = try await TestCluster.read(
                "\(space.namespace)stock.placed.dlt", count: 10_000, within: .seconds(240))
            try await wait(for: "the good one to be handled") { service.status.handled == 1 }
            #expect(letters.count == 10_000, "TEST_SEED=\(seed)")
            #expect(letters.allSatisfy { $0.header("troupe-reason") != nil }, "TEST_SEED=\(seed)")
            try await wait(for: "all to be acknowledged") { service.status.deadLettered == 10_000 }
            #expect(service.status.phase == .running, "TEST_SEED=\(seed)")
        }
    }

    /// A record that no route can handle: missing or hostile headers, bytes that do not decode, tombstones.
    private func malformed(_ number: Int, _ space: TestSpace, _ random: inout Generator) -> KafkaMessage {
        var message = space.placed("order-\(number % 100)", number: number)
        func noise(_ most: Int) -> [UInt8] {
            (0..<Int.random(in: 0...most, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        switch number % 6 {
        case 0: message.headers = []
        case 1: message.value = Array("{".utf8) + noise(40)
        case 2: message.value = nil
        case 3: message.headers.removeAll { $0.name == "ce_id" }
        case 4:
            message.headers.removeAll { $0.name == "ce_type" }
            // A lone continuation byte is never UTF-8.
            message.headers.append(KafkaHeader("ce_type", bytes: [0x80] + noise(20)))
        default:
            message.headers = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                KafkaHeader("h\(Int.random(in: 0...3, using: &random))", bytes: noise(30))
            }
            message.key = Bool.random(using: &random) ? nil : noise(20)
        }
        return message
    }

    /// SplitMix64.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }
}
