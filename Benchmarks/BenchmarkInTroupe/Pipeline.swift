// The pipeline: a service with one route that publishes one follow-on event.

import Dispatch
import Foundation
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

/// An order as services write it, in JSON.
private struct Order: Event {
    static let type: EventType = "bench.order.placed"
    static let topic = Topic(Options.current.topic)
    var key: EventKey { EventKey(orderId) }

    struct Line: Codable, Sendable {
        let sku: String
        let quantity: Int
        let price: Double
    }

    let orderId: String
    let customer: String
    let total: Double
    let lines: [Line]
}

/// What follows on it.
private struct Reservation: Event {
    static let type: EventType = "bench.stock.reserved"
    static let topic = Topic(Options.current.outputTopic)
    var key: EventKey { EventKey(orderId) }

    let orderId: String
    let warehouse: String
    let items: Int
}

/// What a pipeline does beside passing bytes on.
enum PipelineVariant: String, Sendable {
    /// Nothing.
    case raw
    /// Without the order of keys through the retry topic.
    case relaxed
    /// Reads an order from JSON and writes what follows as JSON.
    case json
    /// Of a hundred events one fails once and goes through the retry topic.
    case retried1 = "retried-1"
    /// Ten do.
    case retried10 = "retried-10"
    /// The handler waits 2 ms by `Task.sleep`.
    case sleeping
    /// The handler waits 2 ms until another thread resumes it.
    case resumed
}

/// The first attempt of an event that is to be retried.
private struct FirstAttempt: Error {}

/// Returns the seconds from the first handling to the end of the service, everything acknowledged and committed.
func runPipeline(_ options: Options) async throws -> Double {
    var kafka = KafkaConfiguration(bootstrapServers: options.bootstrapServers)
    for (name, value) in options.producerProperties + options.consumerProperties { kafka.properties[name] = value }
    var configuration = ServiceConfiguration(kafka: kafka)
    configuration.consumerGroup = options.group
    configuration.tracking.isEnabled = options.isTracked
    if let interval = options.commitInterval {
        configuration.engine.commitInterval = .milliseconds(interval)
        configuration.tracking.batchInterval = .milliseconds(interval)
    }
    if let bound = options.maxInFlight {
        configuration.engine.maxRecordsInFlight = bound
        configuration.engine.maxRecordsInFlightPerPartition = min(bound, 16_384)
    }
    configuration.logger = Logger(label: "bench")
    configuration.logger?.level = .error

    let progress = Progress(expected: options.records)
    var router = EventRouter(retry: .fixed(.milliseconds(100), maxRetries: 1))
    switch options.variant {
    case .relaxed: configuration.engine.retryOrdering = .relaxed
    case .retried1, .retried10: configuration.inPlaceRetryLimit = .zero
    case .raw, .json, .sleeping, .resumed: break
    }
    addRoute(to: &router, options.variant, progress)
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

private func addRoute(to router: inout EventRouter, _ variant: PipelineVariant, _ progress: Progress) {
    switch variant {
    case .raw, .relaxed:
        router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, context in
            progress.count()
            return StockReserved(rawBytes: Array(order.rawBytes.prefix(70)), key: context.key)
        }
    case .json:
        router.on(Order.self, publishes: .one(Reservation.self)) { order, _ in
            progress.count()
            return Reservation(
                orderId: order.orderId, warehouse: "north", items: order.lines.reduce(0) { $0 + $1.quantity })
        }
    case .retried1, .retried10:
        let share: Int64 = variant == .retried1 ? 1 : 10
        router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { order, context in
            if context.attempt == 1, context.offset % 100 < share { throw FirstAttempt() }
            progress.count()
            return StockReserved(rawBytes: Array(order.rawBytes.prefix(70)), key: context.key)
        }
    case .sleeping, .resumed:
        let alarm = variant == .resumed ? Alarm() : nil
        let order = OrderOfKeys()
        router.on(OrderPlaced.self, publishes: .one(StockReserved.self)) { event, context in
            try order.check(context)
            if let alarm { await alarm.wait() } else { try await Task.sleep(for: .milliseconds(2)) }
            progress.count()
            return StockReserved(rawBytes: Array(event.rawBytes.prefix(70)), key: context.key)
        }
    }
}

/// Resumes handlers from a thread of its own, each 2 ms after it began to wait.
private final class Alarm: Sendable {
    private struct State {
        var waiting: [(due: UInt64, continuation: UnsafeContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    init() {
        let thread = Thread { [self] in
            while true {
                let now = DispatchTime.now().uptimeNanoseconds
                let due = state.withLock { state in
                    let due = state.waiting.prefix { $0.due <= now }
                    state.waiting.removeFirst(due.count)
                    return due
                }
                for (_, continuation) in due { continuation.resume() }
                usleep(200)
            }
        }
        thread.start()
    }

    func wait() async {
        await withUnsafeContinuation { continuation in
            let due = DispatchTime.now().uptimeNanoseconds + 2_000_000
            state.withLock { $0.waiting.append((due, continuation)) }
        }
    }
}

/// Sees that each key's events begin in the order of their offsets.
private final class OrderOfKeys: Sendable {
    private let last = Mutex<[String: Int64]>([:])

    func check(_ context: EventContext) throws {
        let name = "\(context.partition) \(context.key.text ?? "")"
        let isLater = last.withLock { last in
            let isLater = last[name, default: -1] < context.offset
            last[name] = context.offset
            return isLater
        }
        guard isLater else { fatalError("\(name) went back to \(context.offset)") }
    }
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
