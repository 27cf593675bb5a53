// The steps of a simulation: what a service does with a record, as the engine does it.

import KafkaClient
import Troupe

extension SimulatedWorld {
    /// Appends a record, and lets those who read its topic know.
    @discardableResult
    func append(_ message: PackedMessage, isGiven: Bool) -> KafkaRecord {
        let record = topics.append(message, now: clock.now, isGiven: isGiven, spread: random.next())
        for service in services.indices {
            guard let partition = services[service].partitions.firstIndex(where: { $0.place == record.topicPartition })
            else { continue }
            offer(service, partition)
        }
        return record
    }

    /// Makes a partition readable for a service when it has something to read.
    func offer(_ service: Int, _ partition: Int) {
        let state = services[service][partition]
        guard state.next < topics.end(of: state.place), state.hasRoom,
            !readable.contains(where: { $0.service == service && $0.partition == partition })
        else { return }
        readable.append((service, partition))
    }

    /// A service reads the next record of a partition.
    func read(_ choice: Int) {
        let (service, partition) = readable.remove(at: choice)
        let place = services[service][partition].place
        guard let record = topics.record(place, services[service][partition].next) else { return }
        let isNew = services[service][partition].take()
        offer(service, partition)
        guard isNew else { return }
        let processor = services[service].processor
        let classification = processor.classify(record)
        journal.observe(.read(record, classification), of: processor.service)
        let item: SimulatedLane.Item
        switch classification {
        case .skip:
            services[service][partition].complete(record.offset)
            offer(service, partition)
            return
        case .deadLetter(let failure): item = SimulatedLane.Item(record: record, work: .deadLetter(failure))
        case .handle(let handling):
            item = SimulatedLane.Item(
                record: record, work: .handle(handling), attempt: handling.attempt,
                firstFailedAt: handling.firstFailedAt, notBefore: handling.notBefore)
        }
        let hash = services[service].laneHash(record)
        if let lane = services[service][partition].lanes[hash] {
            lanes[lane]?.items.append(item)
            return
        }
        nextNumber += 1
        services[service][partition].lanes[hash] = nextNumber
        lanes[nextNumber] = SimulatedLane(service: service, partition: partition, hash: hash, items: [item])
        ready.append(nextNumber)
    }

    /// The head of a lane is handled, unless it is not due.
    func begin(_ number: Int) {
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
            if services[lane.service].isOrdered(item.record),
                services[lane.service][lane.partition].marks.contains(lane.hash)
            {
                follow(number, lane, handling)
                return
            }
            guard services[lane.service].running < services[lane.service].maxConcurrentHandlers else {
                services[lane.service].parked.append(number)
                return
            }
            guard mayBegin(number, handling, lane.service) else { return }
            services[lane.service].running += 1
            nextNumber += 1
            services[lane.service].gates.began(nextNumber, handling.route, at: clock.nanoseconds)
            let run = HandlerRun(
                inbox: inbox, number: nextNumber, lane: number, handling: handling, attempt: item.attempt)
            runs[run.number] = run
            journal.observe(.began(handling, attempt: item.attempt), of: processor.service)
            inbox.driving { run.start(processor, firstFailedAt: item.firstFailedAt) }
        }
    }

    /// An earlier event of the key waits in the retry topic: this one goes after it.
    private func follow(_ number: Int, _ lane: SimulatedLane, _ handling: Handling) {
        if let message = services[lane.service].processor.follower(handling) {
            redirect(number, lane, message)
        } else {
            services[lane.service][lane.partition].stranded.append(number)
        }
    }

    /// The head of a lane goes to the retry topic; its key is marked.
    private func redirect(_ number: Int, _ lane: SimulatedLane, _ message: PackedMessage) {
        let copy = append(message, isGiven: false)
        if let item = lane.items.first, services[lane.service].isOrdered(item.record) {
            services[lane.service][lane.partition].marks.queued(lane.hash)
            services[lane.service][lane.partition].marks.acknowledged(lane.hash, at: copy.offset)
        }
        complete(number)
    }

    /// A service commits what is done.
    func commit(_ service: Int) {
        for partition in services[service].commit() {
            ready += services[service][partition].stranded
            services[service][partition].stranded = []
        }
    }

    /// A job of a handler under way runs.
    func runJob(_ choice: Int) {
        let run = runnable[choice]
        run.runJob()
        if run.result == nil, run.hasJob { return }
        // A crash within the job's reach may have emptied the list: look again.
        runnable.removeAll { $0 === run }
        if run.result != nil { finish(run) } else if runs[run.number] != nil { outside[run.number] = false }
    }

    /// A handler ended.
    func finish(_ run: HandlerRun) {
        guard runs.removeValue(forKey: run.number) != nil else { return }
        outside[run.number] = nil
        runnable.removeAll { $0 === run }
        guard zombies.remove(run.number) == nil, let result = run.result, let lane = lanes[run.lane] else { return }
        services[lane.service].running -= 1
        ended(run, result, lane.service)
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

    func publish(_ messages: [PackedMessage]) {
        for message in messages {
            append(message, isGiven: false)
            if random.happens(faults.duplicates) { append(message, isGiven: false) }
        }
    }

    func fail(_ run: HandlerRun, _ lane: SimulatedLane, _ error: any Error, _ processor: RecordProcessor) {
        let now = clock.now
        let firstFailedAt = lane.items.first?.firstFailedAt
        let action = processor.decide(
            error, run.handling, attempt: run.attempt, firstFailedAt: firstFailedAt, now: now)
        journal.observe(
            .failed(run.handling, attempt: run.attempt, error: ErrorSummary(error), at: now, action),
            of: processor.service)
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
        case .retryTopic(let message, _, _): redirect(run.lane, lane, message)
        case .deadLetter(let message, _):
            append(message, isGiven: false)
            complete(run.lane)
        case .ignore: complete(run.lane)
        }
    }

    /// The head of a lane is done; the next record of its key may go on.
    func complete(_ number: Int) {
        guard var lane = lanes[number] else { return }
        let item = lane.items.removeFirst()
        services[lane.service][lane.partition].complete(item.record.offset)
        offer(lane.service, lane.partition)
        if lane.items.isEmpty {
            lanes[number] = nil
            services[lane.service][lane.partition].lanes[lane.hash] = nil
        } else {
            lanes[number] = lane
            ready.append(number)
        }
    }

    /// Kills a service and starts it again at what it has committed.
    func kill(_ service: Int) {
        let killed = Set(lanes.filter { $0.value.service == service }.keys)
        for run in runs.values.sorted(by: { $0.number < $1.number })
        where killed.contains(run.lane) && zombies.insert(run.number).inserted {
            inbox.driving { run.cancel() }
        }
        ready.removeAll { killed.contains($0) }
        for lane in killed { lanes[lane] = nil }
        for (partition, offsets) in services[service].restart(topics).enumerated() {
            let place = services[service][partition].place
            for offset in offsets {
                if let record = topics.record(place, offset) {
                    journal.forget(Journal.Place(service: services[service].processor.service, record))
                }
            }
            offer(service, partition)
        }
    }
}
