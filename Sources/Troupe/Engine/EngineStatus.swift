// How the engine tells what it does, and names handlers that take too long.

import KafkaClient
import Synchronization

/// What a change of is told at once.
struct EngineNews: Equatable {
    var phase = ServiceStatus.Phase.starting
    var circuits: [CircuitState?] = []
    var assignments = 0
}

extension ServiceEngine {
    /// Publishes the status, at most ten times a second unless forced by the thread going to sleep.
    func publishStatus(force: Bool) {
        let now = EngineClock.monotonic
        if now >= nextWatch {
            nextWatch = now + 1_000_000_000
            nameSlowHandlers(now)
        }
        guard now >= nextStatus || (force && statusChanged) else { return }
        nextStatus = now + 100_000_000
        status.phase = phase
        status.inFlight = lanes.count
        status.running = running
        status.partitions = partitions.count
        status.lag = lag
        if routes.contains(where: { $0 != nil }) { status.routes = routes.compactMap { $0?.status } }
        status.latencyMedian = latencies.quantile(0.5).map { Double($0) / 1_000 }
        status.latency99 = latencies.quantile(0.99).map { Double($0) / 1_000 }
        if let reports { status.unreported = reports.lost }
        shared.publish(status)
        if shared.newsWaker != nil { tellNews() }
    }

    /// Says at once what must not wait for the next heartbeat: another phase, other partitions, another circuit.
    private func tellNews() {
        let current = EngineNews(phase: status.phase, circuits: status.routes.map(\.circuit), assignments: assignments)
        guard current != news else { return }
        if current.assignments != news.assignments {
            shared.publish(
                assignment: Dictionary(grouping: partitions.map(\.topicPartition), by: \.topic)
                    .mapValues { $0.map(\.partition).sorted() })
        }
        news = current
        shared.tellNews()
    }

    private var statusChanged: Bool { shared.lastStatus.inFlight != lanes.count || status.phase != phase }

    /// Records that are not done, by what the fetches said of the partitions' ends; `nil` before all have told it.
    private var lag: Int? {
        var total = 0
        for state in partitions {
            guard state.phase != .loading, let range = consumer.knownRange(of: state.topicPartition) else { return nil }
            let base = state.ledger.isEmpty ? range.lowerBound : state.ledger.base
            total += Int(max(range.upperBound - base, 0))
        }
        return partitions.isEmpty ? nil : total
    }

    /// Warns of each handler that has run longer than the threshold: once, then whenever its time has doubled.
    private func nameSlowHandlers(_ now: UInt64) {
        guard running > 0 else { return }
        var late: [(Int32, InFlight)] = []
        lanes.forEach { index, node in
            if node.work.stage == .running, now >= node.work.warnAt { late.append((index, node.work)) }
        }
        for (index, item) in late {
            let elapsed = now - item.startedAt
            lanes[index].warnAt = now + elapsed
            guard let handling = item.handling else { continue }
            // One that has threads of its own keeps nobody else from going on.
            let cure =
                handling.route.execution.threads == nil
                ? "; a handler that blocks needs threads of its own (`execution: .offloaded(threads:)`)" : ""
            logger.warning(
                "A handler has run for \(elapsed / 1_000_000_000) s. A route's `timeLimit:` bounds that\(cure)",
                metadata: [
                    LogKey.route: handling.route.name, LogKey.topic: handling.origin.topic,
                    LogKey.partition: "\(handling.origin.partition)",
                    LogKey.offset: "\(handling.origin.offset)", LogKey.eventID: handling.eventID,
                ])
        }
    }
}
