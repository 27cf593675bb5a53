// The pipeline: a service with one route that publishes one follow-on event.

import KafkaClient
import Synchronization
import Troupe

/// The event the pipeline reads.
///
/// Its bytes are passed on as they are: no coder is measured.
private struct OrderPlaced: RawEvent {
    static let type: EventType = "bench.order.placed"
    static let topic = Topic(Options.current.topic)
    let rawBytes: [UInt8]
    var key: EventKey { .none }

    init(rawBytes: [UInt8]) { self.rawBytes = rawBytes }
}

/// The event it publishes: the first 70 bytes of the other, under the same key.
private struct StockReserved: RawEvent {
    static let type: EventType = "bench.stock.reserved"
    static let topic = Topic(Options.current.outputTopic)
    let rawBytes: [UInt8]
    let key: EventKey

    init(rawBytes: [UInt8]) { self.init(rawBytes: rawBytes, key: .none) }

    init(rawBytes: [UInt8], key: EventKey) {
        self.rawBytes = rawBytes
        self.key = key
    }
}

/// Returns the seconds from the first handling to the end of the service, everything acknowledged and committed.
func runPipeline(_ options: Options) async throws -> Double {
    var kafka = KafkaConfiguration(bootstrapServers: options.bootstrapServers)
    for (name, value) in options.producerProperties + options.consumerProperties { kafka.properties[name] = value }
    var configuration = ServiceConfiguration(kafka: kafka)
    configuration.consumerGroup = options.group
    configuration.tracking.isEnabled = options.isTracked
    if let bound = options.maxInFlight {
        configuration.engine.maxRecordsInFlight = bound
        configuration.engine.maxRecordsInFlightPerPartition = min(bound, 16_384)
    }
    configuration.logger = Logger(label: "bench")
    configuration.logger?.level = .error

    let progress = Progress(expected: options.records)
    var router = EventRouter(retry: .none)
    router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, context in
        progress.count()
        return StockReserved(rawBytes: Array(order.rawBytes.prefix(70)), key: context.key)
    }
    let service = EventService("bench", router: router, configuration: configuration)
    let running = Task { try await service.run() }
    await progress.waitForAll()
    running.cancel()
    try await running.value
    guard service.status.published == options.records else {
        throw UsageError("\(service.status.published) events were published, not \(options.records)")
    }
    return progress.secondsSinceFirst
}

/// Counts handlings, and knows when the first and the last came.
private final class Progress: Sendable {
    private let expected: Int
    private let handled = Atomic<Int>(0)
    private let began = Mutex<ContinuousClock.Instant?>(nil)
    private let (finished, finish) = AsyncStream.makeStream(of: Void.self)

    init(expected: Int) { self.expected = expected }

    func count() {
        let count = handled.add(1, ordering: .relaxed).newValue
        if count == 1 { began.withLock { $0 = .now } }
        if count == expected { finish.finish() }
    }

    func waitForAll() async { for await _ in finished {} }

    var secondsSinceFirst: Double {
        guard let began = began.withLock({ $0 }) else { return 0 }
        return (ContinuousClock.now - began) / .seconds(1)
    }
}
