// Looking at what became of everything that was given.

public import Troupe
import KafkaClient

extension TestWorld {
    /// The events of one type that services published, exactly; what the test gave is not among them.
    ///
    /// In a simulation they come in the order of publication, on a broker in the order of their timestamps, in which
    /// events of one key never change places.
    ///
    /// - Throws: `TestTimedOut` when something did not settle; what the coder throws when bytes are of something else.
    public func published<E: Event>(_ type: E.Type) async throws -> [PublishedEvent<E>] {
        try await published().filter { $0.envelope.type == E.type && $0.record.topic == E.topic.rawValue }.map {
            PublishedEvent(event: try $0.event(type), envelope: $0.envelope, record: $0.record)
        }
    }

    /// Everything that services published, exactly, but for retries and dead letters.
    ///
    /// - Throws: `TestTimedOut` when something did not settle; `EnvelopeFailure` when a record is no event.
    public func published() async throws -> [PublishedRecord] {
        let own = Set(backend.processors.flatMap { $0.retryTopics + $0.deadLetterTopics })
        return try await backend.settle().filter { !$0.isGiven && !own.contains($0.record.topic) }.map {
            PublishedRecord(envelope: try EventEnvelope($0.record), record: named($0.record))
        }
    }

    /// The records in the dead-letter topics, in the order they were written in.
    ///
    /// - Throws: `TestTimedOut` when something did not settle.
    public func deadLetters() async throws -> [DeadLetter] {
        let owners = owners(\.deadLetterTopics)
        return try await backend.settle().compactMap { entry in
            guard let owner = owners[entry.record.topic] else { return nil }
            let origin = entry.record.header(FailureHeaderName.originTopic.text) ?? ""
            return DeadLetter(named(entry.record), topic: local(origin), service: owner)
        }
    }

    /// The events that wait for their next attempt, the one that is due first at the head.
    ///
    /// An event that waits behind an earlier one of its key, without having failed itself, is not among them.
    ///
    /// - Throws: `TestTimedOut` when something did not settle.
    public func retrying() async throws -> [RetryingEvent] {
        let owners = owners(\.retryTopics)
        let records = try await backend.settle()
        var waiting = backend.journal.waitingInPlace.map { entry in
            RetryingEvent(
                service: entry.service, topic: local(entry.origin.topic), partition: entry.origin.partition,
                offset: entry.origin.offset, envelope: entry.envelope, attempts: entry.attempts, due: entry.due,
                isInRetryTopic: entry.isInRetryTopic, errorType: entry.error.type, errorMessage: entry.error.message)
        }
        for entry in records {
            guard let owner = owners[entry.record.topic],
                backend.journal.isUntouched(Journal.Place(service: owner, entry.record))
            else { continue }
            let failure = FailureHeaders(entry.record)
            if failure.reason == .follower { continue }
            waiting.append(
                RetryingEvent(
                    service: owner, topic: local(failure.originTopic ?? ""), partition: failure.originPartition ?? -1,
                    offset: failure.originOffset ?? -1, envelope: try? EventEnvelope(entry.record),
                    attempts: failure.attempt ?? 0, due: failure.notBefore ?? now, isInRetryTopic: true,
                    errorType: failure.errorType ?? "", errorMessage: failure.errorMessage ?? ""))
        }
        return waiting.sorted {
            ($0.due, $0.service, $0.topic, $0.partition, $0.offset)
                < ($1.due, $1.service, $1.topic, $1.partition, $1.offset)
        }
    }

    /// Every run of a handler so far, in the order they ended in.
    ///
    /// - Throws: `TestTimedOut` when something did not settle.
    public func attempts() async throws -> [HandlingAttempt] {
        _ = try await backend.settle()
        return backend.journal.attempts
    }

    /// The runs of the handlers of one type of event so far, in the order they ended in.
    ///
    /// - Throws: `TestTimedOut` when something did not settle.
    public func attempts<E: Event>(at type: E.Type) async throws -> [HandlingAttempt] {
        try await attempts().filter { $0.envelope.type == E.type }
    }

    /// The records that were skipped because no route names their type.
    ///
    /// - Throws: `TestTimedOut` when something did not settle.
    public func skipped() async throws -> [SkippedRecord] {
        _ = try await backend.settle()
        return backend.journal.skipped.map { SkippedRecord(service: $0.service, record: named($0.record)) }
    }

    /// Sends a dead letter back to the service that failed, as an operator does after the fix.
    ///
    /// - Parameter letter: The letter, as `deadLetters` returned it.
    /// - Throws: `ReplayFailure`, which says what is in the way, such as a value that was left out.
    public func replay(_ letter: DeadLetter) async throws {
        var message = try Replay.record(for: letter.letter)
        message.topic = namespace + message.topic
        _ = try await backend.give(message)
    }

    /// The services by the names of their topics.
    private func owners(_ topics: (RecordProcessor) -> [String]) -> [String: String] {
        var owners: [String: String] = [:]
        for processor in backend.processors {
            for topic in topics(processor) { owners[topic] = processor.service }
        }
        return owners
    }
}
