// The consumer's thread: polls, hands over records, carries out commands, answers the group.

import CRDKafka

/// What the thread of a consumer owns and does.
///
/// Nothing of it leaves the thread.
final class ConsumerThread {
    private struct Slot {
        let partition: TopicPartition
        let queue: PartitionQueue
    }

    /// A rebalance that is not answered yet.
    private struct PendingRebalance {
        var number: Int
        var isAssignment: Bool
        var partitions: [TopicPartition]
        var awaitsHandler: Bool
        var awaitsCommit = false
        var deadline: ContinuousClock.Instant
    }

    private struct Commit {
        var offsets: [CommittedOffset]
        var promise: Promise<Void>?
        /// Whether a revocation waits for it.
        var isForRevocation = false
        var attempts = 0
    }

    /// How often a commit that a revocation waits for is tried, and how long after a failure the next one starts.
    private static let revocationAttempts = 5
    private static let commitBackoff: Duration = .milliseconds(100)

    private let core: ConsumerCore
    private let settings: ConsumerSettings
    private let consumer: PolledConsumer
    private let clock = ContinuousClock()
    private var slots: [Slot] = []
    private var nextSlot = 0
    private var rebalance: PendingRebalance?
    private var rebalanceCount = 0
    private var wasAssigned = false
    private var commits: [Commit] = []
    private var commitInFlight: Commit?
    private var earliestCommit: ContinuousClock.Instant
    private var hasCommittedToClose = false
    private var nextAcknowledgement: ContinuousClock.Instant
    private var isClosing = false
    /// Until when a close waits for the first assignment.
    private var patience: ContinuousClock.Instant?
    private var failure: KafkaError?

    /// Runs a consumer's thread to its end.
    static func run(_ core: ConsumerCore, _ settings: ConsumerSettings) {
        do {
            let properties = try connect(core, settings)
            let thread = try ConsumerThread(core, settings, properties)
            core.begin(thread.consumer.client)
            thread.serve()
            core.finish(thread.failure)
        } catch {
            core.finish(core.closeDeadline == nil ? error : nil)
        }
    }

    /// The properties of the client, once it is known whether the cluster is the embedded broker.
    private static func connect(_ core: ConsumerCore, _ settings: ConsumerSettings) throws -> [(String, String)] {
        var configuration = settings.configuration
        if configuration.isEmbeddedBroker == nil {
            let probe = try ClientHandle(
                .producer, properties: configuration.librdkafkaProperties(for: .admin), events: RD_KAFKA_EVENT_ERROR)
            while configuration.isEmbeddedBroker == nil {
                if core.closeDeadline != nil { throw KafkaError.consumerClosed }
                do {
                    let id = try probe.clusterID(within: .milliseconds(500))
                    configuration.isEmbeddedBroker = id.hasPrefix(EmbeddedBroker.clusterIDPrefix)
                } catch let error as KafkaError {
                    // A cluster that is not there yet is waited for.
                    core.notices.yield(.error(error))
                }
            }
        }
        return try configuration.librdkafkaProperties(for: .consumer(group: settings.subscription.group))
    }

    private init(_ core: ConsumerCore, _ settings: ConsumerSettings, _ properties: [(String, String)]) throws {
        self.core = core
        self.settings = settings
        nextAcknowledgement = clock.now + settings.acknowledgementInterval
        earliestCommit = clock.now
        consumer = try PolledConsumer(properties: properties, waker: core.waker)
        switch settings.subscription {
        case .topics(let topics, _): try consumer.subscribe(to: topics)
        case .partitions(let starts, _): adopt(try consumer.assign(starts))
        }
    }

    private func serve() {
        while !isOver {
            var isBusy = carryOutCommands()
            isBusy = serveEvents() || isBusy
            isBusy = moveRecords() || isBusy
            commitWhatIsDue()
            startNextCommit()
            answerRebalanceIfReady()
            beginCloseIfAsked()
            if isBusy { continue }
            core.waker.prepareToSleep()
            if core.hasCommands || !consumer.isEmpty || (hasRecords && core.hasRoom) {
                core.waker.cancelSleep()
            } else {
                core.waker.sleep(milliseconds: millisecondsToSleep())
            }
        }
        let error = KafkaError.consumerClosed
        for commit in commits + [commitInFlight].compactMap({ $0 }) { commit.promise?.resolve(.failure(error)) }
        slots = []
    }

    private var isOver: Bool {
        if isClosing, consumer.isClosed { return true }
        if let deadline = core.closeDeadline, min(deadline, patience ?? deadline) <= clock.now { return true }
        return failure != nil
    }

    /// At most a second, within which a consumer must poll to be taken for alive.
    private func millisecondsToSleep() -> Int32 {
        var next = clock.now + .seconds(1)
        if let deadline = core.closeDeadline { next = min(next, deadline, clock.now + .milliseconds(50)) }
        if let rebalance { next = min(next, rebalance.deadline) }
        if !commits.isEmpty { next = min(next, earliestCommit) }
        next = min(next, max(nextAcknowledgement, clock.now + .milliseconds(10)))
        return max(0, (next - clock.now).inMillisecondsC)
    }

    // MARK: Records

    private var hasRecords: Bool {
        let paused = core.paused
        return slots.contains { !$0.queue.isEmpty && !paused.contains($0.partition) }
    }

    /// Moves records from the partition queues to the buffer while there is room, a few of each in turn.
    private func moveRecords() -> Bool {
        var room = core.room
        guard !slots.isEmpty, room.records > 0, room.bytes > 0 else { return false }
        let paused = core.paused
        var records: [KafkaRecord] = []
        var byteCount = 0
        var idle = 0
        while idle < slots.count, room.records > 0, room.bytes > 0 {
            nextSlot = (nextSlot + 1) % slots.count
            let slot = slots[nextSlot]
            let taken = paused.contains(slot.partition) ? 0 : take(from: slot, &records, &room, &byteCount)
            idle = taken == 0 ? idle + 1 : 0
        }
        guard !records.isEmpty else { return false }
        core.append(records, byteCount: byteCount)
        return true
    }

    private func take(
        from slot: Slot, _ records: inout [KafkaRecord], _ room: inout (records: Int, bytes: Int),
        _ byteCount: inout Int
    ) -> Int {
        var taken = 0
        while taken < 128, room.records > 0, room.bytes > 0 {
            switch slot.queue.poll() {
            case .record(let record):
                let size = record.approximateSize
                records.append(record)
                byteCount += size
                room.records -= 1
                room.bytes -= size
                taken += 1
            case .failed(let error): report(error)
            case .end: continue
            case .empty: return taken
            }
        }
        return taken
    }

    private func adopt(_ queues: [PartitionQueue]) {
        slots += queues.map { Slot(partition: $0.topicPartition, queue: $0) }
        core.addAssignment(queues.map(\.topicPartition))
    }

    private func drop(_ partitions: [TopicPartition]) {
        let dropped = Set(partitions)
        slots.removeAll { dropped.contains($0.partition) }
        core.void(partitions)
    }

    // MARK: Events

    private func serveEvents() -> Bool {
        var isBusy = false
        while let event = consumer.nextEvent() {
            isBusy = true
            switch event {
            case .assigned(let partitions): begin(.assigned(partitions), partitions)
            case .revoked(let partitions):
                drop(partitions)
                begin(.revoked(partitions), partitions)
            case .lost(let partitions):
                drop(partitions)
                core.forget(partitions)
                begin(.lost(partitions), partitions)
            case .committed(_, let error): endCommit(error)
            case .error(let error): report(error)
            case .log, .statistics, .transaction: core.notices.yield(event)
            }
        }
        return isBusy
    }

    /// Only a fatal error ends the consumer.
    private func report(_ error: KafkaError) {
        core.notices.yield(.error(error))
        if error.isFatal { failure = failure ?? error }
    }

    private func begin(_ event: Rebalance, _ partitions: [TopicPartition]) {
        rebalanceCount += 1
        let number = rebalanceCount
        var isAssignment = false
        if case .assigned = event { isAssignment = true }
        rebalance = PendingRebalance(
            number: number, isAssignment: isAssignment, partitions: partitions,
            awaitsHandler: settings.onRebalance != nil, deadline: clock.now + settings.rebalanceTimeout)
        if let handler = settings.onRebalance {
            let core = core
            Task {
                await handler(event)
                core.answer(number)
            }
        } else {
            commitBeforeRevocation()
        }
    }

    /// Commits what is acknowledged of the partitions that are asked back, before they are given up.
    private func commitBeforeRevocation() {
        guard let pending = rebalance, !pending.isAssignment else { return }
        let offsets = core.takeAcknowledged(of: pending.partitions)
        guard !offsets.isEmpty, settings.subscription.group != nil else { return }
        rebalance?.awaitsCommit = true
        enqueue(Commit(offsets: offsets, promise: nil, isForRevocation: true))
    }

    private func answerRebalanceIfReady() {
        guard let pending = rebalance else { return }
        guard !(pending.awaitsHandler || pending.awaitsCommit) || pending.deadline <= clock.now else { return }
        rebalance = nil
        do {
            if pending.isAssignment {
                adopt(try consumer.answerAssignment())
                wasAssigned = true
            } else {
                try consumer.answerRevocation()
                core.forget(pending.partitions)
            }
        } catch let error as KafkaError {
            report(error)
        } catch {
            failure = failure ?? KafkaError(.invalidState, "Answering the rebalance failed: \(error)")
        }
    }

    // MARK: Commits

    private func commitWhatIsDue() {
        guard clock.now >= nextAcknowledgement else { return }
        nextAcknowledgement = clock.now + settings.acknowledgementInterval
        commitAcknowledged()
    }

    private func commitAcknowledged() {
        guard settings.subscription.group != nil else { return }
        let offsets = core.takeAcknowledged()
        if !offsets.isEmpty { enqueue(Commit(offsets: offsets)) }
    }

    private func enqueue(_ commit: Commit) {
        commits.append(commit)
        startNextCommit()
    }

    /// One commit is under way at a time, so that each outcome is known for what it is.
    private func startNextCommit() {
        while commitInFlight == nil, !commits.isEmpty, clock.now >= earliestCommit {
            var commit = commits.removeFirst()
            commit.attempts += 1
            do {
                try consumer.commit(commit.offsets)
                commitInFlight = commit
            } catch {
                end(commit, error)
            }
        }
    }

    private func endCommit(_ error: KafkaError?) {
        guard let commit = commitInFlight else { return }
        commitInFlight = nil
        end(commit, error)
        startNextCommit()
    }

    private func end(_ commit: Commit, _ error: (any Error)?) {
        if let promise = commit.promise {
            promise.resolve(error.map { .failure($0) } ?? .success(()))
            return
        }
        if let error = error as? KafkaError {
            core.notices.yield(.error(error))
            // What was acknowledged is tried again, after a pause: a revocation waits for that only so often.
            if error.isRetriable {
                earliestCommit = clock.now + Self.commitBackoff
                if !commit.isForRevocation {
                    for offset in commit.offsets { core.acknowledge(offset.topicPartition, next: offset.offset) }
                } else if commit.attempts < Self.revocationAttempts {
                    commits.insert(commit, at: 0)
                    return
                }
            }
        }
        if commit.isForRevocation { rebalance?.awaitsCommit = false }
    }

    // MARK: Commands

    private func carryOutCommands() -> Bool {
        let commands = core.takeCommands()
        for command in commands {
            switch command {
            case .answer(let number):
                guard rebalance?.number == number else { continue }
                rebalance?.awaitsHandler = false
                commitBeforeRevocation()
            case .commit(let offsets, let promise):
                enqueue(Commit(offsets: offsets, promise: promise))
            case .seek(let starts, let promise):
                promise.resolve(
                    Result {
                        core.void(starts.keys)
                        try consumer.seek(starts)
                    })
            case .assign(let starts, let promise):
                promise.resolve(
                    Result {
                        let former = slots.map(\.partition)
                        drop(former)
                        core.forget(former)
                        adopt(try consumer.assign(starts))
                    })
            }
        }
        return !commands.isEmpty
    }

    // MARK: The end

    private func beginCloseIfAsked() {
        guard !isClosing, core.closeDeadline != nil else { return }
        guard mayClose else {
            if !wasAssigned { patience = patience ?? clock.now + .seconds(5) }
            return
        }
        patience = nil
        // Once: what fails now is tried again when the group takes the partitions back.
        if !hasCommittedToClose { commitAcknowledged() }
        hasCommittedToClose = true
        guard commitInFlight == nil, commits.isEmpty else { return }
        isClosing = true
        do { try consumer.beginClose() } catch {
            core.notices.yield(.error((error as? KafkaError) ?? KafkaError(.invalidState, "Closing failed: \(error)")))
        }
    }

    /// Older versions can crash when a cooperative member is closed before its first assignment.
    private var mayClose: Bool {
        if wasAssigned || rebalance != nil { return rebalance == nil }
        guard case .topics = settings.subscription, Workaround.closeAfterFirstAssignment.isNeeded() else { return true }
        return false
    }
}
