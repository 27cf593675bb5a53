// What follows when a record cannot be handled: a retry, a redirect, a dead letter.

package import KafkaClient

extension RecordProcessor {
    /// Whether `error` ends the attempts at an event that could be read.
    func isFinal(_ error: any Error, _ handling: Handling, attempt: Int) -> Bool {
        if error is DecodeFailure || error is CancellationError { return false }
        if error is PublicationFailure { return true }
        if case .deadLetter = verdict(error, handling, attempt: attempt) { return true }
        return false
    }

    /// What the route's policy says, without jitter.
    private func verdict(_ error: any Error, _ handling: Handling, attempt: Int) -> RetryPolicy.Verdict {
        (handling.route.retry ?? router.retry).verdict(on: error, attempt: attempt, unit: 0)
    }

    /// What a failed attempt says of what the handler depends on: nothing when the event itself is to blame.
    package func callOutcome(of error: any Error, _ handling: Handling) -> CallOutcome {
        if error is DecodeFailure || error is PublicationFailure { return .irrelevant }
        // The first attempt's verdict: what the policy retries at all may succeed later.
        switch verdict(error, handling, attempt: 1) {
        case .retry, .deadLetter(retriesExhausted: true): return .failed
        case .deadLetter(retriesExhausted: false), .ignore: return .irrelevant
        }
    }

    /// Says what follows from an error of `handle`.
    /// - Parameters:
    ///   - attempt: the number of the attempt that failed, from 1.
    ///   - firstFailedAt: when the event failed first, if that was before.
    ///   - now: milliseconds since 1970.
    package func decide(
        _ error: any Error, _ handling: Handling, attempt: Int, firstFailedAt: Int64?, now: Int64
    ) -> FailureAction {
        let failed = Failed(handling: handling, attempt: attempt, firstFailedAt: firstFailedAt ?? now, error: error)
        let action = action(error, failed, now: now)
        settings.observer?.observe(
            .failed(handling, attempt: attempt, error: failed.error, at: now, action), of: service)
        return action
    }

    private func action(_ error: any Error, _ failed: Failed, now: Int64) -> FailureAction {
        let handling = failed.handling
        switch error {
        case is DecodeFailure: return deadLetter(failed, .undecodable)
        case is PublicationFailure: return deadLetter(failed, .unpublishable)
        default: break
        }
        let policy = handling.route.retry ?? router.retry
        switch policy.verdict(on: error, attempt: failed.attempt, unit: settings.random.nextUnit()) {
        case .ignore: return .ignore(summary: summary(failed, .notRetryable))
        case .deadLetter(let exhausted): return deadLetter(failed, exhausted ? .retriesExhausted : .notRetryable)
        case .retry(let delay):
            // In the retry topic failures are held in place: a record enters it once only (its key's order).
            guard delay > settings.inPlaceRetryLimit, !handling.isFromRetryTopic else {
                return .retryInPlace(after: delay)
            }
            let (notBefore, overflow) = now.addingReportingOverflow(delay.milliseconds)
            let stamp = stamp(failed, .retry, notBefore: overflow ? .max : notBefore)
            guard let message = failures.retryRecord(handling.original, to: names(handling).retry, stamp) else {
                // The record leaves no room for failure headers: waiting in place keeps it whole.
                return .retryInPlace(after: delay)
            }
            return .retryTopic(
                message, notBefore: overflow ? .max : notBefore, summary: summary(failed, .retry))
        }
    }

    /// The dead letter of a record that was not handled.
    package func deadLetter(_ record: KafkaRecord, _ failure: RecordFailure, now: Int64) -> PackedMessage {
        let role = plan.roles[record.topic]
        let history = role?.isRetryTopic == true ? FailureHeaders(record) : nil
        let stamp = FailureStamp(
            origin: role.map { origin(record, $0, history) }
                ?? RecordOrigin(
                    topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp
                ),
            service: service, reason: failure.reason, attempt: history?.attempt ?? 0,
            firstFailedAt: history?.firstFailedAt ?? now, error: failure.error, replayCount: history?.replayCount ?? 0)
        let letter = failures.deadLetter(
            record, to: role?.deadLetterTopic ?? names.deadLetter(Topic(record.topic)), stamp)
        settings.observer?.observe(.deadLettered(record, letter: letter), of: service)
        return letter
    }

    /// What to say about a record that was dead-lettered without being handled.
    package func summary(_ record: KafkaRecord, _ failure: RecordFailure) -> FailureSummary {
        FailureSummary(
            service: service, route: nil, eventID: nil, topic: record.topic, partition: record.partition,
            offset: record.offset, attempt: 0, reason: failure.reason, error: failure.error)
    }

    /// The record for the retry topic of an event that was not handled because an earlier one of its key waits there;
    /// `nil` when it does not fit.
    package func follower(_ handling: Handling) -> PackedMessage? {
        let message = failures.retryRecord(
            handling.original, to: names(handling).retry,
            FailureStamp(
                origin: handling.origin, service: service, reason: .follower, attempt: handling.attempt - 1,
                firstFailedAt: handling.firstFailedAt, error: nil, replayCount: handling.replayCount))
        if let message { settings.observer?.observe(.followed(handling, message), of: service) }
        return message
    }

    private struct Failed {
        let handling: Handling
        let attempt: Int
        let firstFailedAt: Int64
        let error: ErrorSummary

        init(handling: Handling, attempt: Int, firstFailedAt: Int64, error: any Error) {
            self.handling = handling
            self.attempt = attempt
            self.firstFailedAt = firstFailedAt
            self.error = ErrorSummary(error)
        }
    }

    private func names(_ handling: Handling) -> (retry: String, deadLetter: String) {
        guard let role = plan.roles[handling.original.topic] else { return ("", "") }
        return (role.retryTopic, role.deadLetterTopic)
    }

    private func deadLetter(_ failed: Failed, _ reason: FailureReason) -> FailureAction {
        .deadLetter(
            failures.deadLetter(failed.handling.original, to: names(failed.handling).deadLetter, stamp(failed, reason)),
            summary: summary(failed, reason))
    }

    private func stamp(_ failed: Failed, _ reason: FailureReason, notBefore: Int64? = nil) -> FailureStamp {
        FailureStamp(
            origin: failed.handling.origin, service: service, reason: reason, attempt: failed.attempt,
            notBefore: notBefore, firstFailedAt: failed.firstFailedAt, error: failed.error,
            replayCount: failed.handling.replayCount)
    }

    /// What a failure is told as whose event is tried again in place.
    package func summary(_ handling: Handling, attempt: Int, _ error: any Error) -> FailureSummary {
        summary(Failed(handling: handling, attempt: attempt, firstFailedAt: 0, error: error), .retry)
    }

    private func summary(_ failed: Failed, _ reason: FailureReason) -> FailureSummary {
        let origin = failed.handling.origin
        return FailureSummary(
            service: service, route: failed.handling.route.name, eventID: failed.handling.eventID, topic: origin.topic,
            partition: origin.partition, offset: origin.offset, attempt: failed.attempt, reason: reason,
            error: failed.error)
    }
}

extension RecordFailure {
    static let unclaimedTombstone = RecordFailure(
        .tombstone,
        ErrorSummary(
            type: "Troupe.UnclaimedTombstone",
            message: "The record's value is null, and no route handles tombstones of its type or topic"))
}
