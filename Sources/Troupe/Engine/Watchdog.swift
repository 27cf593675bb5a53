// Watches the engine's thread, names the handler that blocks it, and ends a stop that it keeps from ending.

import KafkaClient
import Synchronization

/// A handler kept the service's thread, and so the service from stopping in time.
///
/// The record was not committed: its next owner handles it again. The thread cannot be taken from the handler: end the
/// process.
public struct HandlerBlockedError: Error, Sendable, CustomStringConvertible {
    /// The route of the handler that was entered last.
    public let route: String
    /// The event's id (`ce_id`).
    public let eventID: String
    /// The topic the event was published to.
    public let topic: String
    /// The partition it is in.
    public let partition: Int32
    /// Its offset there.
    public let offset: Int64

    init(_ handling: Handling) {
        route = handling.route.name
        eventID = handling.eventID
        topic = handling.origin.topic
        partition = handling.origin.partition
        offset = handling.origin.offset
    }

    /// Which handler, which event, and what to do.
    public var description: String {
        "The handler of \(route) blocks the service's thread and kept it from stopping in time (event \(eventID), "
            + "topic \(topic), partition \(partition), offset \(offset)). End the process, and give the route "
            + "threads of its own (`execution: .offloaded(threads:)`)"
    }

    /// The same as a log line's values.
    var metadata: Logger.Metadata {
        [
            LogKey.route: route, LogKey.topic: topic, LogKey.partition: "\(partition)", LogKey.offset: "\(offset)",
            LogKey.eventID: eventID,
        ]
    }
}

/// Watches from a thread of its own that the engine's thread goes round, and names the handler that blocks it.
enum Watchdog {
    /// Watches until the engine has ended, or must be given up because a handler blocks it beyond the stop's deadlines.
    static func watch(_ shared: EngineShared, _ settings: EngineSettings, logger: Logger) throws {
        let waker = try Waker()
        let threshold = settings.slowHandlerThreshold.nanoseconds
        try startThread(named: "troupe-watchdog") {
            var beats = shared.heartbeats
            var stuckFor: UInt64 = 0
            var warnAt = threshold
            var last = EngineClock.monotonic
            var stop = StopDeadline(settings)
            while !shared.isFinished {
                waker.prepareToSleep()
                waker.sleep(milliseconds: 1_000)
                let now = EngineClock.monotonic
                defer { last = now }
                stop.note(shared.stopWanted.load(ordering: .sequentiallyConsistent), now)
                if shared.heartbeats != beats || shared.isSleeping.load(ordering: .relaxed) {
                    beats = shared.heartbeats
                    stuckFor = 0
                    warnAt = threshold
                    continue
                }
                stuckFor += now - last
                guard let handling = shared.currentHandling else { continue }
                if stop.hasPassed(now) {
                    shared.finish(HandlerBlockedError(handling))
                } else if stuckFor >= warnAt {
                    warnAt = stuckFor * 2
                    logger.error(
                        "A handler has blocked the service's thread for \(stuckFor / 1_000_000_000) s: nothing else is handled. "
                            + "Give the route threads of its own (`execution: .offloaded(threads:)`)",
                        metadata: HandlerBlockedError(handling).metadata)
                }
            }
        }
    }
}

/// When a stop must have ended.
private struct StopDeadline {
    private let drain: UInt64
    private let close: UInt64
    private var wanted = 0
    private var deadline = UInt64.max

    init(_ settings: EngineSettings) {
        drain = settings.drainTimeout.nanoseconds
        close = settings.closeTimeout.nanoseconds
    }

    /// Notes which stop is wanted: 1 in order, 2 at once.
    mutating func note(_ wanted: Int, _ now: UInt64) {
        guard wanted != self.wanted else { return }
        self.wanted = wanted
        let allowance = wanted == 1 ? drain.addingReportingOverflow(close).partialValue : close
        deadline = min(deadline, now.addingReportingOverflow(allowance).partialValue)
    }

    func hasPassed(_ now: UInt64) -> Bool { wanted > 0 && now >= deadline }
}
