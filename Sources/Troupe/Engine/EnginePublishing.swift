// How the engine publishes and what it makes of acknowledgements.

import KafkaClient

extension ServiceEngine {
    /// Publishes a record for `node`, now or as soon as the producer's queue, or the next transaction, has room.
    func send(_ message: PackedMessage, for node: Int32) {
        guard backlog.isEmpty, enqueue(message, for: node) else {
            lanes[node].unsent += 1
            backlog.append(message, for: node)
            return
        }
    }

    /// Sends what waited for room.
    ///
    /// Returns whether any of it went.
    func sendBacklog() -> Bool {
        var progress = false
        while let (message, node) = backlog.first {
            if !lanes[node].isOwned {
                // The partition went to another member, which handles the record.
                lanes[node].unsent -= 1
                withdraw(node)
            } else if enqueue(message, for: node) {
                lanes[node].unsent -= 1
            } else {
                break
            }
            backlog.removeFirst()
            progress = true
        }
        return progress
    }

    /// One publication less is awaited for a record that is no longer this member's.
    func withdraw(_ node: Int32) {
        lanes[node].pending -= 1
        if lanes[node].pending == 0 { end(node, isDone: false) }
    }

    /// Hands a record to the producer; `false` when it has no room now.
    private func enqueue(_ message: PackedMessage, for node: Int32) -> Bool {
        if isTransactional, !admit(node) { return false }
        switch producer.enqueue(message, opaque: UInt(node) + 1) {
        case .queued:
            if isTransactional { admitted(node) }
            return true
        case .full: return false
        case .refused(let error):
            // The client itself refused it: no other record had a part in that.
            undelivered(node, error, wasAlone: true) { message }
            return true
        }
    }

    /// Takes delivery reports.
    ///
    /// Returns whether there were any.
    func serveProducer() -> Bool {
        let count = producer.drain { report in
            if report.opaque & Self.batchFlag != 0 { return batchReported(report) }
            let node = Int32(truncatingIfNeeded: report.opaque) - 1
            if let error = report.error {
                undelivered(node, error) { report.record }
            } else {
                acknowledged(node, at: report.offset)
            }
        } other: { event in
            switch event {
            case .error(let error) where error.isFatal:
                // The idempotent producer gives up after an outcome it cannot know (librdkafka before 2.3).
                logger.warning("The producer is replaced after a fatal error", metadata: [LogKey.error: "\(error)"])
                producerFailed = true
            case .error(let error): report(error)
            case .transaction(let event): took(event)
            case .log(let line): log(line)
            default: break
            }
        }
        if producerFailed { replaceProducer() }
        return serveSingles() || count > 0
    }

    func acknowledged(_ node: Int32, at offset: Int64) {
        resends.succeeded()
        if status.trouble != nil { status.trouble = nil }
        if lanes[node].stage == .publishing { status.published += 1 }
        if lanes[node].stage == .redirecting { redirected(node, to: offset) }
        lanes[node].pending -= 1
        if lanes[node].pending == 0 { settle(node) }
    }

    /// Everything published for the record is acknowledged, or refused for good.
    func settle(_ node: Int32) {
        switch lanes[node].stage {
        case .publishing, .redirecting:
            if let exception = lanes[node].exception {
                sendLetter(node, exception)
                return
            }
            if lanes[node].stage == .redirecting { status.redirected += 1 }
        case .deadLettering: status.deadLettered += 1
        case .queued, .waiting, .gated, .admitted, .running: break
        }
        end(node, isDone: true)
    }

    private func sendLetter(_ node: Int32, _ exception: InFlight.Exception) {
        redirectRefused(node)
        guard lanes[node].isOwned else {
            end(node, isDone: false)
            return
        }
        tellUnhandled(node, exception.record, exception.failure)
        deadLetter(node, processor.deadLetter(exception.record, exception.failure, now: EngineClock.wallMilliseconds))
    }

    /// A record was not delivered.
    ///
    /// Unless it never can be, it is sent again: the source offset waits for it.
    func undelivered(_ node: Int32, _ error: KafkaError, wasAlone: Bool = false, _ message: () -> PackedMessage) {
        let item = lanes[node]
        if !item.isOwned || (phase == .stopping && (error.code == .purged || endsTasks)) {
            withdraw(node)
            return
        }
        if isTransactional {
            spoil(node, error)
            return
        }
        if error.condemnsRecord {
            if wasAlone { refused(node, error, message()) } else { sendAlone(message(), for: node) }
            return
        }
        status.trouble = error.description
        logger.error(
            "A record could not be published; it will be sent again and the source offset waits for it",
            metadata: [
                LogKey.error: "\(error)", LogKey.topic: item.partition?.topicPartition.topic ?? "",
                LogKey.partition: "\(item.partition?.topicPartition.partition ?? -1)",
                LogKey.offset: "\(item.offset)",
            ])
        retry(message(), for: node)
    }

    /// Sends a record again, later and later the longer nothing is delivered.
    func retry(_ message: PackedMessage, for node: Int32) {
        let now = EngineClock.monotonic
        timers.add(.resend(message, node, serial: lanes[node].serial), due: now + resends.failed(now: now))
    }

    /// Replaces a producer that gave up.
    ///
    /// What it had not delivered is sent again by the new one.
    private func replaceProducer() {
        let now = EngineClock.monotonic
        guard now >= nextReplacement else { return }
        nextReplacement = now + 1_000_000_000
        let old = producer
        if isTransactional {
            commitUnderWay = true
            cycle?.broke()
            dropEverything()
        }
        do {
            producer = try makeProducer()
        } catch {
            logger.error("The producer could not be replaced yet", metadata: [LogKey.error: "\(error)"])
            return
        }
        callDeadline = nil
        old.purge()
        while old.outstanding > 0 {
            let count = old.drain { report in
                if report.opaque & Self.batchFlag != 0 { return batchReported(report, isReplaced: true) }
                let node = Int32(truncatingIfNeeded: report.opaque) - 1
                if report.isDelivered {
                    acknowledged(node, at: report.offset)
                } else if isTransactional {
                    withdraw(node)
                } else {
                    retry(report.record, for: node)
                }
            }
            if count == 0 {
                waker.prepareToSleep()
                if old.isEmpty { waker.sleep(milliseconds: 10) } else { waker.cancelSleep() }
            }
        }
        producerFailed = false
        initializeTransactions()
    }

    /// Passes a log line of librdkafka's on.
    func log(_ line: ClientLog) {
        let metadata = [LogKey.facility: line.facility]
        switch line.severity {
        case 0...3: logger.error(line.message, metadata: metadata)
        case 4: logger.warning(line.message, metadata: metadata)
        case 5, 6: logger.info(line.message, metadata: metadata)
        default: logger.debug(line.message, metadata: metadata)
        }
    }
}
