// How the engine stops.

import KafkaClient
import Synchronization

/// How far a stop has come.
enum StopStage {
    /// Handlers and acknowledgements are awaited.
    case draining
    /// The last commit is awaited.
    case committing
    /// The group is being left.
    case leaving
    /// The last acknowledgements are awaited.
    case flushing
}

extension ServiceEngine {
    /// Goes on with a stop: drain, commit, leave the group, take the last acknowledgements.
    func advanceStop() {
        let wanted = shared.stopWanted.load(ordering: .sequentiallyConsistent)
        guard wanted > 0 else { return }
        if wanted != shared.stopSeen {
            shared.stopSeen = wanted
            beginStop(atOnce: wanted == 2)
        }
        guard phase == .stopping else { return }
        let late = EngineClock.monotonic >= stopDeadline
        switch stopStage {
        case .draining:
            let open = inputBudget.count + retryBudget.count
            guard open == 0 || late, !commitUnderWay || late else { return }
            if open > 0 {
                logger.warning(
                    "Handlers did not end in time; their records will be handled again",
                    metadata: [LogKey.count: "\(open)"])
            }
            endTasks()
            stopStage = .committing
            stopDeadline = EngineClock.monotonic + min(settings.closeTimeout.nanoseconds, closeAllowance)
            if revocation == nil { commit(partitions) }
            // Also what is not part of any commit.
            if !isTransactional { sealReports() }
            advanceStop()
        case .committing:
            guard !commitUnderWay || late else { return }
            stopStage = .leaving
            if let current = revocation {
                revocation = nil
                giveUp(current.partitions)
            }
            do {
                if consumer.mayClose(everAssigned: everAssigned) { try consumer.beginClose() }
            } catch {
                logger.warning("Leaving the group failed", metadata: [LogKey.error: "\(error)"])
            }
        case .leaving:
            guard consumer.isClosed || late || !everAssigned else { return }
            stopStage = .flushing
            advanceStop()
        case .flushing:
            guard unreported == 0 || late else { return }
            if unreported > 0 {
                producer.purge()
                singles?.purge()
                _ = serveProducer()
            }
            phase = .stopped
        }
    }

    private func beginStop(atOnce: Bool) {
        logger.info(atOnce ? "Stopping at once" : "Stopping")
        phase = .stopping
        stopStage = .draining
        stopDeadline = EngineClock.monotonic + (atOnce ? 0 : settings.drainTimeout.nanoseconds)
        if atOnce { closeAllowance = 1_000_000_000 }
        for state in partitions { dropQueued(state) }
    }

    /// Ends the drain tasks: those that wait for work end now, those in a handler are cancelled.
    private func endTasks() {
        endsTasks = true
        for task in tasks { task.cancel() }
        let waiting = parked
        parked = []
        for task in waiting {
            task.resume()
        }
        _ = executor.runJobs()
    }
}
