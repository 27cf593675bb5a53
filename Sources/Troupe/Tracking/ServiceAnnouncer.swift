// Says on the service registry what a service is and that an instance of it is alive.

import EventJSON
import KafkaClient
import Synchronization

/// Publishes an instance's declaration and heartbeats, from a thread and with a producer of its own.
///
/// So neither a handler that blocks the service's thread keeps an instance from being seen, nor a topic that fails the
/// service from working.
final class ServiceAnnouncer: Sendable {
    private let service: String
    private let version: String
    private let instance: String
    private let endpoint: String?
    private let topic: String
    private let interval: UInt64
    private let producerProperties: [(String, String)]
    private let shared: EngineShared
    private let logger: Logger
    private let startedAt = EngineClock.wallMilliseconds
    private let state: Mutex<State>

    private struct State {
        var declaration: ServiceDeclaration
        var isStarted = false
        var isStopping = false
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    /// The least time between two heartbeats, in nanoseconds, whatever happens.
    private static let leastInterval: UInt64 = 250_000_000
    /// How often the declaration is published again, in nanoseconds: it must not grow older than the topic keeps it.
    private static let declarationInterval: UInt64 = 3_600_000_000_000
    /// How long the last heartbeat may take, in nanoseconds.
    private static let farewell: UInt64 = 2_000_000_000
    /// How many records may be without an answer before no more are sent.
    private static let maxOutstanding = 8

    init(
        _ declaration: ServiceDeclaration, instance: String, endpoint: String?, topic: String,
        settings: TrackingSettings, producerProperties: [(String, String)], shared: EngineShared, logger: Logger
    ) {
        service = declaration.service
        version = declaration.version
        state = Mutex(State(declaration: declaration))
        self.instance = instance
        self.endpoint = endpoint
        self.topic = topic
        interval = max(settings.heartbeatInterval.nanoseconds, 100_000_000)
        self.producerProperties = producerProperties
        self.shared = shared
        self.logger = logger
    }

    /// Begins to speak, unless it does already or is to stop.
    func speak() {
        guard let waker = shared.newsWaker else { return }
        let begins = state.withLock { state in
            guard !state.isStarted, !state.isStopping else { return false }
            state.isStarted = true
            return true
        }
        guard begins else { return }
        do {
            try startThread(named: "troupe-heartbeat") {
                self.speak(waker)
                self.end()
            }
        } catch {
            end()
            // The service works all the same; others only do not see that it is alive.
            logger.warning("The instance cannot be announced", metadata: [LogKey.error: "\(error)"])
        }
    }

    /// From now on the service reports its attempts, or does so no more: it declares that at once.
    func declare(reports: Bool) {
        let isNews = state.withLock { state in
            // Not there where it does report, so that what such services declare stays what it was.
            let declared = reports ? nil : false
            defer { state.declaration.reportsAttempts = declared }
            return state.declaration.reportsAttempts != declared
        }
        if isNews { shared.tellNews() }
    }

    /// Says for the last time that the instance is there, and that it has stopped; waits until that is known, two seconds
    /// at most.
    func stop() async {
        await withCheckedContinuation { waiter in
            let isOver = state.withLock { state in
                state.isStopping = true
                guard state.isStarted, !state.hasEnded else { return true }
                state.waiters.append(waiter)
                return false
            }
            if isOver { waiter.resume() }
            shared.newsWaker?.wake()
        }
    }

    private func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    // MARK: In the thread

    private func speak(_ waker: Waker) {
        var declared = state.withLock { $0.declaration }
        let voice: Voice
        do {
            let (json, fingerprint) = try declared.encoded()
            voice = Voice(
                producer: try ProducerQueue(properties: producerProperties, waker: waker), topic: topic,
                fingerprint: fingerprint, declaration: json, logger: logger)
        } catch {
            logger.warning("The instance cannot be announced", metadata: [LogKey.error: "\(error)"])
            return
        }
        var nextHeartbeat: UInt64 = 0
        var earliest: UInt64 = 0
        var nextDeclaration: UInt64 = 0
        var seen = -1
        while !state.withLock({ $0.isStopping }) {
            let now = EngineClock.monotonic
            voice.drain()
            if voice.mustDeclareAgain { nextDeclaration = min(nextDeclaration, now + interval) }
            let news = shared.news
            let declaration = state.withLock { $0.declaration }
            if declaration != declared, let (json, fingerprint) = try? declaration.encoded() {
                voice.changeDeclaration(to: json, fingerprint)
                nextDeclaration = 0
            }
            declared = declaration
            let isDue = now >= nextHeartbeat || (news != seen && now >= earliest)
            if isDue, voice.outstanding < Self.maxOutstanding {
                if now >= nextDeclaration {
                    voice.declare(service: service)
                    nextDeclaration = now + Self.declarationInterval
                }
                seen = news
                voice.say(heartbeat(voice.fingerprint))
                nextHeartbeat = now + interval
                earliest = now + Self.leastInterval
            } else if isDue {
                nextHeartbeat = now + interval
                earliest = nextHeartbeat
            }
            waker.prepareToSleep()
            if !voice.isEmpty || state.withLock({ $0.isStopping }) || (shared.news != seen && now >= earliest) {
                waker.cancelSleep()
                continue
            }
            let due = shared.news != seen ? min(earliest, nextHeartbeat) : nextHeartbeat
            waker.sleep(milliseconds: Self.milliseconds(until: due))
        }
        takeLeave(voice, waker)
    }

    /// The last heartbeat.
    private func takeLeave(_ voice: Voice, _ waker: Waker) {
        var last = heartbeat(voice.fingerprint)
        last.status.phase = .stopped
        last.assignment = [:]
        voice.say(last)
        let deadline = EngineClock.monotonic + Self.farewell
        while voice.outstanding > 0, EngineClock.monotonic < deadline {
            waker.prepareToSleep()
            if voice.isEmpty {
                waker.sleep(milliseconds: Self.milliseconds(until: deadline))
            } else {
                waker.cancelSleep()
            }
            voice.drain()
        }
    }

    private func heartbeat(_ fingerprint: String) -> InstanceHeartbeat {
        var status = shared.lastStatus
        status.service = service
        return InstanceHeartbeat(
            service: service, instance: instance, version: version, declaration: fingerprint,
            host: InstanceName.host, processID: InstanceName.processID, endpoint: endpoint, startedAt: startedAt,
            time: EngineClock.wallMilliseconds, intervalMilliseconds: Int64(interval / 1_000_000),
            assignment: shared.lastAssignment, status: status)
    }

    private static func milliseconds(until due: UInt64) -> Int32 {
        let now = EngineClock.monotonic
        return due > now ? Int32(min((due - now + 999_999) / 1_000_000, 3_600_000)) : 0
    }
}

/// What the announcer's thread speaks with; touched by that thread alone.
private final class Voice {
    private let producer: ProducerQueue
    private let topic: String
    private(set) var fingerprint: String
    private var declaration: [UInt8]
    private let logger: Logger
    /// Whether the last answer was an error, which is told once.
    private var fails = false
    /// Whether the declaration was not delivered.
    private(set) var mustDeclareAgain = false

    init(producer: ProducerQueue, topic: String, fingerprint: String, declaration: [UInt8], logger: Logger) {
        self.producer = producer
        self.topic = topic
        self.fingerprint = fingerprint
        self.declaration = declaration
        self.logger = logger
    }

    var outstanding: Int { producer.outstanding }
    var isEmpty: Bool { producer.isEmpty }

    func changeDeclaration(to declaration: [UInt8], _ fingerprint: String) {
        (self.declaration, self.fingerprint) = (declaration, fingerprint)
    }

    func declare(service: String) {
        mustDeclareAgain = false
        send(.declaration(service: service, fingerprint: fingerprint), declaration, opaque: 2)
    }

    func say(_ heartbeat: InstanceHeartbeat) {
        do {
            let json = try EventJSONEncoder().encode(heartbeat)
            send(.instance(service: heartbeat.service, instance: heartbeat.instance), json, opaque: 1)
        } catch {
            failed(error)
        }
    }

    private func send(_ key: RegistryKey, _ json: [UInt8], opaque: UInt) {
        let message = PackedMessage(
            KafkaMessage(
                topic: topic, key: Array(key.text.utf8), value: json,
                headers: [KafkaHeader("content-type", "application/json")]))
        if case .refused(let error) = producer.enqueue(message, opaque: opaque) { failed(error) }
    }

    /// Takes what became of what was said.
    func drain() {
        _ = producer.drain { report in
            guard let error = report.error else {
                fails = false
                return
            }
            if report.opaque == 2 { mustDeclareAgain = true }
            failed(error)
        } other: { event in
            if case .error(let error) = event, error.isFatal { failed(error) }
        }
    }

    private func failed(_ error: any Error) {
        if !fails {
            logger.warning(
                "The instance cannot be announced; the service goes on, and it is tried again",
                metadata: [LogKey.error: "\(error)", LogKey.topic: topic])
        }
        fails = true
    }
}
