// How partitions come and go.

import KafkaClient

/// Partitions on their way back to the group.
struct Revocation {
    /// What is being waited for.
    enum Stage {
        /// Handlers and acknowledgements.
        case draining
        /// The last commit.
        case committing
    }

    var partitions: [PartitionState]
    var stage = Stage.draining
    var deadline: UInt64
}

extension ServiceEngine {
    /// Serves the consumer's own queue.
    ///
    /// Returns whether there was anything.
    func serveConsumer() -> Bool {
        var progress = false
        while let event = consumer.nextEvent() {
            progress = true
            switch event {
            case .assigned: assign()
            case .revoked(let partitions): revoke(partitions)
            case .lost(let partitions): lose(partitions)
            case .committed(_, let error): committed(error)
            case .error(let error): report(error)
            case .log(let line): log(line)
            case .statistics, .transaction: break
            }
        }
        return progress
    }

    // MARK: Coming and going

    private func assign() {
        do {
            let queues = try consumer.answerAssignment()
            everAssigned = true
            nextCommit = 0
            let states = queues.map { queue in
                let role = processor.role(ofTopic: queue.topicPartition.topic)
                defer { nextPartitionID += 1 }
                return PartitionState(
                    id: nextPartitionID, queue: queue, role: role,
                    retryPartition: role.flatMap { retryPartition(of: queue.topicPartition, $0) })
            }
            partitions += states
            assignments += 1
            nextStatus = 0
            takeOver(states)
            if phase == .starting { phase = .running }
            logger.info(
                "Partitions assigned",
                metadata: [LogKey.partitions: queues.map { $0.topicPartition.description }.joined(separator: " ")])
        } catch {
            fail(error)
        }
    }

    private func states(of wanted: [TopicPartition]) -> [PartitionState] {
        let wanted = Set(wanted)
        return partitions.filter { wanted.contains($0.topicPartition) }
    }

    private func revoke(_ wanted: [TopicPartition]) {
        let states = states(of: wanted)
        logger.info(
            "Partitions revoked", metadata: [LogKey.partitions: wanted.map(\.description).joined(separator: " ")])
        for state in states {
            dropQueued(state)
            state.phase = .draining
        }
        if phase == .stopping, stopStage == .leaving || stopStage == .flushing {
            // The stop has drained and committed already.
            giveUp(states)
            return
        }
        revocation = Revocation(
            partitions: states,
            deadline: EngineClock.monotonic + (phase == .stopping ? 0 : settings.drainTimeout.nanoseconds))
        advanceRevocation()
    }

    private func lose(_ wanted: [TopicPartition]) {
        logger.warning(
            "Partitions lost: no broker was reached for as long as the session lasts, or the group went on without this instance. "
                + "Others may own them now, so the work on them is dropped, and done again by whoever owns them next",
            metadata: [LogKey.partitions: wanted.map(\.description).joined(separator: " ")])
        giveUp(states(of: wanted))
    }

    /// Drops the records of a partition that no handler has begun with.
    ///
    /// The next owner handles them, and only them: what is done behind them stands in the commit's metadata.
    func dropQueued(_ state: PartitionState) {
        let dropped = lanes.drop(partition: state.id, isOutstanding: \.isOutstanding)
        for item in dropped {
            if item.stage == .waiting { status.waiting -= 1 }
            forget(state, item)
            if item.gate >= 0 { leaveGate(item) }
        }
        state.heldBack = nil
    }

    func giveUp(_ states: [PartitionState]) {
        // What is published for them in a transaction that is open must not be committed by this member any more.
        if let number = cycle?.number, states.contains(where: { $0.lastTransaction == number }) { cycle?.spoil() }
        for state in states {
            dropQueued(state)
            state.phase = .gone
            state.queue = nil
            state.deferred = nil
        }
        partitions.removeAll { $0.phase == .gone }
        assignments += 1
        nextStatus = 0
        pollStart = 0
        do {
            try consumer.answerRevocation()
        } catch {
            fail(error)
        }
    }

    /// Goes on with a revocation: handlers first, then the commit, then the answer.
    func advanceRevocation() {
        guard var current = revocation else { return }
        let states = current.partitions
        let late = EngineClock.monotonic >= current.deadline
        switch current.stage {
        case .draining:
            guard states.allSatisfy({ $0.open == 0 || !$0.isOwned }) || late else { return }
            let open = states.reduce(0) { $0 + ($1.isOwned ? $1.open : 0) }
            if open > 0 {
                logger.warning(
                    "Handlers did not end in time before a rebalance; their records will be handled again",
                    metadata: [LogKey.count: "\(open)"])
            }
            // Late, the group must not wait for reports of what is not given up as well.
            guard !commitUnderWay || (late && takeBackHeldCommit()) else { return }
            current.stage = .committing
            current.deadline = EngineClock.monotonic + settings.closeTimeout.nanoseconds
            revocation = current
            commit(states)
            if !commitUnderWay { advanceRevocation() }
        case .committing:
            guard !commitUnderWay || late else { return }
            revocation = nil
            giveUp(states)
        }
    }

    func fail(_ error: any Error) {
        failure = failure ?? error
        logger.error("The service cannot go on", metadata: [LogKey.error: "\(error)"])
        shared.requestStop(atOnce: true)
    }
}
