// How the engine keeps the bounds of routes that have some: places, circuit breakers, rate limits, threads.
//
// A lane whose first record may not start is held, which costs nothing: no task waits with it. Who waits is let through
// in the order of asking, when a handling of the route ends or the gate's time has come.

import KafkaClient

/// A route with bounds of its own, as the engine sees it; touched on the engine's thread alone.
final class RouteControl {
    let route: Route
    var gate: RouteGate
    /// Where its handlers run; `nil` for the engine's thread.
    let threads: HandlerThreads?
    /// Records that wait, in the order of asking; some may be gone.
    var queue: [(node: Int32, serial: UInt64)] = []
    var head = 0
    /// Records that wait and are not gone.
    var waiting = 0
    /// What those that were let through and have not started yet hand back, by their serial numbers.
    var passes: [UInt64: RoutePass] = [:]
    /// When the engine looks at the gate again.
    var timer: UInt64?
    /// What the route may hold of the input topics' and of the retry topics' bounds.
    private var inputs: FlowBudget
    private var retries: FlowBudget

    private init?(_ route: Route, _ settings: EngineSettings, shares: Int) {
        guard let gate = RouteGate(of: route) else { return nil }
        self.route = route
        self.gate = gate
        threads = route.execution.threads.map { HandlerThreads(named: "troupe-route-\(route.index + 1)", count: $0) }
        let bytes = max(settings.maxBytesInFlight / shares, 1)
        inputs = FlowBudget(maxCount: max(settings.maxRecordsInFlight / shares, 1), maxBytes: bytes)
        retries = FlowBudget(maxCount: max(settings.maxRetriesInFlight / shares, 1), maxBytes: bytes)
    }

    /// The controls of the routes that need one, by the routes' indices.
    ///
    /// Each has the same share of what may be in flight, and all routes without bounds together have one more: so
    /// events that wait for their route never keep those of another route out.
    static func all(_ routes: [Route], _ settings: EngineSettings) -> [RouteControl?] {
        let gated = routes.count(where: \.isGated)
        let shares = gated < routes.count ? gated + 1 : max(gated, 1)
        return routes.map { RouteControl($0, settings, shares: shares) }
    }

    func hasRoom(isRetry: Bool) -> Bool { isRetry ? retries.hasRoom : inputs.hasRoom }

    /// A record of the route is taken.
    func take(_ byteCount: Int, _ partition: PartitionState) {
        if partition.isRetry { retries.add(byteCount) } else { inputs.add(byteCount) }
    }

    /// A record of the route is done or dropped.
    func leave(_ byteCount: Int, _ partition: PartitionState) {
        if partition.isRetry { retries.remove(byteCount) } else { inputs.remove(byteCount) }
    }

    var status: RouteStatus {
        RouteStatus(
            route: route.name, running: gate.underWay - passes.count, waiting: waiting + passes.count,
            inFlight: inputs.count + retries.count, circuit: gate.circuitState)
    }

    /// Runs a handling where the route wants it.
    nonisolated(nonsending) func run(
        _ processor: RecordProcessor, _ handling: Handling, attempt: Int, firstFailedAt: Int64?
    ) async throws -> (messages: Publications, failure: (any Error)?) {
        guard let threads else {
            return try await processor.handleOrFallBack(handling, attempt: attempt, firstFailedAt: firstFailedAt)
        }
        threads.begin()
        // A task of its own: awaiting its value brings the drain task back to the engine's thread.
        let task = Task.detached(executorPreference: threads) {
            defer { threads.end() }
            return try await processor.handleOrFallBack(handling, attempt: attempt, firstFailedAt: firstFailedAt)
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}

extension ServiceEngine {
    /// Whether a route with bounds of its own may hold one record more.
    func routeHasRoom(_ route: Int, _ partition: PartitionState) -> Bool {
        guard route >= 0, let control = routes[route] else { return true }
        return control.hasRoom(isRetry: partition.isRetry)
    }

    /// Lets the record start, or holds its lane until its route does.
    func letStart(_ node: Int32, _ control: RouteControl, mayStart: Bool) -> RoutePass? {
        if lanes[node].stage == .admitted { return control.passes.removeValue(forKey: lanes[node].serial) }
        let now = EngineClock.monotonic
        if mayStart, control.waiting == 0, case .admitted = control.gate.admission(at: now) {
            return start(control, now)
        }
        lanes[node].stage = .gated
        lanes.hold(node)
        control.queue.append((node, lanes[node].serial))
        control.waiting += 1
        letThrough(control)
        return nil
    }

    /// Lets records start that waited, in order, as far as their route allows.
    func letThrough(_ control: RouteControl) {
        while control.head < control.queue.count {
            let (node, serial) = control.queue[control.head]
            if lanes[node].serial == serial, lanes[node].stage == .gated {
                let now = EngineClock.monotonic
                switch control.gate.admission(at: now) {
                case .admitted: break
                case .later(let due):
                    if let timer = control.timer, timer <= due { return }
                    control.timer = due
                    timers.add(.letThrough(control.route.index), due: due)
                    return
                case .afterAnother: return
                }
                control.passes[serial] = start(control, now)
                control.waiting -= 1
                lanes[node].stage = .admitted
                lanes.resume(node)
            }
            control.head += 1
            if control.head >= 1_024 || control.head == control.queue.count {
                control.queue.removeFirst(control.head)
                control.head = 0
            }
        }
    }

    /// A record that its route knows is dropped before it started, or goes elsewhere.
    func leaveGate(_ item: borrowing InFlight) {
        guard item.gate >= 0, let control = routes[Int(item.gate)] else { return }
        if item.stage == .gated { control.waiting -= 1 }
        guard item.stage == .admitted, let pass = control.passes.removeValue(forKey: item.serial) else { return }
        control.gate.end(pass, .irrelevant, took: 0, at: EngineClock.monotonic)
        letThrough(control)
    }

    /// A handling of the route ended.
    func ended(_ control: RouteControl, _ pass: RoutePass, _ start: UInt64, _ outcome: CallOutcome) {
        let before = control.gate.circuitState
        let now = EngineClock.monotonic
        control.gate.end(pass, outcome, took: now - start, at: now)
        if before != control.gate.circuitState { tell(control) }
    }

    private func start(_ control: RouteControl, _ now: UInt64) -> RoutePass {
        let before = control.gate.circuitState
        defer { if before != control.gate.circuitState { tell(control) } }
        return control.gate.start(at: now)
    }

    /// Says that the state of a route's breaker has changed.
    private func tell(_ control: RouteControl) {
        guard let state = control.gate.circuitState else { return }
        let metadata = [LogKey.route: control.route.name, LogKey.count: "\(control.status.inFlight)"]
        switch state {
        case .open:
            logger.error("The circuit of a route is open: its events wait for what it depends on", metadata: metadata)
        case .halfOpen: logger.notice("The circuit of a route is half open: a few events are tried", metadata: metadata)
        case .closed: logger.notice("The circuit of a route is closed: its events go on", metadata: metadata)
        }
    }

    // MARK: Threads

    func startRouteThreads() {
        do {
            for case let control? in routes { try control.threads?.start() }
        } catch {
            fail(error)
        }
    }

    func endRouteThreads() {
        for case let control? in routes { control.threads?.close() }
    }
}
