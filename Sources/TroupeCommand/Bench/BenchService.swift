// The service that is measured: one route that publishes one follow-on event.

import Foundation
import KafkaClient
import Synchronization
import Troupe

/// What the benchmark publishes: bytes that nobody decodes.
struct BenchEvent: RawEvent {
    static let type: EventType = "troupe.bench.asked"
    static let topic: Topic = "asked"
    let rawBytes: [UInt8]
    let key: EventKey

    init(rawBytes: [UInt8]) { self.init(rawBytes: rawBytes, key: .none) }

    init(rawBytes: [UInt8], key: EventKey) {
        self.rawBytes = rawBytes
        self.key = key
    }

    /// The nanoseconds that `stamp` wrote: when the event was published, by the machine's steady clock.
    var stamp: UInt64? {
        guard rawBytes.count >= 8 else { return nil }
        return rawBytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    /// An event that carries the time of its making.
    static func stamped(size: Int, key: EventKey) -> BenchEvent {
        var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: max(size, 8))
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: DispatchTime.now().uptimeNanoseconds.littleEndian, as: UInt64.self)
        }
        return BenchEvent(rawBytes: bytes, key: key)
    }
}

/// What the service answers.
struct BenchAnswer: RawEvent {
    static let type: EventType = "troupe.bench.answered"
    static let topic: Topic = "answered"
    let rawBytes: [UInt8]
    let key: EventKey

    init(rawBytes: [UInt8]) { self.init(rawBytes: rawBytes, key: .none) }

    init(rawBytes: [UInt8], key: EventKey) {
        self.rawBytes = rawBytes
        self.key = key
    }
}

/// Counts what was handled, and notes how long it took to come.
final class BenchProgress: Sendable {
    private struct State {
        var handled = 0
        var isTiming = false
        var latencies: [Double] = []
        var began: Stopwatch?
    }

    private let state = Mutex(State())

    /// An event begins to be handled.
    func take(_ event: BenchEvent) {
        let now = DispatchTime.now().uptimeNanoseconds
        state.withLock { state in
            if state.began == nil { state.began = Stopwatch() }
            state.handled += 1
            if state.isTiming, let stamp = event.stamp, stamp <= now {
                state.latencies.append(Double(now - stamp) / 1_000_000)
            }
        }
    }

    /// How many events were handled.
    var handled: Int { state.withLock { $0.handled } }
    /// The watch that was started by the first event.
    var watch: Stopwatch? { state.withLock { $0.began } }
    /// The latencies since `startTiming`, in milliseconds.
    var latencies: [Double] { state.withLock { $0.latencies } }

    /// Begins to note latencies.
    func startTiming() { state.withLock { $0.isTiming = true } }
}

extension EventService {
    /// The service that is measured.
    static func bench(_ configuration: ServiceConfiguration, _ progress: BenchProgress) -> EventService {
        var router = EventRouter(retry: .never)
        router.on(BenchEvent.self, publishes: .one(BenchAnswer.self)) { event, context in
            progress.take(event)
            return BenchAnswer(rawBytes: Array(event.rawBytes.prefix(70)), key: context.key)
        }
        return EventService("bench", router: router, configuration: configuration)
    }
}
