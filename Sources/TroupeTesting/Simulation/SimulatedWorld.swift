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
import Synchronization
import Troupe

/// The simulation of a system of services.
actor SimulatedWorld: WorldBackend {
    nonisolated let processors: [RecordProcessor]
    nonisolated let journal: Journal
    private nonisolated let clock: SimulatedClock
    private nonisolated let environment: TestEnvironment
    private let faults: SimulatedFaults
    private let inbox = HandlerInbox()
    private var random: SeededRandom
    private var topics: SimulatedTopics
    private var services: [SimulatedService]

    // What can happen next.
    private var readable: [(service: Int, partition: Int)] = []
    private var ready: [Int] = []
    private var runnable: [HandlerRun] = []

    private var lanes: [Int: SimulatedLane] = [:]
    private var runs: [Int: HandlerRun] = [:]
    /// Handlers that wait for something outside; the value says whether they were waited for long enough.
    private var outside: [Int: Bool] = [:]
    /// Handlers that were waited for in vain and are left waiting for the clock.
    private var awaitingClock: Set<Int> = []
    private var nextNumber = 0

    /// How long, in real time, a handler that waits for something outside keeps everything else waiting.
    private static let patience = Duration.milliseconds(20)
    /// How long, in real time, a handler beside which a time limit ticks is waited for before the clock is moved.
    private static let limitPatience = Duration.milliseconds(200)

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
            if isAnyMissed, runnable.isEmpty { try await awaitMissed() }
            if step() {
                steps += 1
                guard steps % 1_024 == 0 else { continue }
                try Task.checkCancellation()
                if ContinuousClock.now > deadline { throw timedOut("events go on being published: do they go in a circle?") }
                await Task.yield()
                continue
            }
            guard !runs.isEmpty else { return }
            if untilClockIsAwaited, try await isClockAwaited() { return }
            guard ContinuousClock.now < deadline else { throw timedOut(nil) }
            _ = try await comesBack(within: .milliseconds(50))
        }
    }

    /// Whether a time limit ticks beside every handler under way, and none comes back though it is waited for.
    private func isClockAwaited() async throws -> Bool {
        guard runs.values.allSatisfy({ $0.clockSleepers.load(ordering: .relaxed) > 0 }) else { return false }
        if runs.keys.allSatisfy(awaitingClock.contains) { return true }
        if try await comesBack(within: Self.limitPatience) { return false }
        awaitingClock = Set(runs.keys)
        return true
    }

    /// Whether a handler is outside that was not waited for long enough.
    private var isAnyMissed: Bool { outside.values.contains(false) }

    /// Waits until every handler that is outside is back, but for no longer than `patience`.
    private func awaitMissed() async throws {
        let end = ContinuousClock.now + Self.patience
        while isAnyMissed, ContinuousClock.now < end { _ = try await comesBack(within: end - ContinuousClock.now) }
        for run in outside.keys { outside[run] = true }
    }

    /// Waits until something comes from outside. Returns whether anything did.
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
                awaitingClock.remove(run.number)
                // By number: from which thread a job came first must make no difference.
                runnable.insert(run, at: runnable.firstIndex { $0.number > run.number } ?? runnable.endIndex)
            }
        }
    }

    /// Takes one step of those that are possible. Returns whether there was one.
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
            services[index].crashes = 0
            let interval = services[index].commitInterval
            // Nothing happens between two steps of the clock, so one commit stands for all on the way.
            if (time / interval).rounded(.down) > (before / interval).rounded(.down) { services[index].commit() }
        }
        var due: [Int] = []
        inbox.driving { due = clock.move(to: time) }
        ready += due.filter { lanes[$0] != nil }
    }

    private func timedOut(_ extra: String?) -> TestTimedOut {
        let running = runs.values.sorted { $0.number < $1.number }.map { run in
            let record = run.handling.original
            return "\(processors[lanes[run.lane]?.service ?? 0].service): the handler of \(run.handling.route.name) for "
                + "\(record.topicPartition) offset \(record.offset), attempt \(run.attempt), has not returned"
        }
        return TestTimedOut(
            timeout: environment.timeout, environment: environment, underWay: running + (extra.map { [$0] } ?? []))
    }
}

// MARK: - Steps

extension SimulatedWorld {
    /// Appends a record, and lets those who read its topic know.
    @discardableResult
    private func append(_ message: PackedMessage, isGiven: Bool) -> KafkaRecord {
        let record = topics.append(message, now: clock.now, isGiven: isGiven, spread: random.next())
        for service in services.indices {
            guard let partition = services[service].partitions.firstIndex(where: { $0.place == record.topicPartition })
            else { continue }
            offer(service, partition)
        }
        return record
    }

    /// Makes a partition readable for a service when it has something to read.
    private func offer(_ service: Int, _ partition: Int) {
        let state = services[service][partition]
        guard state.next < topics.end(of: state.place),
            !readable.contains(where: { $0.service == service && $0.partition == partition })
        else { return }
        readable.append((service, partition))
    }

    /// A service reads the next record of a partition.
    private func read(_ choice: Int) {
        let (service, partition) = readable.remove(at: choice)
        let place = services[service][partition].place
        guard let record = topics.record(place, services[service][partition].next) else { return }
        services[service][partition].next += 1
        offer(service, partition)
        let processor = services[service].processor
        let classification = processor.classify(record)
        journal.observe(.read(record, classification), of: processor.service)
        let item: SimulatedLane.Item
        switch classification {
        case .skip:
            services[service][partition].complete(record.offset)
            return
        case .deadLetter(let failure): item = SimulatedLane.Item(record: record, work: .deadLetter(failure))
        case .handle(let handling):
            item = SimulatedLane.Item(
                record: record, work: .handle(handling), attempt: handling.attempt,
                firstFailedAt: handling.firstFailedAt, notBefore: handling.notBefore)
        }
        let key = SimulatedPartition.LaneKey(record)
        if let lane = services[service][partition].lanes[key] {
            lanes[lane]?.items.append(item)
            return
        }
        nextNumber += 1
        services[service][partition].lanes[key] = nextNumber
        lanes[nextNumber] = SimulatedLane(service: service, partition: partition, key: key, items: [item])
        ready.append(nextNumber)
    }

    /// The head of a lane is handled, unless it is not due.
    private func begin(_ number: Int) {
        guard let lane = lanes[number], let item = lane.items.first else { return }
        if let notBefore = item.notBefore, notBefore > clock.now {
            clock.add(.lane(number), at: .milliseconds(notBefore - SimulatedClock.start))
            return
        }
        let processor = services[lane.service].processor
        switch item.work {
        case .deadLetter(let failure):
            let letter = processor.deadLetter(item.record, failure, now: clock.now)
            journal.observe(.deadLettered(item.record, letter: letter), of: processor.service)
            append(letter, isGiven: false)
            complete(number)
        case .handle(let handling):
            guard services[lane.service].running < services[lane.service].maxConcurrentHandlers else {
                services[lane.service].parked.append(number)
                return
            }
            services[lane.service].running += 1
            nextNumber += 1
            let run = HandlerRun(
                inbox: inbox, number: nextNumber, lane: number, handling: handling, attempt: item.attempt)
            runs[run.number] = run
            journal.observe(.began(handling, attempt: item.attempt), of: processor.service)
            inbox.driving { run.start(processor, firstFailedAt: item.firstFailedAt) }
        }
    }

    /// A job of a handler under way runs.
    private func runJob(_ choice: Int) {
        let run = runnable[choice]
        run.runJob()
        if run.result == nil, run.hasJob { return }
        // A crash within the job's reach may have emptied the list: look again.
        runnable.removeAll { $0 === run }
        if run.result != nil { finish(run) } else if runs[run.number] != nil { outside[run.number] = false }
    }

    /// A handler ended.
    private func finish(_ run: HandlerRun) {
        guard runs.removeValue(forKey: run.number) != nil, let result = run.result, let lane = lanes[run.lane] else { return }
        outside[run.number] = nil
        runnable.removeAll { $0 === run }
        services[lane.service].running -= 1
        ready += services[lane.service].parked
        services[lane.service].parked = []
        let processor = services[lane.service].processor
        switch result {
        case .success(let messages):
            journal.observe(.handled(run.handling, attempt: run.attempt, published: messages), of: processor.service)
            publish(messages)
            complete(run.lane)
        case .failure(let error): fail(run, lane, error, processor)
        }
    }

    private func publish(_ messages: [PackedMessage]) {
        for message in messages {
            append(message, isGiven: false)
            if random.happens(faults.duplicates) { append(message, isGiven: false) }
        }
    }

    private func fail(_ run: HandlerRun, _ lane: SimulatedLane, _ error: any Error, _ processor: RecordProcessor) {
        let now = clock.now
        let firstFailedAt = lane.items.first?.firstFailedAt
        let action = processor.decide(
            error, run.handling, attempt: run.attempt, firstFailedAt: firstFailedAt, now: now)
        journal.observe(
            .failed(run.handling, attempt: run.attempt, error: ErrorSummary(error), at: now, action), of: processor.service)
        switch action {
        case .retryInPlace(let delay):
            lanes[run.lane]?.items[0].attempt = run.attempt + 1
            lanes[run.lane]?.items[0].firstFailedAt = firstFailedAt ?? now
            lanes[run.lane]?.items[0].notBefore = nil
            if delay > .zero {
                clock.add(.lane(run.lane), at: clock.elapsed + .milliseconds(delay.milliseconds))
            } else {
                ready.append(run.lane)
            }
        case .retryTopic(let message, _, _), .deadLetter(let message, _):
            append(message, isGiven: false)
            complete(run.lane)
        case .ignore: complete(run.lane)
        }
    }

    /// The head of a lane is done; the next record of its key may go on.
    private func complete(_ number: Int) {
        guard var lane = lanes[number] else { return }
        let item = lane.items.removeFirst()
        services[lane.service][lane.partition].complete(item.record.offset)
        if lane.items.isEmpty {
            lanes[number] = nil
            services[lane.service][lane.partition].lanes[lane.key] = nil
        } else {
            lanes[number] = lane
            ready.append(number)
        }
    }

    /// Kills a service and starts it again at what it has committed.
    private func kill(_ service: Int) {
        let killed = Set(lanes.filter { $0.value.service == service }.keys)
        for run in runs.values where killed.contains(run.lane) {
            runs[run.number] = nil
            outside[run.number] = nil
            runnable.removeAll { $0 === run }
            run.abandon()
        }
        ready.removeAll { killed.contains($0) }
        for lane in killed { lanes[lane] = nil }
        services[service].running = 0
        services[service].parked = []
        for partition in services[service].partitions.indices {
            let place = services[service][partition].place
            for offset in services[service][partition].restart() {
                if let record = topics.record(place, offset) {
                    journal.forget(Journal.Place(service: services[service].processor.service, record))
                }
            }
            offer(service, partition)
        }
    }
}
