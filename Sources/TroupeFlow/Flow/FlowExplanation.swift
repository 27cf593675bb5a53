// From facts to the detail that people see: reasons, the sentence, the order of events.

import Troupe

extension FlowJudgement {
    /// Says of each step that is not done why it is not.
    mutating func explain(_ facts: FlowFacts, _ registry: JudgedRegistry, at now: Int64) {
        let events = facts.events.reduce(into: [:]) { $0[$1.id] = $1 }
        steps = steps.map { step in
            var step = step
            step.delay = StepDelay(step, of: events[step.event], registry, at: now)
            return step
        }
    }
}

extension FlowDetail {
    /// Judges and explains a flow.
    init(_ facts: FlowFacts, _ registry: JudgedRegistry, at now: Int64, change: Int64 = 0, isTruncated: Bool = false) {
        var judgement = FlowJudgement(facts, registry, at: now)
        judgement.explain(facts, registry, at: now)
        let events = facts.events.map { event in
            var event = event
            event.ending = registry.endings[event.type]
            return event
        }.behindTheirCauses
        let places = events.enumerated().reduce(into: [:]) { $0[$1.element.id] = $1.offset }
        let steps = judgement.steps.sorted {
            (places[$0.event] ?? .max, $0.event, $0.service) < (places[$1.event] ?? .max, $1.event, $1.service)
        }
        self.init(
            summary: FlowSummary(
                id: facts.id, subject: judgement.subject, type: judgement.type, status: judgement.status,
                startedAt: judgement.startedAt, endedAt: judgement.endedAt, updatedAt: judgement.updatedAt,
                eventCount: events.count, change: change),
            verdict: Verdict(judgement, at: now), events: events, steps: steps, isTruncated: isTruncated)
    }
}

extension FlowDetail {
    /// Takes how the whole flow stands from its row, because only a part of the flow was read.
    mutating func take(_ row: FlowSummary) {
        summary = row
        let part = "it has \(row.eventCount) events, of which \(events.count) were read"
        if verdict.status == row.status {
            verdict.sentence += "; \(part)"
        } else {
            verdict = Verdict(status: row.status, sentence: "\(row.status.rawValue.uppercased()): \(part)")
        }
    }
}

extension [FlowEvent] {
    /// By time, but every event behind the one that caused it, whatever the clocks of two machines say.
    var behindTheirCauses: [FlowEvent] {
        let events = reduce(into: [:]) { $0[$1.id] = $1 }
        var ranks: [String: (time: Int64, depth: Int)] = [:]
        for event in self {
            // Up to a cause that is ranked already, then down again; a circle of causes ends where it closes.
            var path: [FlowEvent] = []
            var visited: Set<String> = []
            var next: FlowEvent? = event
            while let current = next, ranks[current.id] == nil, visited.insert(current.id).inserted {
                path.append(current)
                next = current.causationID.flatMap { events[$0] }
            }
            var above = next.flatMap { ranks[$0.id] } ?? (time: .min, depth: -1)
            for current in path.reversed() {
                above = (Swift.max(above.time, current.time), above.depth + 1)
                ranks[current.id] = above
            }
        }
        return sorted { a, b in
            let (x, y) = (ranks[a.id] ?? (a.time, 0), ranks[b.id] ?? (b.time, 0))
            return (x.time, x.depth, a.id) < (y.time, y.depth, b.id)
        }
    }
}
