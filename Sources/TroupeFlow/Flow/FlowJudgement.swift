// From what was read of a flow and what is declared to the flow's status: a pure function of its arguments.

import Troupe

/// How a flow stands at a moment, by what was read and what is declared.
///
/// A service owes a step for every event of the flow that its declaration says it handles, within the time its route
/// names, counted from the event; a service that is first known after the event counts from then. A service that is
/// first known after the flow ended owes nothing to it. What a service did is what it reported; an event that it
/// published because of another shows without a report that it handled that one. Where its reports may be missing,
/// because it makes none or lost some since the event, what it did is not known: that is no step that it owes.
struct FlowJudgement: Sendable, Equatable {
    /// How long an event that a service says it published may be unread before nobody waits for it, in milliseconds.
    ///
    /// The publication was acknowledged before it was reported: what stays unread is gone from its topic.
    static let publicationGrace: Int64 = 30_000
    /// The time in which a step is owed that no declaration speaks of any more, in milliseconds.
    static let undeclaredWithin: Int64 = 30_000

    private(set) var status = FlowStatus.running
    private(set) var subject: String?
    private(set) var type: String?
    private(set) var startedAt: Int64
    private(set) var updatedAt: Int64
    /// When the flow ended; `nil` while it is open.
    private(set) var endedAt: Int64?
    /// The steps by event and service; why those that are not done are not is told by `explain`.
    var steps: [FlowStep] = []
    /// The last event that ended the flow.
    private(set) var ending: FlowEvent?
    /// Published events that were not read yet.
    private(set) var unread: [String] = []
    /// When the status can change without anything new being read; `nil` when it cannot.
    private(set) var nextOwedAt: Int64?

    /// Judges a flow.
    ///
    /// - Parameter now: The moment of the judgement, in milliseconds since 1970.
    init(_ facts: FlowFacts, _ registry: JudgedRegistry, at now: Int64) {
        startedAt = .max
        updatedAt = .min
        describe(facts)
        let endings = facts.events.filter { registry.endings[$0.type] != nil }
        ending = endings.max { ($0.time, $0.id) < ($1.time, $1.id) }
        steps = Self.steps(facts, registry, firstEnding: endings.map(\.time).min())
        let expiry = findUnread(facts, at: now)
        decide(facts, registry, at: now, unreadUntil: expiry)
    }

    private mutating func describe(_ facts: FlowFacts) {
        var first: FlowEvent?
        var firstWithSubject: FlowEvent?
        func isEarlier(_ event: FlowEvent, than other: FlowEvent?) -> Bool {
            guard let other else { return true }
            // An event without a cause started the flow, whatever the clocks say.
            let rank = (event.causationID == nil ? 0 : 1, event.time)
            let otherRank = (other.causationID == nil ? 0 : 1, other.time)
            return rank == otherRank ? event.id < other.id : rank < otherRank
        }
        for event in facts.events {
            startedAt = min(startedAt, event.time)
            updatedAt = max(updatedAt, event.time)
            if isEarlier(event, than: first) { first = event }
            if event.subject != nil, isEarlier(event, than: firstWithSubject) { firstWithSubject = event }
        }
        for attempt in facts.attempts {
            if facts.events.isEmpty { startedAt = min(startedAt, attempt.attempt.startedAt) }
            updatedAt = max(updatedAt, attempt.attempt.endedAt)
        }
        if startedAt == .max { (startedAt, updatedAt) = (0, 0) }
        subject = firstWithSubject?.subject
        type = first?.type
    }

    // MARK: Steps

    private struct StepKey: Hashable {
        var event: String
        var service: String
    }

    private static func steps(_ facts: FlowFacts, _ registry: JudgedRegistry, firstEnding: Int64?) -> [FlowStep] {
        var attempts: [StepKey: [FlowFacts.Attempt]] = [:]
        for attempt in facts.attempts {
            attempts[StepKey(event: attempt.event, service: attempt.service), default: []].append(attempt)
        }
        var types: Set<String> = []
        var follow: [StepKey: [FlowEvent]] = [:]
        for event in facts.events {
            types.insert(event.type)
            guard let cause = event.causationID, let service = FlowEvent.service(ofSource: event.source) else {
                continue
            }
            follow[StepKey(event: cause, service: service), default: []].append(event)
        }
        var steps: [FlowStep] = []
        for event in facts.events {
            for duty in registry.duties[event.type] ?? [] where duty.route.topic == event.topic {
                guard (duty.route.input == .tombstone) == event.isTombstone else { continue }
                let made = attempts.removeValue(forKey: StepKey(event: event.id, service: duty.service))
                if made == nil, let firstEnding, firstEnding < duty.since { continue }
                var step = FlowStep(service: duty.service, event: event.id, type: event.type, status: .owed)
                step.publishes = duty.route.publishes
                step.cardinality = duty.route.cardinality
                // There is something to undo only where the effect was seen.
                step.compensates = duty.route.compensates.flatMap { types.contains($0) ? $0 : nil }
                let begin = max(event.time, duty.since)
                step.take(made ?? [], owedAt: begin.addingSaturated(max(0, duty.route.withinMilliseconds)))
                if made == nil, let events = follow[StepKey(event: event.id, service: duty.service)] {
                    step.finish(by: events)
                }
                step.doubt(since: begin, registry)
                steps.append(step)
            }
        }
        for (key, made) in attempts {
            var step = FlowStep(service: key.service, event: key.event, type: made[0].type, status: .owed)
            let last = made.map(\.attempt.endedAt).max() ?? 0
            step.take(made, owedAt: last.addingSaturated(undeclaredWithin))
            step.doubt(since: last, registry)
            steps.append(step)
        }
        if facts.isTruncated { for index in steps.indices { steps[index].doubt() } }
        return steps.sorted { ($0.event, $0.service) < ($1.event, $1.service) }
    }

    // MARK: Status

    /// Finds events that were published and not read, and returns until when they are waited for.
    private mutating func findUnread(_ facts: FlowFacts, at now: Int64) -> Int64? {
        guard !facts.isTruncated, steps.contains(where: { !$0.published.isEmpty }) else { return nil }
        let read = Set(facts.events.map(\.id))
        var expiry: Int64?
        for step in steps {
            let until = (step.endedAt ?? step.startedAt ?? 0).addingSaturated(Self.publicationGrace)
            guard until > now else { continue }
            for id in step.published where !read.contains(id) {
                unread.append(id)
                expiry = min(expiry ?? .max, until)
            }
        }
        return expiry
    }

    private mutating func decide(
        _ facts: FlowFacts, _ registry: JudgedRegistry, at now: Int64, unreadUntil: Int64?
    ) {
        var isOwed = !unread.isEmpty
        var isLate = false
        var isDeadLettered = false
        var hasBegunToUndo = false
        var hasUndone = false
        var next = unreadUntil
        for step in steps {
            if step.compensates != nil {
                hasBegunToUndo = true
                if step.status == .handled { hasUndone = true }
            }
            if step.status == .deadLettered { isDeadLettered = true }
            guard step.status.isOwed, let owedAt = step.owedAt else { continue }
            isOwed = true
            if owedAt <= now { isLate = true } else { next = min(next ?? .max, owedAt) }
        }
        if isDeadLettered {
            status = .deadLettered
        } else if isLate {
            status = .stuck
        } else if isOwed {
            status = hasBegunToUndo ? .compensating : .running
            nextOwedAt = next
        } else if let ending, registry.endings[ending.type] == .completed {
            status = .completed
        } else if hasUndone {
            status = .compensated
        } else {
            status = ending == nil ? .running : .failed
        }
        if !status.isOpen { endedAt = updatedAt }
    }
}

extension FlowStep {
    /// Takes the step for handled because events came of it, though no attempt was reported: a service need not report, and
    /// one that cannot goes on without.
    fileprivate mutating func finish(by events: [FlowEvent]) {
        status = .handled
        owedAt = nil
        endedAt = events.map(\.time).max()
        published = events.map(\.id).sorted()
    }

    /// Takes a step that is owed for not known where the report of its end may be missing.
    ///
    /// - Parameter begin: When it was owed first, in milliseconds since 1970.
    fileprivate mutating func doubt(since begin: Int64, _ registry: JudgedRegistry) {
        guard status.isOwed, let until = registry.unreportedUntil[service] else { return }
        guard max(begin, attempts.map(\.endedAt).max() ?? begin) <= until else { return }
        doubt()
    }

    /// Takes a step that is owed for not known.
    fileprivate mutating func doubt() {
        guard status.isOwed else { return }
        status = .notKnown
        owedAt = nil
    }

    /// Takes the attempts that were made at the step.
    fileprivate mutating func take(_ made: [FlowFacts.Attempt], owedAt due: Int64) {
        attempts = made.map(\.attempt).inOrder
        guard let deciding = attempts.deciding else {
            owedAt = due
            return
        }
        status = deciding.outcome.stepStatus
        startedAt = attempts.map(\.startedAt).min()
        if status.isOwed {
            // An event that was sent again is owed from then on.
            let round = attempts.filter { $0.replays == deciding.replays }.map(\.startedAt).min() ?? 0
            owedAt = deciding.replays == 0 ? due : max(due, round.addingSaturated(FlowJudgement.undeclaredWithin))
        } else {
            endedAt = deciding.endedAt
        }
        // A handling that is run again publishes the same ids.
        var seen: Set<String> = []
        published = attempts.flatMap(\.published).filter { seen.insert($0).inserted }
    }
}

extension Int64 {
    /// The sum, at most the largest number: times come from outside.
    func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }

    /// The difference, at most the largest number.
    package func subtractingSaturated(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}
