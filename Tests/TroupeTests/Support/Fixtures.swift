// Records and processors for tests of the core.

import KafkaClient
import Synchronization
import Testing

@testable import Troupe

/// A random number generator that repeats from its seed, which tests print.
struct SeededRandom: RandomNumberGenerator {
    let random: FastRandom
    init(_ seed: UInt64) { random = FastRandom(seed: seed) }
    mutating func next() -> UInt64 { random.next() }
}

/// Takes log lines for looking at.
final class LogRecorder: LogHandler {
    private let recorded = Mutex<[LogLine]>([])
    var lines: [LogLine] { recorded.withLock { $0 } }
    func log(_ line: LogLine) { recorded.withLock { $0.append(line) } }
}

/// 2026-11-21T11:15:00.000Z.
let testTime: Int64 = 1_795_259_700_000

extension ProcessorSettings {
    /// Settings with a still clock and a fixed seed.
    static func fixed(_ change: (inout ProcessorSettings) -> Void = { _ in }) -> ProcessorSettings {
        var settings = ProcessorSettings()
        settings.now = { testTime }
        settings.random = FastRandom(seed: 1)
        settings.logger = Logger(label: "test", handler: SilentLogHandler())
        change(&settings)
        return settings
    }
}

/// A record of an event in binary mode.
func eventRecord(
    _ type: String = "shop.order.placed", topic: String = "orders", partition: Int32 = 3, offset: Int64 = 42,
    key: [UInt8]? = Array("o-1".utf8), value: String? = #"{"orderID":"o-1","lines":[]}"#,
    id: String = "0190163d-8694-739b-aea5-966c26f8ad91", headers: [KafkaHeader] = []
) -> KafkaRecord {
    KafkaRecord(
        topic: topic, partition: partition, offset: offset, timestamp: KafkaTimestamp(milliseconds: 1000), key: key,
        value: value.map { Array($0.utf8) },
        headers: [
            KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", id), KafkaHeader("ce_type", type),
            KafkaHeader("ce_source", "/services/storefront"), KafkaHeader("content-type", "application/json"),
        ] + headers)
}

extension KafkaRecord {
    /// The record a published message becomes.
    init(_ message: PackedMessage, partition: Int32 = 0, offset: Int64 = 0, timestamp: Int64 = testTime) {
        let message = message.message
        self.init(
            topic: message.topic, partition: message.partition ?? partition, offset: offset,
            timestamp: KafkaTimestamp(milliseconds: timestamp), key: message.key, value: message.value,
            headers: message.headers)
    }

    /// The same record with other headers.
    func with(headers: [KafkaHeader]) -> KafkaRecord {
        KafkaRecord(
            topic: topic, partition: partition, offset: offset, timestamp: timestamp, key: key.map { Array($0) },
            value: value.map { Array($0) }, headers: headers)
    }
}

extension PackedMessage {
    /// The text of the header named `name`; records an issue when it stands there more than once.
    func header(_ name: String) -> String? {
        let all = message.headers.filter { $0.name == name }
        #expect(all.count <= 1, "\(name) is repeated")
        return all.last?.text
    }
}

extension Classification {
    /// The handling; an issue when there is none.
    func handling(_ location: SourceLocation = #_sourceLocation) throws -> Handling {
        guard case .handle(let handling) = self else {
            Issue.record("Expected a handling, got \(self)", sourceLocation: location)
            throw CancellationError()
        }
        return handling
    }

    /// The reason of a dead letter; `nil` when it is none.
    var letterReason: String? {
        if case .deadLetter(let failure) = self { failure.reason.rawValue } else { nil }
    }
}

extension RecordProcessor {
    /// Classifies and handles a record.
    func run(_ record: KafkaRecord, attempt: Int = 1) async throws -> [PackedMessage] {
        try await handle(try classify(record).handling(), attempt: attempt, firstFailedAt: nil)
    }
}

/// A processor of one route for `OrderPlaced` that does nothing.
func orderProcessor(
    retry: RetryPolicy = .standard, _ change: (inout ProcessorSettings) -> Void = { _ in }
) throws -> RecordProcessor {
    var router = EventRouter(retry: retry)
    router.on(OrderPlaced.self) { _, _ in }
    return try RecordProcessor(service: "inventory", router: router, settings: .fixed(change))
}
