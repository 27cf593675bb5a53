// How the engine runs handlers and what it does with their outcome.

import KafkaClient

extension ServiceEngine {
    /// Runs what is ready: jobs of handlers under way, then new handlings.
    ///
    /// Returns whether there was anything.
    func runHandlers() -> Bool {
        var progress = executor.runJobs()
        slice = 256
        while mayStart, lanes.hasReady, running < settings.maxConcurrentHandlers {
            progress = true
            running += 1
            if let task = parked.popLast() {
                task.resume()
            } else {
                drainTasks += 1
                tasks.append(Task.detached(executorPreference: executor) { await self.drain() })
            }
            _ = executor.runJobs()
            if slice <= 0 { break }
        }
        return progress
    }

    /// Whether a handling may start now: not while the producer's queue is full, not after a stop at once.
    ///
    /// And not while too much of what handlers published is unacknowledged.
    private var mayStart: Bool { hasRoomToPublish && !endsTasks && slice > 0 && unacknowledged.hasRoom }

    /// Handles records until none is ready, then waits for more.
    ///
    /// A handler that waits keeps its drain task; another takes over, up to the bound. A handler that never waits
    /// runs inline, with no task or hop of its own.
    private nonisolated(nonsending) func drain() async {
        while !endsTasks {
            while mayStart, let node = lanes.nextReady() {
                slice -= 1
                // The usual case stands here and not in a function of its own: a frame and a hop less for each record.
                switch dispatch(node) {
                case .none: break
                case .plain(let handling):
                    let context = EventContext(
                        handling, processor, attempt: lanes[node].attempt, firstFailedAt: lanes[node].firstFailedAt)
                    do {
                        succeed(node, try await handling.route.perform(handling, context, processor), handling)
                    } catch {
                        fail(node, error, handling)
                    }
                case .wrapped(let handling): await handle(node, handling)
                case .gated(let handling, let control, let pass): await handle(node, handling, control, pass)
                }
            }
            running -= 1
            if endsTasks { break }
            await withUnsafeContinuation { parked.append($0) }
        }
        drainTasks -= 1
    }

    /// What is to be run for a record whose turn it is.
    private enum Dispatch {
        /// Nothing: it waits, or something else was done with it.
        case none
        /// Its handler, with nothing around it.
        case plain(Handling)
        /// Its handler within middleware, or with a fallback behind it.
        case wrapped(Handling)
        /// Its handler, which a route with bounds of its own let start.
        case gated(Handling, RouteControl, RoutePass)
    }

    /// Looks at a record whose turn it is, and begins with it.
    private func dispatch(_ node: Int32) -> Dispatch {
        if lanes[node].notBefore > 0, !isDue(node) { return .none }
        guard let handling = lanes[node].handling else {
            if let exception = lanes[node].exception {
                log(.error, "A record was dead-lettered", processor.summary(exception.record, exception.failure))
                tellUnhandled(node, exception.record, exception.failure)
                deadLetter(
                    node,
                    processor.deadLetter(exception.record, exception.failure, now: EngineClock.wallMilliseconds))
            }
            return .none
        }
        if deadLetterIfRefused(node, handling.original) { return .none }
        let follows = follows(node, handling)
        if handling.route.isGated, let control = routes[handling.route.index] {
            // While what the route depends on is down even what only follows stays where it is.
            let staysForNow = follows && lanes[node].stage != .admitted && control.gate.circuitState == .open
            if !follows || staysForNow {
                guard let pass = letStart(node, control, mayStart: !follows) else { return .none }
                return .gated(handling, control, pass)
            }
            leaveGate(lanes[node])
        }
        if follows {
            follow(node, handling)
            return .none
        }
        // Only a report needs it exactly.
        lanes[node].begin(at: reports == nil ? loopTime : EngineClock.monotonic, slowAfter: slowAfter)
        shared.enter(handling)
        return processor.isPlain(handling.route) ? .plain(handling) : .wrapped(handling)
    }

    /// Handles a record within what is wrapped around its handler.
    private nonisolated(nonsending) func handle(_ node: Int32, _ handling: Handling) async {
        do {
            let outcome = try await processor.handleOrFallBack(
                handling, attempt: lanes[node].attempt, firstFailedAt: lanes[node].firstFailedAt)
            succeed(node, outcome.messages, handling, insteadOf: outcome.failure)
        } catch {
            fail(node, error, handling)
        }
    }

    /// Handles a record of a route with bounds of its own, which has let it start.
    private nonisolated(nonsending) func handle(
        _ node: Int32, _ handling: Handling, _ control: RouteControl, _ pass: RoutePass
    ) async {
        let start = EngineClock.monotonic
        lanes[node].begin(at: start, slowAfter: slowAfter)
        if control.threads == nil { shared.enter(handling) }
        let attempt = lanes[node].attempt
        let firstFailedAt = lanes[node].firstFailedAt
        do {
            let outcome = try await control.run(processor, handling, attempt: attempt, firstFailedAt: firstFailedAt)
            ended(control, pass, start, outcome.failure.map { processor.callOutcome(of: $0, handling) } ?? .succeeded)
            succeed(node, outcome.messages, handling, insteadOf: outcome.failure)
        } catch {
            let isOver = !lanes[node].isOwned || (error is CancellationError && phase == .stopping)
            ended(control, pass, start, isOver ? .irrelevant : processor.callOutcome(of: error, handling))
            fail(node, error, handling)
        }
        letThrough(control)
    }

    /// Whether a retry's time has come; if not, its lane is held until then.
    ///
    /// The wall clock is looked at once: what was left then is waited for by the monotonic clock, which nobody sets.
    private func isDue(_ node: Int32) -> Bool {
        lanes[node].notBefore = 0
        let delay = lanes[node].handling?.delay(now: EngineClock.wallMilliseconds) ?? 0
        guard delay > 0 else { return true }
        hold(node, until: EngineClock.monotonic + Duration.milliseconds(delay).nanoseconds)
        return false
    }

    /// - Parameter failure: What the handler failed by, when it was the fallback that succeeded.
    private func succeed(
        _ node: Int32, _ messages: Publications, _ handling: Handling, insteadOf failure: (any Error)? = nil
    ) {
        guard lanes[node].isOwned else {
            // The partition went to another member: it handles the record; nothing of this handling may count.
            end(node, isDone: false)
            return
        }
        status.handled += 1
        countLatency(handling)
        // Before anything of it can be done: what a commit covers is reported.
        if reports != nil { tellSuccess(node, handling, messages.all, failure) }
        // The lane goes on at once: acknowledgements are awaited by the ledger, not by the next event.
        lanes.advance(node)
        switch messages {
        case .none: end(node, isDone: true)
        case .one(let message):
            published(node, 1, message.byteCount)
            send(message, for: node)
        case .several(let messages) where messages.isEmpty: end(node, isDone: true)
        case .several(let messages):
            published(node, messages.count, messages.reduce(0) { $0 + $1.byteCount })
            for message in messages { send(message, for: node) }
        }
    }

    private func published(_ node: Int32, _ count: Int, _ byteCount: Int) {
        lanes[node].published(count, byteCount)
        unacknowledged.add(byteCount)
    }

    private func fail(_ node: Int32, _ error: any Error, _ handling: Handling) {
        let item = lanes[node]
        // A handler cancelled by the stop has not failed: its record is handled again by the next owner.
        guard item.isOwned, !(error is CancellationError && phase == .stopping) else {
            end(node, isDone: false)
            return
        }
        let now = EngineClock.wallMilliseconds
        lanes[node].firstFailedAt = item.firstFailedAt ?? now
        let action = processor.decide(
            error, handling, attempt: item.attempt, firstFailedAt: item.firstFailedAt, now: now)
        switch action {
        case .retryInPlace where phase == .stopping || item.partition?.phase == .draining:
            // No time to wait: the next owner handles it again.
            end(node, isDone: false)
        case .retryInPlace(let delay):
            status.retriedInPlace += 1
            logger.info(
                "A handling failed; the event is tried again in place",
                metadata: processor.summary(handling, attempt: item.attempt, error).metadata.merging(
                    [LogKey.delayMilliseconds: String(delay.milliseconds)]) { $1 })
            if reports != nil {
                let (notBefore, overflow) = now.addingReportingOverflow(delay.milliseconds)
                tellFailure(
                    node, handling, .retrying, ErrorSummary(error), attempt: item.attempt,
                    notBefore: overflow ? .max : notBefore)
            }
            lanes[node].attempt += 1
            hold(node, until: EngineClock.monotonic + delay.nanoseconds)
        case .retryTopic(let message, let notBefore, let summary):
            log(.warning, "A handling failed; the event waits in the retry topic", summary)
            tellFailure(
                node, handling, .redirected, summary.error, attempt: item.attempt, notBefore: notBefore,
                sentTo: message.topic)
            redirect(node, message, handling)
        case .deadLetter(let message, let summary):
            log(.error, "An event was dead-lettered", summary)
            tellFailure(
                node, handling, .deadLettered, summary.error, attempt: item.attempt, sentTo: message.topic)
            deadLetter(node, message)
        case .ignore(let summary):
            log(.notice, "A failure was ignored, as the route's policy says", summary)
            status.ignored += 1
            tellFailure(node, handling, .ignored, summary.error, attempt: item.attempt)
            end(node, isDone: true)
        }
    }

    /// Sends a record's letter.
    ///
    /// Its lane waits for the acknowledgement, so that no later event of the key is handled and the record after
    /// all.
    func deadLetter(_ node: Int32, _ message: PackedMessage) {
        lanes[node].stage = .deadLettering
        lanes[node].pending = 1
        lanes.hold(node)
        send(wrappingPartition(message), for: node)
    }

    /// The same message for a partition that its topic has.
    func wrappingPartition(_ message: PackedMessage) -> PackedMessage {
        guard let count = partitionCounts[message.topic] else { return message }
        var copy = message
        copy.wrapPartition(count: count)
        return copy
    }

    private func log(_ level: LogLevel, _ message: String, _ summary: FailureSummary) {
        logger.log(level, message, metadata: summary.metadata)
    }

    private func countLatency(_ handling: Handling) {
        // From the event's publication, however often it was tried since.
        let timestamp = handling.origin.timestamp
        guard timestamp.kind != .none else { return }
        // The publisher chose the timestamp: it may be anything.
        let (elapsed, overflow) = EngineClock.wallMilliseconds.subtractingReportingOverflow(timestamp.milliseconds)
        guard !overflow, elapsed <= 1 << 50 else { return }
        latencies.add(microseconds: UInt64(max(elapsed, 0)) * 1_000)
    }
}
