// The simulation: services, topics and a clock, driven one step at a time in an order that a seed chooses.
//
// A step is one of: a service reads the next record of a partition; the head of a lane is handled; a job of a handler
// under way runs. Whatever can happen next is a list in a fixed order, and the seed picks from it. Handlers are real
// tasks on executors of their own (`HandlerRun`), so they interleave where they suspend, but never run in parallel.
//
// A handler may wait for something outside of the simulation, such as a timer or another thread. Until it is back
// nothing but jobs of other handlers is chosen, which may be what it waits for, and it is taken up again when these
// have no more to do. So the run stays repeatable whatever the threads outside do, unless a handler stays away for
// longer than `patience`: it may be waiting for an event that is to be handled yet.

import KafkaClient
import Troupe

/// The simulation of a system of services.
actor SimulatedWorld: WorldBackend {
    nonisolated let processors: [RecordProcessor]
    nonisolated let journal: Journal
    nonisolated let clock: SimulatedClock
    private nonisolated let environment: TestEnvironment
    let faults: SimulatedFaults
    let inbox = HandlerInbox()
    var random: SeededRandom
    var topics: SimulatedTopics
    var services: [SimulatedService]

    // What can happen next.
    var readable: [(service: Int, partition: Int)] = []
    var ready: [Int] = []
    var runnable: [HandlerRun] = []

    var lanes: [Int: SimulatedLane] = [:]
    var runs: [Int: HandlerRun] = [:]
    /// Handlers that wait for something outside; the value says whether they were waited for long enough.
    var outside: [Int: Bool] = [:]
    /// Handlers of killed services: they were cancelled, go on until they notice, and nothing comes of them.
    var zombies: Set<Int> = []
    var nextNumber = 0

    /// How long, in real time, a handler that waits for something outside keeps everything else waiting.
    private static let patience = Duration.milliseconds(500)

    init(
        _ services: [EventService], environment: TestEnvironment, seed: UInt64, faults: SimulatedFaults
    ) throws {
        self.environment = environment
        self.faults = faults
        random = SeededRandom(seed: seed)
        topics = SimulatedTopics(partitionCount: environment.partitions)
        let clock = SimulatedClock()
        self.clock = clock
        journal = Journal { clock.now }
        let shared = FastRandom(seed: seed)
        processors = try services.map { service in
            let configuration = service.configuration
            var settings = configuration.processorSettings(
                logger: configuration.logger ?? Logger(label: "test", level: .critical, handler: SilentLogHandler()),
                maxMessageBytes: max(
                    configuration.kafka.maxMessageBytes ?? 0, KafkaLimits.maxMessageBytes))
            settings.namespace = ""
            settings.now = { clock.now }
            settings.sleep = { try await clock.sleep(for: $0) }
            settings.random = shared
            return try RecordProcessor(service: service.name, router: service.router, settings: settings)
        }
        self.services = zip(processors, services).map {
            SimulatedService($0, engine: $1.configuration.engine, partitionCount: Int32(environment.partitions))
        }
    }

    nonisolated var now: Int64 { clock.now }

    // MARK: What the world asks

    func give(_ message: PackedMessage) -> KafkaRecord { append(message, isGiven: true) }

    func settle() async throws -> [WorldRecord] {
        try await run(untilClockIsAwaited: false)
        return topics.records
    }

    func advance(by duration: Duration) async throws {
        for index in services.indices { services[index].crashes = 0 }
        let target = clock.elapsed + max(duration, .zero)
        while true {
            try await run(untilClockIsAwaited: true)
            guard let due = clock.nextDue, due <= target else { break }
            moveClock(to: due)
        }
        moveClock(to: target)
        try await run(untilClockIsAwaited: true)
    }

    func crash(_ name: String?) {
        for index in services.indices where name == nil || services[index].processor.service == name { kill(index) }
    }

    func close(atOnce: Bool) {
        for run in runs.values { run.abandon() }
        runs = [:]
        runnable = []
        inbox.close()
    }

    // MARK: The loop

    /// Takes steps until nothing can happen any more.
    ///
    /// - Parameter untilClockIsAwaited: Whether handlers that sleep by the clock may be left sleeping.
    private func run(untilClockIsAwaited: Bool) async throws {
        let deadline = ContinuousClock.now + environment.timeout
        var steps = 0
        while true {
            take(inbox.takeInside())
            if runnable.isEmpty || !isAnyMissed { take(inbox.takeOutside()) }
            if isAnyMissed, runnable.isEmpty { try await awaitMissed(until: min(deadline, .now + Self.patience)) }
            if step() {
                steps += 1
                guard steps % 1_024 == 0 else { continue }
                try Task.checkCancellation()
                if ContinuousClock.now > deadline {
                    throw timedOut("events go on being published: do they go in a circle?")
                }
                await Task.yield()
                continue
            }
            guard runs.count > zombies.count else { return }
            // Whoever is outside was waited for; where a time limit ticks beside each, the clock may end the wait.
            if untilClockIsAwaited, runs.values.allSatisfy({ $0.sleepsByClock || zombies.contains($0.number) }) {
                return
            }
            guard ContinuousClock.now < deadline else { throw timedOut(nil) }
            _ = try await comesBack(within: .milliseconds(50))
        }
    }

    /// Whether a handler is outside that was not waited for long enough.
    private var isAnyMissed: Bool { outside.values.contains(false) }

    /// Waits until every handler that is outside is back, but not beyond `end`.
    private func awaitMissed(until end: ContinuousClock.Instant) async throws {
        while isAnyMissed, ContinuousClock.now < end { _ = try await comesBack(within: end - ContinuousClock.now) }
        for run in outside.keys { outside[run] = true }
    }

    /// Waits until something comes from outside.
    ///
    /// Returns whether anything did.
    private func comesBack(within patience: Duration) async throws -> Bool {
        await inbox.wait(for: patience)
        try Task.checkCancellation()
        let back = inbox.takeOutside()
        take(back)
        return !back.isEmpty
    }

    /// Takes up handlers that have something to do again.
    private func take(_ back: [HandlerRun]) {
        for run in back where runs[run.number] === run {
            if run.result != nil {
                finish(run)
            } else if run.hasJob, !runnable.contains(where: { $0 === run }) {
                outside[run.number] = nil
                // By number: from which thread a job came first must make no difference.
                runnable.insert(run, at: runnable.firstIndex { $0.number > run.number } ?? runnable.endIndex)
            }
        }
    }

    /// Takes one step of those that are possible.
    ///
    /// Returns whether there was one.
    private func step() -> Bool {
        // A handler that is outside may wait for another one: nothing new begins before it is back.
        let jobsOnly = isAnyMissed && !runnable.isEmpty
        let first = jobsOnly ? readable.count + ready.count : 0
        let count = readable.count + ready.count + runnable.count
        guard count > 0 else { return false }
        var choice = Int.random(in: first..<count, using: &random)
        if choice < readable.count {
            read(choice)
        } else {
            choice -= readable.count
            if choice < ready.count {
                let lane = ready.remove(at: choice)
                begin(lane)
            } else {
                runJob(choice - ready.count)
            }
        }
        for index in services.indices where services[index].crashes < 3 && random.happens(faults.crashes) {
            services[index].crashes += 1
            kill(index)
        }
        return true
    }

    private func moveClock(to time: Duration) {
        let before = clock.elapsed
        for index in services.indices {
            let interval = services[index].commitInterval
            // Nothing happens between two steps of the clock, so one commit stands for all on the way.
            if (time / interval).rounded(.down) > (before / interval).rounded(.down) { commit(index) }
        }
        var due: [Int] = []
        inbox.driving { due = clock.move(to: time) }
        ready += due.filter { lanes[$0] != nil }
    }

    private func timedOut(_ extra: String?) -> TestTimedOut {
        let handlers = runs.values.filter { !zombies.contains($0.number) }.sorted { $0.number < $1.number }
        let running = handlers.map { run in
            let record = run.handling.original
            return
                "\(processors[lanes[run.lane]?.service ?? 0].service): the handler of \(run.handling.route.name) for "
                + "\(record.topicPartition) offset \(record.offset), attempt \(run.attempt), has not returned"
        }
        return TestTimedOut(
            timeout: environment.timeout, environment: environment, underWay: running + (extra.map { [$0] } ?? []))
    }
}
